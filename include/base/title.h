/*
 * The title of a process: what ps(1), `systemctl status` and /proc/PID/cmdline show in place of its
 * arguments. setproctitle(3bsd) leaves a "." or blanks after it where the title is shorter than the
 * arguments were.
 *
 * A process that has not called title_init(), or whose title_init() lacked memory, keeps its
 * arguments as they are.
 */
#ifndef BASE_TITLE_H
#define BASE_TITLE_H

#include <stddef.h>

/* Once, first in main(): moves the arguments and the environment elsewhere, for the room that they
 * have is the title's from now on. argv[] and environ then point to the copies. */
void title_init(int argc, char **argv);

/* Not empty. Cut where there is no room. */
void title_set(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Pure: what title_set() writes. room[0..arguments) was the arguments, room[arguments..size) the
 * environment, both ending in NUL; 0 < arguments <= size. The kernel (proc(5), cmdline) shows the
 * arguments whole, with every NUL in them, as long as the last one is there; where it was
 * overwritten it shows the text up to the first NUL. */
void title_write(char *room, size_t arguments, size_t size, const char *title);

#endif

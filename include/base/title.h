/*
 * The title of a process: ps(1), `systemctl status` and /proc/PID/cmdline show it instead of the
 * arguments. setproctitle(3bsd) leaves a "." or blanks after a title that is shorter than the
 * arguments were.
 *
 * A process that has not called title_init(), or in which title_init() ran out of memory, keeps its
 * arguments.
 */
#ifndef BASE_TITLE_H
#define BASE_TITLE_H

#include <stddef.h>

/* Call it once, first in main(). Moves the arguments and the environment elsewhere and uses their
 * room for the title. argv[] and environ then point to the copies. */
void title_init(int argc, char **argv);

/* Sets the title, which must not be empty; a title that does not fit is cut. */
void title_set(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Pure: the writing of title_set(). room[0..arguments) held the arguments, room[arguments..size)
 * the environment, both ending in NUL; 0 < arguments <= size. While the last byte of the arguments
 * is NUL, the kernel shows all of them, every NUL included (proc(5), cmdline); otherwise it shows
 * the text up to the first NUL. */
void title_write(char *room, size_t arguments, size_t size, const char *title);

#endif

/*
 * Which server is meant if the user names no control socket: control/place.h, proc(5).
 */
#ifndef CTL_FIND_H
#define CTL_FIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/text.h"
#include "ctl/ctl.h"

#define FIND_PATH_MAX 108 /* sockaddr_un(7) */

#define FIND_SAID_MAX 8192

/* The socket of the only server that can be meant, valid until the end; else NULL, with the status
 * and a sentence of several printable lines. t has FIND_SAID_MAX bytes. */
const char *server_find(enum ctl_status *ret, struct text *t);

/* If no server answers on a socket: lists the servers that run. "": none. As above. */
void servers_mention(struct text *t);

/* Pure. Is this the title of a master (/proc/PID/cmdline)? */
bool title_is_masters(const char *cmdline, size_t len);
/* Pure. The path in a line of /proc/net/unix if it belongs to the inode and the socket listens;
 * else NULL. Writes a NUL after the path. */
const char *unix_line_path(char *line, uint64_t inode);
/* Pure. A server makes its socket under a temporary name, PATH.PID, which the kernel remembers.
 * Removes the suffix. */
void made_name_strip(char *path, pid_t);

#endif

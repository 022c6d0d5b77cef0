/*
 * Which server is meant where nobody names its control socket: control/place.h, proc(5).
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

/* The socket of the one server that can be meant, valid until the end; else NULL, with the status
 * and a sentence of several lines, printable. t has FIND_SAID_MAX bytes. */
const char *server_find(enum ctl_status *ret, struct text *t);

/* Of a socket that nobody answers on: which servers run. "": none. As above. */
void servers_mention(struct text *t);

/* Pure. Is that the title of a master (/proc/PID/cmdline)? */
bool title_is_masters(const char *cmdline, size_t len);
/* Pure. The path in a line of /proc/net/unix if it is that inode's and somebody listens there; else
 * NULL. Ends the line where the path ends. */
const char *unix_line_path(char *line, uint64_t inode);
/* Pure. A server makes its socket under another name, which the kernel remembers: PATH.PID. */
void made_name_strip(char *path, pid_t);

#endif

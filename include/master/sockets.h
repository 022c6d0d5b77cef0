/*
 * The sockets that the service manager has passed (sd_listen_fds(3), systemd.socket(5)): by name,
 * for the master's life. A port that names one gets duplicates, so that it can be started, stopped
 * and configured anew as often as is wanted.
 *
 * Several may have one name. A port takes those of its names that listen on its own number; what
 * is left under that name is for another port that names it, too.
 */
#ifndef MASTER_SOCKETS_H
#define MASTER_SOCKETS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/text.h"
#include "conf/conf.h"
#include "net/listen.h"

#define SOCKETS_NAME_MAX  CONF_SOCKET_NAME_MAX
#define SOCKETS_WRONG_MAX 64

struct sockets {
	struct socket_passed {
		char name[SOCKETS_NAME_MAX + 1]; /* printable ASCII */
		int fd; /* owned; close on exec; -1: there is nothing to be had */
		char address[NET_LISTEN_MAX]; /* and on which */
		uint16_t port;                /* that it listens on; 0: see wrong */
		char
		    wrong[SOCKETS_WRONG_MAX]; /* what it is in place of a listener; "": it is one */
	} * list;
	size_t count;
};

/*
 * Takes what LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES speak of and removes the three, so that it
 * is taken once and nobody who is started later takes it again. The descriptors move to 10 or
 * above. Before anything forks. 0, also where nothing was passed; or -1 and a sentence: the
 * variables contradict each other, or memory is short.
 */
int sockets_take(struct sockets *, struct err *);
void sockets_release(struct sockets *);

/* Of the variables alone (each may be NULL): how many, and their names; nothing is touched. For
 * another process: 0. list gets its memory here. A name that is missing is "unknown", as in
 * sd_listen_fds_with_names(3). 0, or -1 and a sentence. */
int sockets_parse(struct sockets *, pid_t self, const char *pid, const char *fds, const char *names,
		  struct err *);

/* The next one of that name and port from *at on, which is moved behind it (begin with 0); its
 * descriptor stays the table's. NULL: no more. */
const struct socket_passed *sockets_find(const struct sockets *, const char *name, uint16_t port,
					 size_t *at);
/* The one on that very address and port, whatever its name; NULL: there is none. */
const struct socket_passed *sockets_on(const struct sockets *, const char *address, uint16_t port);
/* Why there was none: a sentence. */
void sockets_miss(const struct sockets *, const char *name, uint16_t port, struct err *);

/* Those that no port of this configuration takes: "socket "http" (port 80)", joined by commas.
 * Returns how many. */
size_t sockets_unclaimed(const struct sockets *, const struct conf *, struct text *);

#endif

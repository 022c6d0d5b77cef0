/*
 * The sockets that the service manager passed (sd_listen_fds(3), systemd.socket(5)), by name, for
 * the life of the master. A port that names one gets duplicates, so that it can be started, stopped
 * and reconfigured any number of times.
 *
 * Several sockets may have one name. A port takes those with its names that listen on its own
 * number; the others with that name are for another port that also names it.
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
#define FD_OWN_MIN        10 /* above every descriptor that has a fixed place in a child */

struct sockets {
	struct socket_passed {
		char name[SOCKETS_NAME_MAX + 1]; /* printable ASCII */
		int fd;                          /* owned; close on exec; -1: not usable */
		char address[NET_LISTEN_MAX];    /* the address it listens on */
		uint16_t port;                   /* the port it listens on; 0: see wrong */
		char wrong[SOCKETS_WRONG_MAX]; /* what it is instead of a listener; "": it is one */
	} * list;
	size_t count;
};

/*
 * Takes the descriptors of LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES and removes the three
 * variables, so that no later process takes them again. Moves the descriptors to FD_OWN_MIN or
 * above. Call it before any fork. Returns 0, also if nothing was passed; or -1 and a sentence: the
 * variables contradict each other, or memory ran out.
 */
int sockets_take(struct sockets *, struct err *);
void sockets_release(struct sockets *);

/* Reads only the variables (each may be NULL): the number of sockets and their names. Touches no
 * descriptor. If they are for another process: 0. Allocates list. A missing name becomes "unknown",
 * as in sd_listen_fds_with_names(3). Returns 0, or -1 and a sentence. */
int sockets_parse(struct sockets *, pid_t self, const char *pid, const char *fds, const char *names,
		  struct err *);

/* Finds the next socket of that name and port from *at on (begin with 0), and sets *at after it.
 * The table keeps the descriptor. NULL: no more. */
const struct socket_passed *sockets_find(const struct sockets *, const char *name, uint16_t port,
					 size_t *at);
/* Finds the socket on exactly that address and port, whatever its name; NULL: there is none. */
const struct socket_passed *sockets_on(const struct sockets *, const char *address, uint16_t port);
/* Writes a sentence that says why sockets_find() found none. */
void sockets_miss(const struct sockets *, const char *name, uint16_t port, struct err *);

/* Lists the sockets that no port of this configuration takes: "socket "http" (port 80)", separated
 * by commas. Returns their number. */
size_t sockets_unclaimed(const struct sockets *, const struct conf *, struct text *);

#endif

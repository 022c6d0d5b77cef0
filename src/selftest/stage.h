/*
 * What the selftest works with: its own folder, and the configuration rewritten for it;
 * src/selftest only.
 */
#ifndef SELFTEST_STAGE_H
#define SELFTEST_STAGE_H

#include "agent.h"
#include "conf/conf.h"
#include "htpasswd.h"
#include "pair.h"
#include "targets.h"

/* The ports that the attempts use; the others are only served. Attempts are made from inside the
 * processes of A, and must not reach B. Both have TLS, if any port of the configuration has: then
 * the attempts are made from inside PORT_PLAIN, too, if there is a port without. */
enum { PORT_A, PORT_B, PORT_PLAIN, PORTS_TRIED };

struct stage_port {
	unsigned number; /* that is served; 0: there is no such port */
	bool plain;
	char key_path[PATH_ROOM]; /* "": it has none */
	char passwords_path[PATH_ROOM];
	char password[HTPASSWD_PASSWORD_ROOM]; /* of HTPASSWD_USER, in that file */
	struct needles hash;                   /* … and its hash */
	bool chroot_off;
	bool proxies;                  /* it has upstreams, one of them with a name */
	uint64_t core_bytes;           /* of its workers */
	unsigned needs[IPC_ROLES];     /* of its processes, by enum ipc_role */
	const struct conf_path *roots; /* the configuration's; its workers also have the site */
	size_t roots_count;
};

struct stage {
	char folder[PATH_ROOM / 2]; /* mode 0700; "": not made yet */
	char conf_path[PATH_ROOM];
	char socket_path[PATH_ROOM];   /* agents connect here */
	char output_path[PATH_ROOM];   /* a FIFO: the master's standard error */
	char datagram_path[PATH_ROOM]; /* receives the log's datagrams */
	char target_path[PATH_ROOM];   /* a socket that no attempt must reach */
	char new_path[PATH_ROOM];      /* no such file exists */
	char site_path[PATH_ROOM];     /* a document root of the selftest's own, without links */
	struct stage_port ports[PORTS_TRIED];
	struct needles needles; /* of port A's keys */
	int target_fd;          /* the listener that all upstreams are; -1: none yet */
	uint16_t target_port;
	struct targets_local local; /* its first socket is an upstream of port B, too */
};

/* Makes the folder. Returns 0, or -1 and a sentence. */
int stage_init(struct stage *, struct err *);

/* Writes the configuration: free loopback ports, throwaway pairs and password files, one worker per
 * port, restarts without limit, a log that the selftest receives; everything else stays. The ports
 * that are tried have a location with passwords. Privileges are only strict if they may be. The
 * first call makes the pairs and files. Returns 0, or -1 and a sentence. */
int stage_write(struct stage *, const struct conf *, bool may_be_strict, struct err *);

/* Removes the folder and its files. */
void stage_release(struct stage *);

#endif

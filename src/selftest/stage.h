/*
 * What the selftest works with: its own folder, and the configuration rewritten for it;
 * src/selftest only.
 */
#ifndef SELFTEST_STAGE_H
#define SELFTEST_STAGE_H

#include "agent.h"
#include "conf/conf.h"
#include "pair.h"

/* The two ports that the attempts use; the others are only served. */
enum { PORT_A, PORT_B, PORTS_TRIED };

struct stage {
	char folder[PATH_ROOM / 2]; /* mode 0700; "": not made yet */
	char conf_path[PATH_ROOM];
	char socket_path[PATH_ROOM];   /* agents connect here */
	char output_path[PATH_ROOM];   /* a FIFO: the master's standard error */
	char datagram_path[PATH_ROOM]; /* receives the log's datagrams */
	char target_path[PATH_ROOM];   /* a socket that no attempt must reach */
	char new_path[PATH_ROOM];      /* no such file exists */
	char key_paths[PORTS_TRIED][PATH_ROOM];
	unsigned numbers[PORTS_TRIED];    /* the numbers that are served */
	unsigned configured[PORTS_TRIED]; /* the numbers in the configuration */
	bool chroot_off;                  /* of port A */
	uint64_t core_bytes;              /* of port A's workers */
	unsigned needs[2];                /* of port A's keyholders [0] and workers [1] */
	struct needles needles;           /* of port A's keys */
};

/* Makes the folder. Returns 0, or -1 and a sentence. */
int stage_init(struct stage *, struct err *);

/* Writes the configuration: free loopback ports, throwaway pairs, one worker per port, restarts
 * without limit, a log that the selftest receives; everything else stays. Privileges are only
 * strict if they may be. The first call makes the pairs. Returns 0, or -1 and a sentence. */
int stage_write(struct stage *, const struct conf *, bool may_be_strict, struct err *);

/* Removes the folder and its files. */
void stage_release(struct stage *);

#endif

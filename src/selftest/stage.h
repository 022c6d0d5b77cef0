/*
 * What the selftest plays on: a folder of its own, and the configuration rewritten for it.
 * src/selftest only.
 */
#ifndef SELFTEST_STAGE_H
#define SELFTEST_STAGE_H

#include "agent.h"
#include "conf/conf.h"
#include "pair.h"

/* The two ports that the attempts are about; the others are just there. */
enum { PORT_A, PORT_B, PORTS_TRIED };

struct stage {
	char folder[PATH_ROOM / 2]; /* mode 0700; "": not made yet */
	char conf_path[PATH_ROOM];
	char socket_path[PATH_ROOM];   /* where agents report */
	char output_path[PATH_ROOM];   /* a FIFO: standard error of the master */
	char datagram_path[PATH_ROOM]; /* where the log's datagrams go */
	char target_path[PATH_ROOM];   /* where nobody sends to who should not */
	char new_path[PATH_ROOM];      /* of no file */
	char key_paths[PORTS_TRIED][PATH_ROOM];
	unsigned numbers[PORTS_TRIED];    /* as they are served here */
	unsigned configured[PORTS_TRIED]; /* as the configuration says */
	bool chroot_off;                  /* of port A */
	uint64_t core_bytes;              /* of port A's workers */
	struct needles needles;           /* of port A's keys */
};

/* Makes the folder. 0, or -1 and a sentence. */
int stage_init(struct stage *, struct err *);

/* The configuration for it: loopback ports that are free, throwaway pairs, one worker for each
 * port, restarts without end, a log for the selftest; everything else as it was. Privileges are
 * only strict if they may be. The pairs are made by the first call. 0, or -1 and a sentence. */
int stage_write(struct stage *, const struct conf *, bool may_be_strict, struct err *);

/* Removes the folder with what is in it. */
void stage_release(struct stage *);

#endif

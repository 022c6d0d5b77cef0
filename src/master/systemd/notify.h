/*
 * Tells the service manager how the server is (sd_notify(3)): a datagram to $NOTIFY_SOCKET, without
 * its library. Where there is none, all of this does nothing.
 *
 * Never waits. What could not be sent is owed and sent a little later, with the state of then.
 * Changes are told at most four times a second. The variables stay in the environment, for an
 * upgrade re-executes this process; children get an environment of their own.
 */
#ifndef MASTER_NOTIFY_H
#define MASTER_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "master/systemd/notice.h"
#include "net/loop.h"

struct master;

struct notify {
	int fd; /* -1: nobody is to be told */
	struct sockaddr_un address;
	socklen_t address_len;
	uint64_t alive_ms; /* between two WATCHDOG=1; 0: none is wanted */
	struct loop_timer alive, later;
	uint64_t sent_ms;
	bool owes_ready, owes_reloading, owes_stopping; /* each is sent once */
	bool ready, stopping;
	const char *ended;                      /* nothing more comes: how; NULL: it goes on */
	char reload[2 * NOTICE_REASON_MAX + 1]; /* how the last one went; "": none yet */
	char told[NOTICE_STATUS_MAX];           /* the last STATUS= */
};

void notify_start(struct master *); /* with the loop, before the first port; cannot fail */
void notify_end(struct master *);

/* A port's state has changed. */
void notify_changed(struct master *);
/* READY=1: every port serves or is parked. Once; later calls are no more than a change. */
void notify_ready(struct master *);
/* RELOADING=1 with the time; then READY=1 and how it went. error NULL: well. */
void notify_reloading(struct master *);
void notify_reloaded(struct master *, const char *error);
/* STOPPING=1, and how long it may take. */
void notify_stopping(struct master *);
/* The last STATUS=, which systemctl(1) shows from then on: the sentence, and which ports could not
 * serve, and why. */
void notify_ended(struct master *, const char *sentence);

#endif

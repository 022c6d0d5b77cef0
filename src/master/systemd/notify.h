/*
 * Reports the state of the server to the service manager (sd_notify(3)): a datagram to
 * $NOTIFY_SOCKET, without systemd's library. Without a service manager all of this does nothing.
 *
 * It never waits. A message that cannot be sent is sent a little later, with the state of that
 * time. Changes are sent at most four times a second. The variables stay in the environment,
 * because an upgrade re-executes this process; children get another environment.
 */
#ifndef MASTER_NOTIFY_H
#define MASTER_NOTIFY_H

struct master;

void notify_start(struct master *); /* call it with the loop, before the first port; cannot fail */
void notify_end(struct master *);

/* Sends WATCHDOG=1 if it is time for it, within a turn that goes through all ports: to open what a
 * port with thousands of hosts is handed takes a while, and the timer runs between turns alone. */
void notify_alive(struct master *);
/* Call it when a port's state has changed. */
void notify_changed(struct master *);
/* Sends READY=1: every port serves or is parked. Only once; later calls only report a change. */
void notify_ready(struct master *);
/* Send RELOADING=1 with the time; then READY=1 and the result. error NULL: success. */
void notify_reloading(struct master *);
void notify_reloaded(struct master *, const char *error);
/* Sends STOPPING=1 and how long the stop may take. */
void notify_stopping(struct master *);
/* Sends the last STATUS=, which systemctl(1) shows from then on: the sentence, and the ports that
 * could not serve with their reasons. */
void notify_ended(struct master *, const char *sentence);

#endif

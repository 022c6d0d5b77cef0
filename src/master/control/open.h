/* The control socket, for the floor above. */
#ifndef MASTER_CONTROL_OPEN_H
#define MASTER_CONTROL_OPEN_H

struct master;

/* socket.c: the socket that the configuration names, if any: takes over the handed one, makes,
 * moves or removes it. A failure is only logged. */
void control_open(struct master *);
void control_close(struct master *);

#endif

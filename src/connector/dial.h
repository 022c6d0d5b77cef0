/*
 * One connection to an endpoint: its addresses one after the other, the next one after 250 ms or at
 * once after a failure, until one of them takes it (RFC 8305, 5), all within one time.
 *
 * Nothing here blocks. What is connected is a stream socket that does not block, with TCP_NODELAY
 * if it is one of TCP.
 */
#ifndef CONNECTOR_DIAL_H
#define CONNECTOR_DIAL_H

#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/network.h"
#include "endpoints.h"
#include "ipc/connect.h"
#include "net/loop.h"

#define DIAL_NEXT_MS 250 /* RFC 8305, 5: Connection Attempt Delay */

struct dial;

/* What all dials of a process share. */
struct dialer {
	struct loop *loop;
	struct endpoints *endpoints;
	size_t sockets, sockets_max; /* that are open for a dial at once */
};

struct dial_result {
	enum ipc_connect_status status; /* not IPC_CONNECT_AGAIN */
	int error;                      /* an errno; 0: none */
	int fd;                         /* of IPC_CONNECTED, the owner's from now on; else -1 */
	struct network_address address; /* of IPC_CONNECTED; zeros: a Unix socket */
};

/* The owner provides the memory, until it is called back or has cancelled the dial. */
struct dial {
	struct dialer *dialer;
	uint32_t endpoint;
	uint64_t until_ms;
	/* Called once, perhaps from within dial_begin(). */
	void (*done)(struct dial *, const struct dial_result *);
	/* its own */
	struct loop_timer timer;
	struct endpoints_list list;
	uint8_t next;      /* in the list */
	uint8_t under_way; /* tries */
	bool waits;        /* until its name has addresses, or until a Unix socket has room */
	uint8_t looks;     /* … that it has made for that */
	int error;         /* of the last try that failed */
	struct dial_try {
		struct loop_io io; /* first; fd -1: it is not under way */
		struct dial *dial;
	} tries[IPC_NAME_ADDRESSES_MAX];
};

void dial_begin(struct dialer *, struct dial *, uint32_t endpoint, uint64_t timeout_ms,
		void (*done)(struct dial *, const struct dial_result *));
/* It will not be called back. Not after it was. */
void dial_cancel(struct dial *);

#endif

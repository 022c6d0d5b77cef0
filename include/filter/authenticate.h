/*
 * The filter authenticate: only clients with a right password get through (RFC 7617).
 *
 *   begin ── no credentials ───────────────> 401
 *     ├── known to be right ───────────────> the handler
 *     ├── too many wrong ones ─────────────> 429
 *     ├── too many wait ───────────────────> 503
 *     └── ask ──> the request waits ──> right ──> the handler
 *                        ├── wrong ──> a pause ──> 401
 *                        ├── not checked ───────> 503
 *                        └── the exchange ends: forget
 */
#ifndef FILTER_AUTHENTICATE_H
#define FILTER_AUTHENTICATE_H

#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/exchange.h"
#include "net/loop.h"

/* How long a wrong password waits for its answer. */
#define AUTHENTICATE_PAUSE_MS 1000
/* A client (of IPv6 a /64) may at once try so many wrong passwords, and then one each time. */
#define AUTHENTICATE_TRIES  10
#define AUTHENTICATE_TRY_MS 6000

enum authenticate_verdict {
	AUTHENTICATE_RIGHT,
	AUTHENTICATE_WRONG,
	AUTHENTICATE_UNCHECKED /* out of memory, or nobody checks passwords now */
};

struct authenticate_ask;
TAILQ_HEAD(authenticate_asks, authenticate_ask);

/* What belongs to the service. */
struct authenticate_place {
	TAILQ_ENTRY(authenticate_ask)
	link;                           /* of those that wait, that are like another, or that
					   will be answered next */
	struct authenticate_asks alike; /* from the same client, with the same password */
	struct authenticate_ask *like;  /* the one in whose list it is */
	uint64_t client;                /* a keyed hash */
	uint64_t begun_ms;
	uint64_t round;
	bool counts;                       /* as a try */
	unsigned where;                    /* worker/asks.h */
	enum authenticate_verdict verdict; /* of one that will be answered next */
};

/* A password to check. The filter owns it and what it points to until it is answered or
 * forgotten. */
struct authenticate_ask {
	struct authenticate_place place; /* zeros at the begin */
	const struct http_client *client;
	uint32_t file;               /* its number in conf_port.passwords */
	const char *user, *password; /* without NUL bytes, not terminated */
	size_t user_len, password_len;
	/* Called once, from the loop; not from within ask(). */
	void (*answered)(struct authenticate_ask *, enum authenticate_verdict);
};

/* What the worker does for it in each event loop: http_loop.passwords. For a request, knows(),
 * refuses() and ask() are called in this order, with the same ask or a copy of it, until one of
 * them decides. */
struct authenticate_service {
	/* Was this password right not long ago? A client that guesses is not told. */
	bool (*knows)(struct authenticate_service *, struct authenticate_ask *);
	/* May this client try another password? 0: yes, and this counts as one, so that those that
	 * it tries side by side do; unless it is right, or nobody could check it. Else when, in ms.
	 */
	uint64_t (*refuses)(struct authenticate_service *, struct authenticate_ask *);
	/* false: too many wait */
	bool (*ask)(struct authenticate_service *, struct authenticate_ask *);
	/* The ask will not be answered. */
	void (*forget)(struct authenticate_service *, struct authenticate_ask *);
	/* The password was wrong. */
	void (*failed)(struct authenticate_service *, const struct authenticate_ask *,
		       const char *realm);
};

#endif

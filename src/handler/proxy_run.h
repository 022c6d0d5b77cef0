/*
 * One request on its way through an upstream and back: what the files of the handler `proxy` that
 * run it share. proxy.c is the handler, proxy_try.c its attempts, proxy_answer.c the way back.
 *
 *   WAITS ──connection──> SENT ──head of the response──> BODY ──> DONE
 *     └───────── failed, and not to be tried again ──> ANSWERS │
 *                                  101 ──> TUNNEL ──> DONE     └── broken ──> CUT
 */
#ifndef HANDLER_PROXY_RUN_H
#define HANDLER_PROXY_RUN_H

#include "base/network.h"
#include "handler/handlers.h"
#include "net/loop.h"
#include "proxy.h"
#include "upstream/body.h"
#include "upstream/upstream.h"

#define PROXY_HEAD_MAX     ((size_t)64 * 1024) /* bytes of a response's head */
#define PROXY_INTERIM_MAX  32                  /* interim responses before a response */
#define PROXY_TRAILERS_MAX UPSTREAM_TRAILERS_MAX
#define PROXY_GATHER_MS    100  /* for a small body to come as a whole */
#define PROXY_DRAIN_MS     5000 /* for a tunnel when the worker drains, at most */

/* A location. */
struct proxy_config {
	struct proxy_place place;
	const struct conf_port *port;
	const struct conf_upstream *upstream;
	uint32_t retry_methods; /* a set of HTTP_METHOD_BIT */
	struct network_table trusted;
	struct proxy_target targets[]; /* of the upstream's endpoints */
};

enum proxy_state {
	PROXY_WAITS,   /* for a connection */
	PROXY_SENT,    /* for the head of the response */
	PROXY_BODY,    /* the response goes back */
	PROXY_TUNNEL,  /* bytes go both ways */
	PROXY_DONE,    /* nothing more comes from upstream, and nothing more is wanted there */
	PROXY_ANSWERS, /* it failed: the response is a line of text */
	PROXY_CUT      /* it failed after the response had begun */
};

struct proxy_run {
	struct exchange *ex;
	const struct proxy_config *config;
	struct upstream_pool *pool;
	struct upstream_call call;
	enum proxy_state state;
	bool chunked;                  /* the body of the request goes upstream in chunks */
	bool request_done;             /* the client has sent all of it */
	bool head_waited;              /* the time for the head runs */
	bool heard;                    /* a byte of this attempt's response has come */
	bool begun_late;               /* it had to wait for a connection, and so did its body */
	bool tunnel;                   /* it is, or was, one */
	bool told_end;                 /* the client knows that the upstream's half has ended */
	enum upstream_failure failure; /* of the last attempt */
	unsigned interims;
	bool doubtful;     /* an interim response ends the connection, or may have had a body */
	uint64_t given;    /* bytes of the response's body that the client got */
	uint64_t sent;     /* bytes of the request's body that went upstream, in all attempts */
	uint64_t begun_ns; /* of this attempt */
	size_t scan;
	struct loop_task flush;      /* a head waits for the first bytes of its body */
	struct loop_timer gathering; /* the attempt waits for the whole of a small body */
	bool gathers;
	struct buf trailer; /* of the request */
	struct buf response_trailer;
	struct upstream_options response_named; /* what that trailer does not have */
	struct upstream_body body;
	struct exchange_upstream record;
	size_t answer_given;
	struct proxy_request request;
};

static inline struct proxy_run *proxy_run_of(const struct exchange *ex)
{
	return *(struct proxy_run *const *)(const void *)ex->state;
}

/* --- proxy_try.c ------------------------------------------------------------------------------ */

/* Begins the first attempt. */
void proxy_try(struct proxy_run *);
/* The request is complete: sends its end, if it has a connection. */
void proxy_request_end(struct proxy_run *);
/* The attempt ends, if it has not; reusable: its connection may have another request. */
void proxy_leave(struct proxy_run *, bool reusable);
/* Sets the limit of time for what is awaited from upstream now. */
void proxy_time(struct proxy_run *);
/* The attempt has failed: another one, an answer, or a response that is cut off. why: in more
 * words; NULL: there are none. */
void proxy_fail(struct proxy_run *, enum upstream_failure, const char *why);
/* In a tunnel whose upstream has closed both halves, and the client has got all of its bytes: what
 * that still sends cannot be passed on, so that the tunnel ends. True: it has. */
bool proxy_gone(struct proxy_run *);
/* Refuses the request without trying it. */
void proxy_answer(struct proxy_run *, enum upstream_failure);

/* --- proxy_answer.c --------------------------------------------------------------------------- */

/* Bytes or the end have come while the head is awaited. */
void proxy_read_head(struct proxy_run *);
/* Of the response or tunnel, as a handler's give(). */
long proxy_give_body(struct proxy_run *, uint8_t *out, size_t size);

#endif

/* Runs in the workers. A constant table, never written. */
#include "upstream/upstream.h"

static const struct upstream_failure_facts failures[UPSTREAM_FAILURES] = {
    [UPSTREAM_WORKS] = {"", "", 500, IPC_TRIEDS, false},
    [UPSTREAM_FAILED_NONE] = {"upstream-none", "no endpoint of the upstream can be used", 503,
			      IPC_TRIEDS, false},
    [UPSTREAM_FAILED_QUEUE_FULL] = {"upstream-queue-full",
				    "too many requests wait for a connection", 503, IPC_TRIEDS,
				    false},
    [UPSTREAM_FAILED_QUEUE_LATE] = {"upstream-queue-late",
				    "the request has waited for a connection for too long", 503,
				    IPC_TRIEDS, false},
    [UPSTREAM_FAILED_SHED] = {"upstream-shed", "the event loop is behind", 503, IPC_TRIEDS, false},
    [UPSTREAM_FAILED_FULL] = {"upstream-full", "there is no room for another connection", 503,
			      IPC_TRIED_FULL, false},
    [UPSTREAM_FAILED_PORTS] = {"upstream-full", "there is no local port left for it", 503,
			       IPC_TRIED_FULL, true},
    [UPSTREAM_FAILED_REFUSED] = {"upstream-refused", "refuses connections", 502, IPC_TRIED_REFUSED,
				 true},
    [UPSTREAM_FAILED_UNRESOLVED] = {"upstream-unresolved", "has no address", 502,
				    IPC_TRIED_UNRESOLVED, true},
    [UPSTREAM_FAILED_CONNECT] = {"upstream-connect-timeout", "did not connect in time", 504,
				 IPC_TRIED_CONNECT, true},
    [UPSTREAM_FAILED_TLS] = {"upstream-tls", "failed the TLS handshake", 502, IPC_TRIED_TLS, true},
    [UPSTREAM_FAILED_HEAD] = {"upstream-head-timeout", "did not respond in time", 504,
			      IPC_TRIED_HEAD, false},
    [UPSTREAM_FAILED_BETWEEN] = {"upstream-between-timeout", "was silent for too long", 504,
				 IPC_TRIED_BETWEEN, false},
    [UPSTREAM_FAILED_MALFORMED] = {"upstream-malformed", "sent no valid response", 502,
				   IPC_TRIED_MALFORMED, false},
    [UPSTREAM_FAILED_CUT] = {"upstream-cut", "ended the connection too early", 502, IPC_TRIED_CUT,
			     false},
    [UPSTREAM_TUNNEL_IDLE] = {"tunnel-idle", "neither side of the tunnel said anything", 504,
			      IPC_TRIEDS, false},
};

const struct upstream_failure_facts *upstream_failure_facts(enum upstream_failure why)
{
	return &failures[(unsigned)why < UPSTREAM_FAILURES ? why : UPSTREAM_WORKS];
}

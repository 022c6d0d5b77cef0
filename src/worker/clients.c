/* Runs in a loop, for each connection, handshake and request. Must never allocate after the loop's
 * start, nor log a client more than once a minute. */
#include "worker/clients.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syslog.h>

#include "base/num.h"

/* Lines about clients that are over their limits: of one loop, in a second and at once. */
#define LINES_PER_SECOND 10
#define LINES_AT_ONCE    100

static const struct client_limits *clients_limits(const struct worker_loop *l)
{
	return &l->worker->port->limits.clients;
}

int clients_init(struct worker_loop *l)
{
	const struct client_limits *limits = clients_limits(l);
	uint8_t secret[CLIENT_TABLE_SECRET];
	if (!client_limits_any(limits))
		return 0;
	if (getrandom(secret, sizeof(secret), 0) != sizeof(secret))
		return -EIO;
	/* as many as are remembered, and one for each connection */
	const uint32_t places = limits->places + l->conns_max + 1;
	const int error =
	    client_table_init(&l->clients, places, &limits->requests, &limits->handshakes, secret);
	if (error < 0)
		return error;
	holdings_add(&l->holdings, &l->clients_held);
	holding_change(&l->clients_held, 0, (int64_t)client_table_bytes(places));
	return 0;
}

void clients_release(struct worker_loop *l)
{
	client_table_release(&l->clients);
}

/* --- what is logged --------------------------------------------------------------------------- */

static void rate_write(char out[2 * NUM_TEXT_MAX], const struct limit_rate *rate)
{
	char often[NUM_TEXT_MAX];
	(void)snprintf(out, (size_t)2 * NUM_TEXT_MAX, "%s burst %u",
		       num_format_rate(rate->per_hour, often), rate->burst);
}

/* Once in CLIENT_TOLD_S, with the number of refusals that were not logged. */
static void client_tell(struct worker_loop *l, const struct http_client *who, struct client *c,
			enum ipc_limited kind)
{
	static const char *const words[IPC_LIMITED] = {[IPC_LIMITED_CONNECTIONS] = "connections",
						       [IPC_LIMITED_HANDSHAKES] = "handshakes",
						       [IPC_LIMITED_REQUESTS] = "requests"};
	const struct client_limits *limits = clients_limits(l);
	char limit[2 * NUM_TEXT_MAX], more[64] = "";
	ipc_slot_add(&l->slot->counters.limited[kind], 1);
	if (!client_may_tell(c, l->loop.now_ms) ||
	    !bucket_take(&l->clients_lines, 1, LINES_PER_SECOND, LINES_AT_ONCE, l->loop.now_ms)) {
		c->refused++;
		return;
	}
	if (kind == IPC_LIMITED_CONNECTIONS)
		(void)snprintf(limit, sizeof(limit), "%u", limits->connections);
	else
		rate_write(limit,
			   kind == IPC_LIMITED_REQUESTS ? &limits->requests : &limits->handshakes);
	if (c->refused > 0)
		(void)snprintf(more, sizeof(more), "; %u times since the last such line",
			       c->refused);
	log_write(&l->log, LOG_NOTICE, "('%s', %u) is over the limit %s-per-client %s%s",
		  who->address, who->port, words[kind], limit, more);
	c->told_s = client_now_s(l->loop.now_ms);
	c->refused = 0;
}

/* --- connections ------------------------------------------------------------------------------ */

bool clients_enter(struct worker_loop *l, struct http_client *who)
{
	const struct client_limits *limits = clients_limits(l);
	who->limited = NULL;
	if (l->clients.places_count == 0 ||
	    network_table_find(&l->worker->exempt, &who->number) != NETWORK_NONE)
		return true;
	struct client *c = client_enter(&l->clients, &who->number, l->loop.now_ms);
	if (c == NULL) /* no place, which cannot be */
		return true;
	who->limited = c;
	ipc_slot_put(&l->slot->counters.clients, l->clients.used);
	ipc_slot_put(&l->slot->counters.clients_forgotten, l->clients.forgotten);
	if (limits->connections == 0 || c->connections <= limits->connections)
		return true;
	client_tell(l, who, c, IPC_LIMITED_CONNECTIONS);
	clients_leave(l, who);
	return false;
}

void clients_leave(struct worker_loop *l, struct http_client *who)
{
	if (who->limited != NULL)
		client_leave(&l->clients, who->limited);
	who->limited = NULL;
}

/* --- handshakes ------------------------------------------------------------------------------- */

bool clients_handshake(struct conn *c)
{
	/* RFC 8446, 5.1 and 6: a fatal alert in a record of its own */
	static const uint8_t alert[] = {21, 3, 3, 0, 2, 2, 49 /* access_denied */};
	struct worker_loop *l = c->owner;
	struct client *client = c->client.limited;
	if (client == NULL ||
	    client_take(&client->handshakes, &clients_limits(l)->handshakes, l->loop.now_ms))
		return true;
	client_tell(l, &c->client, client, IPC_LIMITED_HANDSHAKES);
	if (l->wire.in[0] == 22) /* it speaks TLS */
		(void)buf_append(&l->wire.out, alert, sizeof(alert));
	return false;
}

/* --- requests --------------------------------------------------------------------------------- */

uint32_t clients_request(void *connection, const struct exchange *ex)
{
	struct conn *c = connection;
	struct worker_loop *l = c->owner;
	struct client *client = c->client.limited;
	const struct limit_rate *rate = &clients_limits(l)->requests;
	(void)ex;
	if (client_take(&client->requests, rate, l->loop.now_ms))
		return 0;
	client_tell(l, &c->client, client, IPC_LIMITED_REQUESTS);
	return (uint32_t)((client_wait_ms(&client->requests, rate) + 999) / 1000);
}

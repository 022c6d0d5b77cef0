/* Runs in the master. Messages from a child are not trusted: they are checked against the permit
 * table, escaped, and can only affect that child itself. */
#include <errno.h>
#include <string.h>
#include <sys/syslog.h>

#include "base/fd.h"
#include "base/text.h"
#include "master/child/child.h"
#include "master/pure/confinement.h"

#define CLOSED_TIMEOUT_MS 1000
#define YEAR_10000        INT64_C(253402300800) /* time(2) */
#define MESSAGES_MAX      256 /* from one child within a second; an honest one sends a few */

static const struct ipc_permit *child_permits(const struct child *c)
{
	static const struct ipc_permit *const permits[IPC_ROLES] = {
	    [IPC_WORKER] = ipc_from_worker,
	    [IPC_KEYHOLDER] = ipc_from_keyholder,
	    [IPC_VERIFIER] = ipc_from_keyholder,
	    [IPC_CONNECTOR] = ipc_from_connector,
	    [IPC_RESOLVER] = ipc_from_resolver};
	return permits[c->role];
}

/* The phase that the child has announced. This is not c->state, which is what the master wants. */
static enum ipc_phase child_phase(const struct child *c)
{
	return c->level[0] == '\0' ? IPC_BEGINNING : c->left ? IPC_LEFT : IPC_SERVING;
}

static void level_take(struct child *c, const struct ipc_message *message)
{
	struct text t;
	memcpy(&c->confinement, message->payload, sizeof(c->confinement));
	text_init(&t, c->level, sizeof(c->level));
	sandbox_level_describe(&c->confinement, &t);
}

/* Warns once per port, role and layer, because a port whose processes cannot get the layer would
 * fill the log. */
static void confinement_compare(struct child *c)
{
	struct port *p = c->port;
	const unsigned had = p->master->confined[c->role];
	const unsigned less =
	    confinement_less(had, &c->confinement) & ~p->confinement_told[c->role];
	char reasons[512];
	struct text t;
	if (less == 0)
		return;
	p->confinement_told[c->role] |= less;
	text_init(&t, reasons, sizeof(reasons));
	(void)sandbox_level_missing(&c->confinement, &t);
	child_log(c, LOG_WARNING, "is confined less than another %s: it is without %s",
		  role_name(c), reasons);
}

/* Adds "workers, keyholders and verifiers"; roles: a bit each. */
static void roles_add(struct text *t, unsigned roles)
{
	for (unsigned role = 0; role < IPC_ROLES; role++) {
		if ((roles & 1u << role) == 0)
			continue;
		roles &= ~(1u << role);
		text_addf(t, "%ss%s", ipc_role_name((enum ipc_role)role),
			  roles == 0                   ? ""
			  : (roles & (roles - 1)) == 0 ? " and "
						       : ", ");
	}
}

void confinement_tell(struct master *m)
{
	struct confinement all = {.count = 0};
	unsigned roles = 0;
	char line[512];
	struct text t;
	for (size_t i = 0; i < m->ports_count; i++)
		for (unsigned k = 0; k < m->ports[i]->children_count; k++) {
			struct child *c = &m->ports[i]->children[k];
			/* An earlier version of this program did not hand over the confinement of
			 * its children. */
			if (c->state != CHILD_SERVING || c->confinement.role == SANDBOX_MASTER)
				continue;
			roles |= 1u << c->role;
			confinement_compare(c);
			confinement_add(&all, &c->confinement);
		}
	if (all.count == 0)
		return;
	text_init(&t, line, sizeof(line));
	roles_add(&t, roles);
	text_add_str(&t, " are confined by ");
	confinement_describe(&all, !sandbox_may_change_user(), &t);
	log_write(&m->log, LOG_NOTICE, "%s", line);
}

/* The turn that follows goes on with its port. */
static void child_ready(struct child *c)
{
	struct master *m = c->port->master;
	if (c->state != CHILD_STARTING)
		return;
	c->state = CHILD_SERVING;
	loop_timer_cancel(&m->loop, &c->deadline);
	child_log(c, LOG_NOTICE, "is ready");
	child_log(c, LOG_DEBUG, "is confined: %s", c->level);
	m->confined[c->role] |= c->confinement.reached;
	if (m->settled)
		confinement_compare(c);
}

static void files_told(const struct child *c, const struct ipc_files *files)
{
	struct port_content *content = &c->port->content;
	uint8_t *digest = content->digests[c->role];
	if (content_is_told(content, c->role) &&
	    memcmp(digest, files->digest, IPC_DIGEST_BYTES) != 0)
		content->mixed = true;
	memcpy(digest, files->digest, IPC_DIGEST_BYTES);
}

static int64_t time_bound(int64_t when)
{
	return when < 0 ? 0 : when > YEAR_10000 ? YEAR_10000 : when;
}

static void certificate_told(const struct child *c, const struct ipc_certificate *told)
{
	struct text t;
	if (told->pair >= c->port->conf->certificates_count)
		return;
	struct expiry *e = &c->port->content.pairs[told->pair];
	if (e->ends != time_bound(told->ends))
		e->told = 0;
	e->begins = time_bound(told->begins);
	e->ends = time_bound(told->ends);
	text_init(&t, e->subject, sizeof(e->subject));
	text_add_utf8(&t, told->subject, strnlen(told->subject, sizeof(told->subject)));
}

/* The holder has closed a channel of this worker, so the worker is useless now. */
static void worker_abused(const struct child *holder, const struct ipc_key_channels *who)
{
	static const char *const abuses[IPC_ROLES] = {[IPC_WORKER] = "",
						      [IPC_KEYHOLDER] = "has abused its keyholder",
						      [IPC_VERIFIER] = "has abused its verifier",
						      [IPC_CONNECTOR] = "has abused its connector",
						      [IPC_RESOLVER] = ""};
	const char *what = abuses[holder->role];
	struct port *p = holder->port;
	if (who->worker == 0 || who->worker > p->conf->workers)
		return;
	struct child *c = &p->children[p->holders + who->worker - 1];
	if (c->state == CHILD_NONE || c->generation != who->generation)
		return;
	child_log(c, LOG_ERR, "%s; killing it", what);
	child_kill(c, what);
}

void child_channel_close(struct child *c)
{
	loop_remove_and_close(&c->port->master->loop, &c->channel);
}

static void channel_give_up(struct child *c, const char *why)
{
	struct master *m = c->port->master;
	c->unusable = why;
	c->pinged = false;
	child_channel_close(c);
	/* It should be ending; if not, the deadline kills it. */
	loop_timer_set(&m->loop, &c->deadline, m->loop.now_ms + CLOSED_TIMEOUT_MS);
}

/* Only a worker that was taken over asks for a fault if its port has none. */
static void fault_asked(struct child *c, const struct ipc_fault *fault)
{
	if (c->port->conf->faults) {
		keyholders_fault(c->port, fault);
		return;
	}
	child_log(c, LOG_ERR, "asked for a fault, but its port has no faults");
	channel_give_up(c, "asked for a fault");
}

/* A pong that was not asked for is ignored. */
static void pong(struct child *c)
{
	if (c->pinged && c->state == CHILD_SERVING)
		loop_timer_cancel(&c->port->master->loop, &c->deadline);
	c->pinged = false;
}

static void message_take(struct child *c, struct ipc_message *message)
{
	struct text text;
	struct ipc_key_channels who;
	struct ipc_fault fault;
	struct ipc_files files;
	struct ipc_certificate certificate;
	switch (message->type) {
	case IPC_READY:
		level_take(c, message);
		c->said = 0; /* its reports are not to be held against it from now on */
		child_ready(c);
		break;
	case IPC_FAILED:
		text_init(&text, c->failure, sizeof(c->failure));
		text_add_utf8(&text, message->payload, message->len);
		break;
	case IPC_FILES:
		memcpy(&files, message->payload, sizeof(files));
		files_told(c, &files);
		break;
	case IPC_CERTIFICATE:
		memcpy(&certificate, message->payload, sizeof(certificate));
		certificate_told(c, &certificate);
		break;
	case IPC_KEY_SILENT:
		holders_ping(c->port);
		break;
	case IPC_FAULT:
		memcpy(&fault, message->payload, sizeof(fault));
		fault_asked(c, &fault);
		break;
	case IPC_PONG:
		pong(c);
		break;
	case IPC_DRAINING:
		c->left = true;
		c->leaving = false;
		break;
	case IPC_KEY_ABUSED:
		memcpy(&who, message->payload, sizeof(who));
		worker_abused(c, &who);
		break;
	case IPC_START: /* not permitted from a child */
	case IPC_DRAIN:
	case IPC_KEY_CHANNELS:
	case IPC_PING:
	case IPC_SERVE:
	case IPC_RETIRE:
	case IPC_SETTINGS:
	case IPC_HANDED:
	case IPC_COMPLETE:
	case IPC_TYPES:
		break;
	}
	ipc_message_release(message);
}

/* How many messages a child may send within a second. A worker reports each certificate before it
 * is ready. */
static size_t messages_most(const struct child *c)
{
	const size_t reports =
	    child_phase(c) == IPC_BEGINNING ? c->port->conf->certificates_count : 0;
	return MESSAGES_MAX + reports;
}

/* Limits the messages of one child, so that it cannot keep the master busy. */
static bool says_too_much(struct child *c)
{
	uint64_t now = c->port->master->loop.now_ms;
	if (now - c->said_since_ms >= 1000) {
		c->said_since_ms = now;
		c->said = 0;
	}
	return ++c->said > messages_most(c);
}

static int message_receive(const struct child *c, struct ipc_message *ret)
{
	return (c->adopted ? ipc_receive_other : ipc_receive)(c->channel.fd, child_permits(c),
							      child_phase(c), ret);
}

void child_channel_ready(struct loop *loop, struct loop_io *io, uint32_t events)
{
	struct child *c = (struct child *)io;
	struct ipc_message message;
	(void)loop;
	(void)events;
	int n = message_receive(c, &message);
	if (n == 1 && !says_too_much(c)) {
		message_take(c, &message);
		return;
	}
	if (n == -EAGAIN)
		return;
	if (n == 1)
		ipc_message_release(&message);
	if (n == 1 || n == -EBADMSG)
		child_log(c, LOG_ERR, "sent %s",
			  n == 1 ? "too many messages" : "a message that it must not send");
	channel_give_up(c, n == 1          ? "sent too many messages"
			   : n == -EBADMSG ? "sent a message that it must not send"
					   : "had closed its channel");
}

void child_last_words(struct child *c)
{
	struct ipc_message message;
	/* The child has ended, but another process may hold its end of the channel and go on
	 * sending. */
	const size_t most = messages_most(c);
	for (size_t i = 0; i < most && c->channel.fd >= 0 && message_receive(c, &message) == 1;
	     i++) {
		if (message.type == IPC_READY) /* it has served, but the message was late */
			level_take(c, &message);
		if (message.type == IPC_FAILED || message.type == IPC_KEY_SILENT)
			message_take(c, &message);
		else
			ipc_message_release(&message);
	}
}

/*
 * Runs in the master, once for each child that has ended: finds out why, logs it as one record with
 * fields, and keeps the last records of a port. The child's data are copied, bounded and escaped
 * here; they are not trusted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syslog.h>
#include <sys/wait.h>
#include <sysexits.h>

#include "base/num.h"
#include "crash/trace.h"
#include "master/child/child.h"

/* journald finds messages by these ids (systemd.journal-fields(7)); bulkhead(8) lists them. */
#define MESSAGE_ID_ENDED   "54dffbe7841147f1b2104f5c0cf4d7d5" /* an orderly end */
#define MESSAGE_ID_CRASHED "a2d408b25c314c2d936f304018e4cc81" /* any other end */

void child_counters(const struct child *c, struct ipc_counters *ret)
{
	const uint64_t most = c->port->conf->limits.connections;
	*ret = (struct ipc_counters){0};
	for (unsigned i = 0; i < c->loops; i++)
		ipc_view_count(&c->view, i, ret);
	if (ret->connections > most)
		ret->connections = most;
}

/* How much it has done, and of what. */
static uint64_t done_by(const struct child *c, const struct ipc_counters *sum,
			const char **ret_thing)
{
	switch (c->role) {
	case IPC_KEYHOLDER:
		*ret_thing = "signature";
		return sum->signatures;
	case IPC_VERIFIER:
		*ret_thing = "password";
		return sum->passwords_right + sum->passwords_wrong;
	case IPC_CONNECTOR:
		*ret_thing = "connection";
		return sum->connects;
	case IPC_RESOLVER:
		*ret_thing = "answer";
		return sum->names_resolved;
	case IPC_WORKER:
	case IPC_ROLES:
		break;
	}
	*ret_thing = "request";
	return sum->requests;
}

/* The loop that the report is about: the one that crashed, hung or was busy, from 1; 0 if none
 * was. */
static unsigned loop_in_question(const struct child *c, int status)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == EX_OK)
		return 0;
	for (unsigned i = 0; i < c->loops; i++)
		if (ipc_view_crash_signal(&c->view, i) != 0)
			return i + 1;
	if (c->watch.verdict != WATCH_FINE && !c->watch.was_stopped)
		return c->watch.loop + 1;
	for (unsigned i = 0; i < c->loops; i++)
		if (ipc_view_busy_since(&c->view, i) != 0)
			return i + 1;
	return 0;
}

static enum ipc_lack lack_of(const struct child *c)
{
	enum ipc_lack lack = IPC_LACK_NONE;
	for (unsigned i = 0; i < c->loops && lack == IPC_LACK_NONE; i++)
		lack = ipc_view_lack(&c->view, i);
	return lack;
}

void end_gather(struct end *e, const struct child *c, int status)
{
	const struct port *p = c->port;
	const unsigned loop = loop_in_question(c, status);
	*e = (struct end){.status = status,
			  .pid = c->pid,
			  .starting = c->state == CHILD_STARTING && c->level[0] == '\0',
			  .told = c->state == CHILD_DRAINING,
			  .watched = c->watch.verdict,
			  .was_stopped = c->watch.was_stopped,
			  .watchdog_ms = child_watchdog_ms(c),
			  .killed_for = c->killed_for,
			  .memory_bytes = is_worker(c) ? p->conf->limits.memory_bytes : 0,
			  .lack = lack_of(c)};
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && c->killed_for == NULL &&
	    c->watch.verdict == WATCH_FINE)
		oom_ask(p->master, &e->oom, &e->oom_uncounted);
	if (loop > 0)
		ipc_view_crash(&c->view, loop - 1, &e->crash);
}

/* --- in words -------------------------------------------------------------------------------- */

static void life_describe(struct text *t, const struct child *c, const struct ipc_counters *sum)
{
	const char *thing;
	const uint64_t uptime_ms = c->port->master->loop.now_ms - c->started_ms;
	const uint64_t done = done_by(c, sum, &thing);
	text_addf(t, " after %llu.%03us and %llu %s%s", (unsigned long long)(uptime_ms / 1000),
		  (unsigned)(uptime_ms % 1000), (unsigned long long)done, thing,
		  done == 1 ? "" : "s");
	if (sum->signatures_refused > 0)
		text_addf(t, ", %llu refused", (unsigned long long)sum->signatures_refused);
	if (c->failure[0] != '\0')
		text_addf(t, ": %s", c->failure);
}

static void request_describe(struct report *r, const struct ipc_view *view, unsigned loop)
{
	struct ipc_request q;
	struct text t;
	ipc_view_request(view, loop, &q);
	if (q.client_port == 0 || ipc_view_busy_since(view, loop) == 0)
		return;
	text_init(&t, r->client, sizeof(r->client));
	text_add_escaped(&t, q.client, strlen(q.client));
	r->client_port = q.client_port;
	text_init(&t, r->request, sizeof(r->request));
	if (q.method_len == 0) {
		text_add_str(&t, "none yet");
		return;
	}
	text_add_escaped(&t, q.method, q.method_len);
	text_add_char(&t, ' ');
	text_add_escaped(&t, q.target, q.target_len);
	if (q.target_len == IPC_TARGET_MAX)
		text_add_str(&t, "...");
	text_init(&t, r->request_id, sizeof(r->request_id));
	text_add_escaped(&t, q.id, strlen(q.id));
}

/* The wall clock as the log shows it: time(2) may lag by a tick. */
static time_t now_s(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec;
}

void report_make(struct report *r, const struct child *c, const struct end *e)
{
	const unsigned loop = loop_in_question(c, e->status);
	struct ipc_counters sum;
	struct text t;
	*r = (struct report){.cause = cause_of(e),
			     .role = c->role,
			     .number = c->number,
			     .loop = loop,
			     .loops = c->loops,
			     .restarts = c->port->restarts,
			     .uptime_ms = c->port->master->loop.now_ms - c->started_ms,
			     .signal = cause_signal(e),
			     .exit_status = WIFEXITED(e->status) ? WEXITSTATUS(e->status) : 0,
			     .when = now_s()};
	child_counters(c, &sum);
	text_init(&t, r->text, sizeof(r->text));
	text_addf(&t, "%s %u (pid %d) ", role_name(c), c->number, (int)c->pid);
	cause_describe(e, &t);
	life_describe(&t, c, &sum);
	if (loop > 0 && is_worker(c))
		request_describe(r, &c->view, loop - 1);
	if (e->crash.signal != 0) {
		text_init(&t, r->backtrace, sizeof(r->backtrace));
		trace_backtrace(&c->view, &e->crash, &t);
	}
}

/* --- the record ------------------------------------------------------------------------------ */

#define FIELDS_MAX    16
#define FIELD_NUMBERS 8

struct fields {
	struct log_field list[FIELDS_MAX];
	size_t count;
	char numbers[FIELD_NUMBERS][NUM_TEXT_MAX];
	size_t numbers_count;
};

static void field_add(struct fields *f, const char *name, const char *label, const char *value)
{
	if (value[0] != '\0')
		f->list[f->count++] =
		    (struct log_field){.name = name, .label = label, .value = value};
}

static void add_number(struct fields *f, const char *name, uint64_t number)
{
	char *room = f->numbers[f->numbers_count++];
	(void)snprintf(room, NUM_TEXT_MAX, "%llu", (unsigned long long)number);
	field_add(f, name, NULL, room);
}

void report_log(const struct report *r, const struct child *c, int priority, const char *sequel)
{
	struct fields f = {.count = 0};
	char child[32], signal_name[16] = "", client[sizeof(r->client) + 16] = "",
			text[sizeof(r->text) + 64];
	const char *abbreviation = sigabbrev_np(r->signal);
	if (abbreviation != NULL)
		(void)snprintf(signal_name, sizeof(signal_name), "SIG%s", abbreviation);
	if (r->client[0] != '\0')
		(void)snprintf(client, sizeof(client), "('%s', %u)", r->client, r->client_port);
	(void)snprintf(text, sizeof(text), "%s%s", r->text, sequel);

	(void)snprintf(child, sizeof(child), "%s %u", role_name(c), c->number);
	field_add(&f, "BULKHEAD_CAUSE", NULL, cause_name(r->cause));
	field_add(&f, "BULKHEAD_CHILD", NULL, child);
	field_add(&f, "BULKHEAD_SIGNAL", NULL, signal_name);
	if (r->signal == 0)
		add_number(&f, "BULKHEAD_EXIT_STATUS", (unsigned)r->exit_status);
	add_number(&f, "BULKHEAD_PID", (unsigned)c->pid);
	add_number(&f, "BULKHEAD_RESTARTS", r->restarts);
	add_number(&f, "BULKHEAD_UPTIME_SEC", r->uptime_ms / 1000);
	if (r->loops > 1 && r->loop > 0)
		add_number(&f, "BULKHEAD_THREAD", r->loop);
	field_add(&f, "BULKHEAD_REQUEST", "request", r->request);
	field_add(&f, "BULKHEAD_REQUEST_ID", NULL, r->request_id);
	field_add(&f, "BULKHEAD_CLIENT", NULL, r->client);
	field_add(&f, NULL, "client", client);
	field_add(&f, "BULKHEAD_BACKTRACE", "backtrace", r->backtrace);
	const struct log_event event = {
	    .priority = priority,
	    .port = port_number(c->port),
	    .worker = is_worker(c) ? c->number : 0,
	    .message_id = r->cause == CAUSE_DRAINED ? MESSAGE_ID_ENDED : MESSAGE_ID_CRASHED,
	    .text = text,
	    .fields = f.list,
	    .fields_count = f.count};
	log_event(&c->port->master->log, &event);
}

void report_keep(struct port *p, const struct report *r)
{
	struct report **place = &p->reports[p->reports_next % PORT_REPORTS];
	if (*place == NULL)
		*place = malloc(sizeof(**place));
	if (*place == NULL)
		return;
	**place = *r;
	p->reports_next++;
}

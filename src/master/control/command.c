/*
 * Runs in the master: carries out, or begins, what a client of the control socket asks for. Must
 * never wait for the end of an order: the client gets its answer then.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/syslog.h>

#include "master/control/control.h"

/* The answer must arrive however much has changed: beyond a certain size, texts are left out. */
#define TEXTS_MAX ((size_t)4 << 20)

static void texts_add(struct jsonout *j, const char *now, const char *wanted, size_t *left)
{
	const size_t len = now != NULL ? strlen(now) + strlen(wanted) : 0;
	const bool fits = now != NULL && len <= *left;
	jsonout_text(j, "now", fits ? now : NULL);
	jsonout_text(j, "wanted", fits ? wanted : NULL);
	*left -= fits ? len : 0;
}

static void lines_add(struct jsonout *j, const char *name, const char *lines)
{
	char line[PATH_MAX];
	jsonout_open(j, name, '[');
	while (lines != NULL && *lines != '\0') {
		const size_t len = strcspn(lines, "\n");
		(void)snprintf(line, sizeof(line), "%.*s", (int)len, lines);
		jsonout_text(j, NULL, line);
		lines += len + (lines[len] == '\n');
	}
	jsonout_close(j, ']');
}

/* Adds each row of the plan of a reload, also of a failed one; then the differences outside
 * ports. */
static void plan_add(struct jsonout *j, const struct plan *plan)
{
	size_t left = TEXTS_MAX;
	jsonout_open(j, "plan", '[');
	for (size_t i = 0; plan != NULL && i < plan->count; i++) {
		const struct plan_row *row = &plan->rows[i];
		jsonout_open(j, NULL, '{');
		jsonout_uint(j, "port", row->port);
		jsonout_text(j, "action", plan_action_name(row->action));
		jsonout_text(j, "why", row->why);
		texts_add(j, row->now, row->wanted, &left);
		lines_add(j, "files", row->action == PLAN_CHANGE ? row->files : NULL);
		jsonout_close(j, '}');
	}
	jsonout_close(j, ']');
	jsonout_open(j, "common", '{');
	texts_add(j, plan != NULL ? plan->now : NULL, plan != NULL ? plan->wanted : NULL, &left);
	jsonout_close(j, '}');
}

static void told(struct asker *asker, const char *error)
{
	struct client *c = (struct client *)((char *)asker - offsetof(struct client, asker));
	struct jsonout j;
	client_answer(c, &j, error);
	if (c->verb == CONTROL_RELOAD)
		plan_add(&j, master_plan(c->control->master));
	client_answered(c, &j);
}

void command_abandon(struct client *c)
{
	asker_forget(c->control->master, &c->asker);
	client_tell(c, "the server has ended before that");
}

/* Keeps some places free for clients that only ask for the status. */
static bool too_many_wait(const struct client *c)
{
	unsigned waiting = 0;
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		waiting += c->control->clients[i].state == CLIENT_WAITING &&
			   c->control->clients[i].io.fd >= 0;
	return waiting >= CONTROL_CLIENTS_MAX * 3 / 4;
}

/* Makes the client wait for the end of its order: until then its socket is not read, and it costs
 * no time. */
static struct asker *wait(struct client *c, enum control_verb verb)
{
	struct loop *loop = &c->control->master->loop;
	c->asker = (struct asker){.told = told};
	c->verb = verb;
	c->state = CLIENT_WAITING;
	loop_timer_cancel(loop, &c->deadline);
	(void)loop_modify(loop, &c->io, 0); /* needs no memory, epoll_ctl(2) */
	return &c->asker;
}

static void say(const struct client *c, const struct control_request *request)
{
	struct log *log = &c->control->master->log;
	const char *verb = control_verb_name(request->verb);
	char level[32];
	if (request->verb == CONTROL_UPSTREAM) {
		log_write_for(log, request->port, 0, LOG_NOTICE,
			      "control: upstream %s %s, asked for by user %u", request->upstream,
			      control_order_name(request->order), (unsigned)c->uid);
		return;
	}
	if (request->verb == CONTROL_LOG)
		(void)snprintf(level, sizeof(level), " level %s",
			       control_level_name(request->level));
	if (request->port != 0)
		log_write_for(log, request->port, 0, LOG_NOTICE,
			      "control: %s, asked for by user %u", verb, (unsigned)c->uid);
	else
		log_write(log, LOG_NOTICE, "control: %s%s%s, asked for by user %u", verb,
			  request->dry_run ? " (dry run)" : "",
			  request->verb == CONTROL_LOG ? level : "", (unsigned)c->uid);
}

static void status_tell(struct client *c, const struct port *p)
{
	struct jsonout j;
	client_answer(c, &j, NULL);
	status_add(&j, c->control, p);
	client_answered(c, &j);
}

static void crashes_tell(struct client *c, const struct port *p)
{
	struct jsonout j;
	client_answer(c, &j, NULL);
	crashes_add(&j, c->control->master, p);
	client_answered(c, &j);
}

static void level_set(struct client *c, int level)
{
	struct jsonout j;
	master_log_level(c->control->master, level);
	client_answer(c, &j, NULL);
	jsonout_text(&j, "log_level", control_level_name(level));
	client_answered(c, &j);
}

static void upstream_order(struct client *c, struct port *p, const struct control_request *request)
{
	static const enum ipc_health_order orders[CONTROL_ORDERS] = {
	    [CONTROL_ORDER_UP] = IPC_ORDER_NONE,
	    [CONTROL_ORDER_DRAIN] = IPC_ORDER_DRAIN,
	    [CONTROL_ORDER_DOWN] = IPC_ORDER_DOWN};
	char sentence[CONTROL_UPSTREAM_MAX + 64];
	struct jsonout j;
	const unsigned count = port_order_upstream(p, request->upstream, orders[request->order]);
	if (count == 0) {
		(void)snprintf(sentence, sizeof(sentence),
			       "port %u has no upstream or endpoint \"%s\"", request->port,
			       request->upstream);
		client_tell(c, sentence);
		return;
	}
	client_answer(c, &j, NULL);
	jsonout_uint(&j, "endpoints", count);
	client_answered(c, &j);
}

/* The answer is sent first: the drain, which can close the connection, follows the turn. */
static void drain(struct client *c)
{
	struct master *m = c->control->master;
	c->holds = true;
	client_tell(c, NULL);
	if (m->stop_for == NULL)
		m->stop_for = "control";
}

static bool changes_something(enum control_verb verb)
{
	return verb != CONTROL_STATUS && verb != CONTROL_CRASHES;
}

void command_run(struct client *c, const struct control_request *request)
{
	struct master *m = c->control->master;
	struct port *p = request->port != 0 ? port_find(m, request->port) : NULL;
	char sentence[64];
	if (request->port != 0 && p == NULL) {
		(void)snprintf(sentence, sizeof(sentence), "there is no port %u", request->port);
		client_tell(c, sentence);
		return;
	}
	if (changes_something(request->verb)) {
		if (m->draining && request->verb != CONTROL_DRAIN && request->verb != CONTROL_LOG) {
			client_tell(c, "the server is stopping");
			return;
		}
		if (request->verb != CONTROL_DRAIN && request->verb != CONTROL_LOG &&
		    too_many_wait(c)) {
			client_tell(c, "too many wait for something already");
			return;
		}
		say(c, request);
	}
	switch (request->verb) {
	case CONTROL_STATUS:
		status_tell(c, p);
		break;
	case CONTROL_CRASHES:
		crashes_tell(c, p);
		break;
	case CONTROL_RELOAD:
		master_reload(m, request->dry_run, wait(c, request->verb));
		break;
	case CONTROL_STOP:
		port_stop(p, wait(c, request->verb));
		break;
	case CONTROL_START:
		port_start(p, wait(c, request->verb));
		break;
	case CONTROL_RESTART:
		port_restart(p, wait(c, request->verb));
		break;
	case CONTROL_DRAIN:
		drain(c);
		break;
	case CONTROL_UPGRADE:
		master_upgrade(m, wait(c, request->verb));
		break;
	case CONTROL_LOG:
		level_set(c, request->level);
		break;
	case CONTROL_UPSTREAM:
		upstream_order(c, p, request);
		break;
	case CONTROL_VERBS:
		break;
	}
}

/*
 * Runs in the master: the next version of this program takes over in this process.
 *
 *   (none) ──asked for──> CHECKING ──it says yes──> execve(2) ──> adopt.c; each port rolls to it
 *      ^                      │                         │
 *      │        says no, dies, takes too long           │ fails
 *      └──────────────────────┴─────────────────────────┘
 *
 * The check is the new program itself, run beside this one on the running configuration and on the
 * real state (bulkhead -t --adopt). Nothing changes until it says yes, and the program that is
 * executed is the one that was checked.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syslog.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/text.h"
#include "master/upgrade/handed.h"
#include "master/upgrade/upgrade.h"

#define CHECK_TIMEOUT_MS 30000
#define OUTPUT_READS     256 /* more than a full pipe */

static void failed(struct master *m, const char *why)
{
	struct upgrade *u = &m->upgrade;
	struct text t;
	text_init(&t, u->failed, sizeof(u->failed));
	text_add_str(&t, why);
	fd_close(&u->program_fd);
	log_write(&m->log, LOG_ERR, "upgrade failed: %s; nothing has changed", why);
	askers_tell(&u->askers, u->failed);
	m->changed = true;
}

/* --- descriptors that stay open --------------------------------------------------------------- */

static void kept_mark(const struct kept *k, int flags)
{
	for (size_t i = 0; i < k->count; i++)
		(void)fcntl(k->fds[i], F_SETFD, flags);
}

/* --- the check ------------------------------------------------------------------------------- */

/* In the child. It gets the arguments that the new version will get, so that it can refuse them,
 * and of the kept descriptors only the configurations. It ignores signals from the terminal or from
 * pkill(1), which are meant for the master. */
static void __attribute__((noreturn))
check_exec(const struct master *m, int output_fd, int state_fd, const struct kept *k)
{
	static const int meant_for_the_master[] = {SIGHUP, SIGINT, SIGUSR1, SIGUSR2};
	char number[16], test[] = "-t", adopt[] = "--adopt";
	const struct master_options *o = m->options;
	const struct kept configurations = {.fds = k->fds, .count = k->made};
	sigset_t none;
	(void)snprintf(number, sizeof(number), "%d", state_fd);
	o->arguments[o->arguments_count] = test;
	o->arguments[o->arguments_count + 1] = adopt;
	o->arguments[o->arguments_count + 2] = number;
	o->arguments[o->arguments_count + 3] = NULL;
	for (size_t i = 0; i < sizeof(meant_for_the_master) / sizeof(meant_for_the_master[0]); i++)
		(void)signal(meant_for_the_master[i], SIG_IGN);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(m->null_fd, STDIN_FILENO) < 0 || dup2(output_fd, STDOUT_FILENO) < 0 ||
	    dup2(output_fd, STDERR_FILENO) < 0 || fcntl(state_fd, F_SETFD, 0) < 0)
		_exit(EX_OSERR);
	kept_mark(&configurations, 0);
	(void)execveat(m->upgrade.program_fd, "", o->arguments, environ, AT_EMPTY_PATH);
	dprintf(STDERR_FILENO, "it cannot be executed: %s\n",
		errno == ENOENT ? "it is a script, or its interpreter is missing"
				: strerrordesc_np(errno));
	_exit(EX_OSERR);
}

/* Its first character occurs in it once. */
static void consent_seek(struct upgrade *u, const char *data, size_t len)
{
	static const char consent[] = MASTER_CONSENT;
	for (size_t i = 0; i < len && consent[u->consented] != '\0'; i++) {
		if (data[i] != consent[u->consented])
			u->consented = 0;
		u->consented += data[i] == consent[u->consented];
	}
}

/* The beginning is kept, as the reason if it refuses; the consent may come after any amount of
 * warnings. */
static void output_ready(struct loop *loop, struct loop_io *io, uint32_t events)
{
	struct upgrade *u = (struct upgrade *)((char *)io - offsetof(struct upgrade, output));
	char data[512];
	const size_t room = sizeof(u->said) - 1 - u->said_len;
	ssize_t n = read(io->fd, data, sizeof(data));
	(void)events;
	if (n > 0) {
		const size_t kept = (size_t)n < room ? (size_t)n : room;
		memcpy(u->said + u->said_len, data, kept);
		u->said_len += kept;
		consent_seek(u, data, (size_t)n);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		loop_remove_and_close(loop, io);
	}
}

/* Once it was reaped, its number may be another process's. */
static void check_kill(const struct upgrade *u)
{
	if (!u->checked)
		(void)kill(u->checking, SIGKILL);
}

static void limit_expired(struct loop *loop, struct loop_timer *timer)
{
	struct upgrade *u = (struct upgrade *)((char *)timer - offsetof(struct upgrade, limit));
	(void)loop;
	if (u->checked) /* only children that begin have been waited for */
		return;
	u->late = "its check did not end in time";
	check_kill(u);
}

int upgrade_start(struct master *m)
{
	m->upgrade.output = (struct loop_io){.fd = -1, .ready = output_ready};
	m->upgrade.program_fd = -1;
	return loop_timer_init(&m->loop, &m->upgrade.limit, limit_expired);
}

static int check_start(struct master *m)
{
	struct upgrade *u = &m->upgrade;
	struct kept kept = {.count = 0};
	int output[2] = {-1, -1}, state_fd = state_save(m, &kept), error = 0;
	if (state_fd < 0)
		error = state_fd;
	else if (pipe2(output, O_CLOEXEC) < 0 || fcntl(output[0], F_SETFL, O_NONBLOCK) < 0)
		error = -errno;
	pid_t pid = error == 0 ? fork() : -1;
	if (error == 0 && pid < 0)
		error = -errno;
	if (pid == 0)
		check_exec(m, output[1], state_fd, &kept);
	if (pid > 0) {
		u->checking = pid;
		u->late = NULL;
		u->said_len = 0;
		u->consented = 0;
		u->output.fd = output[0];
		output[0] = -1;
		if (loop_add(&m->loop, &u->output, EPOLLIN) < 0)
			fd_close(&u->output.fd);
		loop_timer_set(&m->loop, &u->limit, m->loop.now_ms + CHECK_TIMEOUT_MS);
	}
	fd_close(&output[0]);
	fd_close(&output[1]);
	kept_release(&kept, state_fd);
	return error;
}

void master_upgrade(struct master *m, struct asker *a)
{
	askers_add(&m->upgrade.wanting, a);
	m->upgrade.wanted = true;
}

bool upgrade_next(struct master *m)
{
	struct upgrade *u = &m->upgrade;
	char why[512];
	if (!u->wanted || upgrade_under_way(m))
		return false;
	u->wanted = false;
	u->askers = u->wanting;
	u->wanting = NULL;
	u->failed[0] = '\0';
	if (m->options->program == NULL || m->options->child_option != NULL) {
		failed(m, "the path of this program is unknown");
		return true;
	}
	log_write(&m->log, LOG_NOTICE, "upgrade: asking %s", m->options->program);
	u->program_fd = open(m->options->program, O_PATH | O_CLOEXEC);
	int error = u->program_fd < 0 ? -errno : check_start(m);
	if (error < 0) {
		(void)snprintf(why, sizeof(why), "%s: %s", m->options->program, strerror(-error));
		failed(m, why);
	}
	m->changed = true;
	return true;
}

void upgrade_give_up(struct master *m)
{
	if (!upgrade_under_way(m))
		return;
	m->upgrade.late = "the server is stopping";
	check_kill(&m->upgrade);
}

/* --- replacing the program -------------------------------------------------------------------- */

/* true: restores the signal dispositions of the start, for the next version; false: sets this
 * version's again. */
static void signals_hand_over(const struct master *m, bool as_at_the_start)
{
	if (m->hangup_ignored)
		(void)signal(SIGHUP, as_at_the_start ? SIG_IGN : SIG_DFL);
}

/* A stream in memory does not report every byte that did not fit; after the execve(2) it would be
 * too late to find out. */
static bool is_whole(struct master *m, int state_fd)
{
	struct conf *conf = NULL;
	struct err err;
	if (master_check_state(state_fd, m->options->threads_built, &conf, &err) < 0) {
		log_write(&m->log, LOG_ERR, "upgrade: the state is incomplete: %s", err.text);
		return false;
	}
	conf_free(conf);
	return true;
}

/* Returns only if it fails: then this is still the same program, with its whole state. */
static int become(struct master *m)
{
	const struct master_options *o = m->options;
	struct kept kept = {.count = 0};
	char number[16], adopt[] = "--adopt";
	handing_give_up(m);
	int state_fd = state_save(m, &kept);
	if (state_fd < 0) {
		kept_release(&kept, state_fd);
		return state_fd;
	}
	if (!is_whole(m, state_fd)) {
		kept_release(&kept, state_fd);
		return -ENOMEM;
	}
	(void)snprintf(number, sizeof(number), "%d", state_fd);
	o->arguments[o->arguments_count] = adopt;
	o->arguments[o->arguments_count + 1] = number;
	o->arguments[o->arguments_count + 2] = NULL;
	kept_mark(&kept, 0);
	(void)fcntl(state_fd, F_SETFD, 0);
	signals_hand_over(m, true);
	(void)execveat(m->upgrade.program_fd, "", o->arguments, environ, AT_EMPTY_PATH);
	int error = -errno;
	signals_hand_over(m, false);
	kept_mark(&kept, FD_CLOEXEC);
	o->arguments[o->arguments_count] = NULL;
	kept_release(&kept, state_fd);
	return error;
}

/* The first line of the check's output, escaped. */
static void describe(const struct upgrade *u, int status, struct text *t)
{
	char said[sizeof(u->said)];
	size_t len = 0;
	while (len < u->said_len && u->said[len] != '\n')
		len++;
	memcpy(said, u->said, len);
	if (u->late != NULL)
		text_add_str(t, u->late);
	else if (WIFSIGNALED(status))
		text_addf(t, "the new program was ended by signal %d (%s)", WTERMSIG(status),
			  strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) == 0)
		text_add_str(t, "the new program did not confirm that it goes on from this state");
	else
		text_addf(t, "the new program refuses with status %d", WEXITSTATUS(status));
	if (len > 0) {
		text_add_str(t, ": ");
		text_add_escaped(t, said, len);
	}
}

/* Reads what is left of the check's output. It has ended, so that is no more than a pipe holds. */
static void output_finish(struct master *m)
{
	struct upgrade *u = &m->upgrade;
	int left = 1;
	for (unsigned i = 0; i < OUTPUT_READS && u->output.fd >= 0 && left > 0; i++) {
		if (ioctl(u->output.fd, FIONREAD, &left) < 0)
			break;
		output_ready(&m->loop, &u->output, EPOLLIN);
	}
	loop_remove_and_close(&m->loop, &u->output);
	u->said[u->said_len] = '\0';
}

static bool is_consented(const struct upgrade *u)
{
	return u->late == NULL && WIFEXITED(u->status) && WEXITSTATUS(u->status) == 0 &&
	       u->consented == sizeof(MASTER_CONSENT) - 1;
}

void upgrade_look(struct master *m)
{
	struct upgrade *u = &m->upgrade;
	char why[sizeof(u->said) * 2];
	struct text t;
	if (!u->checked)
		return;
	output_finish(m);
	const bool consented = is_consented(u);
	/* The next version cannot hand a child the rest, so it waits, but not beyond the limit. */
	if (consented && handing_is_under_way(m) && loop_timer_is_set(&u->limit))
		return;
	loop_timer_cancel(&m->loop, &u->limit);
	u->checking = 0;
	u->checked = false;
	text_init(&t, why, sizeof(why));
	if (consented) {
		int error = become(m);
		text_addf(&t, "the new program cannot be executed: %s", strerror(-error));
	} else {
		describe(u, u->status, &t);
	}
	failed(m, why);
}

/* In the new version: have all ports followed? The sender of the order has asked the earlier
 * version. */
void upgrade_continue(struct master *m)
{
	struct upgrade *u = &m->upgrade;
	unsigned former = 0;
	if (!u->rolling || m->roll.under_way)
		return;
	for (size_t i = 0; i < m->ports_count; i++) {
		const struct port *p = m->ports[i];
		if (p->stage != STAGE_CURRENT || !p->former)
			continue;
		if (p->order != ORDER_NONE)
			return;
		former++;
	}
	u->rolling = false;
	if (former > 0)
		(void)snprintf(u->failed, sizeof(u->failed),
			       "%u port%s could not follow, and %s served by the earlier version",
			       former, former == 1 ? "" : "s", former == 1 ? "is" : "are");
	if (former > 0)
		log_write(&m->log, LOG_ERR, "upgraded from %s to %s, but %s", m->former,
			  BULKHEAD_VERSION, u->failed);
	else
		log_write(&m->log, LOG_NOTICE, "upgraded from %s to %s: all ports have followed",
			  m->former, BULKHEAD_VERSION);
	m->changed = true;
}

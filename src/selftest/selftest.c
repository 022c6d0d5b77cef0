/*
 * Runs in the process that a user starts with `bulkhead selftest`: makes two rounds of attempts,
 * each with its own master, and reports the results. Must never leave a process or a file behind,
 * nor touch the keys and ports of the configuration.
 */
#include "selftest/selftest.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "attempts.h"
#include "bench.h"
#include "judge.h"
#include "report.h"
#include "stage.h"
#include "state.h"

struct selftest {
	const struct conf *conf;
	const struct selftest_options *options;
	struct stage stage;
	struct bench bench;
	struct report report;
	enum attempt_round round;
	unsigned from; /* the port from inside which the attempts are made: PORT_A, PORT_PLAIN */
	bool by_root;
	unsigned landlock; /* the kernel's version; 0: none */
};

static const char *const round_names[ROUNDS] = {"", "without its own list of system calls"};

bool selftest_without_parse(const char *name, enum selftest_without *ret)
{
	static const char *const names[] = {"",       "seccomp",   "landlock", "user",
					    "chroot", "keyholder", "verifier", "mounts"};
	for (unsigned i = 1; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0) {
			*ret = (enum selftest_without)i;
			return true;
		}
	return false;
}

static unsigned layers_left_out(const struct selftest *s)
{
	unsigned bits = s->round == ROUND_ASIDE ? 1u << SANDBOX_SECCOMP : 0;
	switch (s->options->without) {
	case SELFTEST_WITHOUT_SECCOMP:
		return bits | 1u << SANDBOX_SECCOMP;
	case SELFTEST_WITHOUT_LANDLOCK:
		return bits | 1u << SANDBOX_LANDLOCK;
	case SELFTEST_WITHOUT_USER:
		return bits | 1u << SANDBOX_USER;
	case SELFTEST_WITHOUT_CHROOT:
		return bits | 1u << SANDBOX_CHROOT;
	case SELFTEST_WITHOUT_NOTHING:
	case SELFTEST_WITHOUT_KEYHOLDER:
	case SELFTEST_WITHOUT_VERIFIER:
	case SELFTEST_WITHOUT_MOUNTS:
		break;
	}
	return bits;
}

static unsigned secrets_kept(const struct selftest *s)
{
	if (s->options->without == SELFTEST_WITHOUT_KEYHOLDER)
		return AGENT_KEPT_KEY;
	return s->options->without == SELFTEST_WITHOUT_VERIFIER ? AGENT_KEPT_PASSWORDS : 0;
}

/* --- one attempt ----------------------------------------------------------------------------- */

static const struct stage_port *stage_from(const struct selftest *s)
{
	return &s->stage.ports[s->from];
}

static const char *process_name(const struct selftest *s, enum ipc_role role)
{
	if (role == IPC_CONNECTOR && s->from == PORT_B)
		return "connector to a Unix socket";
	if (role != IPC_WORKER)
		return ipc_role_name(role);
	return stage_from(s)->plain ? "plain worker" : "worker";
}

static unsigned role_bit(const struct selftest *s, enum ipc_role role)
{
	static const unsigned bits[IPC_ROLES] = {[IPC_KEYHOLDER] = ROLE_KEYHOLDER,
						 [IPC_VERIFIER] = ROLE_VERIFIER,
						 [IPC_CONNECTOR] = ROLE_CONNECTOR,
						 [IPC_RESOLVER] = ROLE_RESOLVER};
	if (role == IPC_CONNECTOR && s->from == PORT_B)
		return ROLE_LOCAL;
	if (role != IPC_WORKER)
		return bits[role];
	return stage_from(s)->plain ? ROLE_PLAIN : ROLE_WORKER;
}

static struct peer *peer_get(struct selftest *s, enum ipc_role role, unsigned which)
{
	return bench_peer(&s->bench, role, s->stage.ports[which].number);
}

/* False: the target process is not there. */
static bool target_fill(struct selftest *s, enum attempt_target target, struct order *o)
{
	const struct peer *p = NULL;
	switch (target) {
	case TARGET_NONE:
		return true;
	case TARGET_MASTER:
		o->pid = s->bench.master;
		return true;
	case TARGET_OTHER_WORKER:
		p = peer_get(s, IPC_WORKER, PORT_B);
		break;
	case TARGET_OTHER_KEYHOLDER:
		p = peer_get(s, IPC_KEYHOLDER, PORT_B);
		break;
	case TARGET_OTHER_VERIFIER:
		p = peer_get(s, IPC_VERIFIER, PORT_B);
		break;
	case TARGET_KEYHOLDER:
		p = peer_get(s, IPC_KEYHOLDER, s->from);
		break;
	case TARGET_VERIFIER:
		p = peer_get(s, IPC_VERIFIER, s->from);
		break;
	}
	if (p == NULL)
		return false;
	o->pid = p->hello.pid;
	o->address = p->hello.counters;
	return true;
}

static void path_fill(const struct selftest *s, enum attempt_path path, struct order *o)
{
	const struct stage *stage = &s->stage;
	const char *text = "";
	switch (path) {
	case PATH_PASSWD:
		text = "/etc/passwd";
		break;
	case PATH_OWN_KEY:
		text = stage->ports[PORT_A].key_path;
		break;
	case PATH_OTHER_KEY:
		text = stage->ports[PORT_B].key_path;
		break;
	case PATH_OWN_PASSWORDS:
		text = stage_from(s)->passwords_path;
		break;
	case PATH_OTHER_PASSWORDS:
		text = stage->ports[PORT_B].passwords_path;
		break;
	case PATH_PASSWORD:
		text = stage_from(s)->password;
		break;
	case PATH_NEW:
		text = stage->new_path;
		break;
	case PATH_SOCKET:
		text = stage->socket_path;
		break;
	case PATH_ABSTRACT:
		text = s->bench.abstract_name;
		break;
	case PATH_DATAGRAM:
		text = stage->target_path;
		break;
	case PATH_LOCAL:
		text = stage->local.paths[TARGETS_OTHER];
		break;
	case PATH_NONE:
	case PATH_ROOT:
	case PATH_HASH:
	case PATH_UPSTREAM:
	case PATH_TARGET_MEMORY:
		break;
	}
	if (path == PATH_TARGET_MEMORY)
		(void)snprintf(o->path, sizeof(o->path), "/proc/%d/mem", (int)o->pid);
	else
		(void)snprintf(o->path, sizeof(o->path), "%s", text);
}

/* Without an empty root, nothing refuses what only the root would refuse. */
static const struct expectation *expectation_of(const struct selftest *s, const struct attempt *a)
{
	const struct expectation *by_root = &a->expect[s->round][BY_ROOT];
	const bool is_the_roots = by_root->errors[0] == ENOENT;
	if (!s->by_root || (is_the_roots && stage_from(s)->chroot_off))
		return &a->expect[s->round][BY_USER];
	return by_root;
}

static enum sandbox_role sandbox_role_of(enum ipc_role role)
{
	static const enum sandbox_role roles[IPC_ROLES] = {[IPC_WORKER] = SANDBOX_WORKER,
							   [IPC_KEYHOLDER] = SANDBOX_KEYHOLDER,
							   [IPC_VERIFIER] = SANDBOX_VERIFIER,
							   [IPC_CONNECTOR] = SANDBOX_CONNECTOR,
							   [IPC_RESOLVER] = SANDBOX_RESOLVER};
	return roles[role];
}

static const struct needles *needles_of(const struct selftest *s, const struct attempt *a)
{
	return a->path == PATH_HASH ? &stage_from(s)->hash : &s->stage.needles;
}

/* Of a process without document roots only its list of system calls can be tried. */
static bool is_about_nothing(const struct selftest *s, enum ipc_role role, const struct attempt *a)
{
	const unsigned needs = stage_from(s)->needs[role];
	return a->path == PATH_ROOT && (needs & SANDBOX_FILES) == 0 &&
	       (s->round == ROUND_ASIDE || a->expect[s->round][0].kind == EXPECT_READ);
}

/* A layer that was left out is missed, not excused. */
static bool is_mounted(const struct selftest *s, const struct peer *p)
{
	return s->options->without == SELFTEST_WITHOUT_MOUNTS ||
	       (p != NULL && p->hello.level.roots > 0 && p->hello.level.roots_error == 0);
}

/* Because of the folder in which this selftest works. */
static bool cannot_be_reached(const struct selftest *s, const struct attempt *a, struct row *row)
{
	if (a->path != PATH_LOCAL || !s->by_root || s->stage.local.reachable)
		return false;
	(void)snprintf(row->result, sizeof(row->result),
		       "other users cannot enter the temporary folder");
	row->verdict = VERDICT_UNTESTED;
	return true;
}

static void attempt_make(struct selftest *s, enum ipc_role role, const struct attempt *a)
{
	struct expectation expected = *expectation_of(s, a), *e = &expected;
	const struct needles *needles = needles_of(s, a);
	struct order o = {.attempt = (uint32_t)(a - attempts),
			  .port = s->stage.ports[PORT_B].number,
			  .needles_count = (uint32_t)needles->count};
	struct row row = {
	    .process = process_name(s, role), .round = round_names[s->round], .attempt = a->name};
	struct trial trial = {.end = TRIAL_SILENT};
	if (e->kind == EXPECT_NO_ROW || is_about_nothing(s, role, a))
		return;
	if (s->round == ROUND_WHOLE)
		attempt_adapt(e, sandbox_role_of(role), stage_from(s)->needs[role]);
	struct peer *p = peer_get(s, role, s->from);
	if (!cannot_be_reached(s, a, &row) &&
	    !judge_beforehand(e, s->landlock, is_mounted(s, p), &row)) {
		bool ready = p != NULL && target_fill(s, a->target, &o);
		path_fill(s, a->path, &o);
		memcpy(o.needles, needles->list, sizeof(o.needles));
		if (ready)
			bench_try(&s->bench, p, &o, &trial);
		judge(e, &trial, &row);
	}
	report_add(&s->report, &row);
}

/* Is there what it aims at? Without TLS no port has a key or a keyholder. */
static bool has_aim(const struct selftest *s, const struct attempt *a)
{
	if (a->target == TARGET_OTHER_KEYHOLDER || a->path == PATH_OTHER_KEY)
		return !s->stage.ports[PORT_B].plain;
	if (a->target == TARGET_KEYHOLDER || a->path == PATH_OWN_KEY)
		return !stage_from(s)->plain;
	if (a->path == PATH_UPSTREAM)
		return stage_from(s)->proxies;
	return a->try != try_scan || needles_of(s, a)->count > 0;
}

static void attempts_make(struct selftest *s, enum ipc_role role)
{
	const unsigned bit = role_bit(s, role);
	for (size_t i = 0; i < attempts_count && s->bench.interrupted == 0; i++)
		if ((attempts[i].roles & bit) != 0 && has_aim(s, &attempts[i]))
			attempt_make(s, role, &attempts[i]);
}

/* --- a round --------------------------------------------------------------------------------- */

static void master_examine(struct selftest *s)
{
	const struct state_view v = {
	    .port = stage_from(s), .process = "master", .pid = s->bench.master};
	if (s->stage.needles.count > 0)
		state_search(&v, STATE_KEY, &s->stage.needles, false, &s->report);
	state_search(&v, STATE_HASH, &stage_from(s)->hash, false, &s->report);
}

static void child_examine(struct selftest *s, enum ipc_role role)
{
	const struct peer *p = peer_get(s, role, s->from);
	const struct state_view v = {.port = stage_from(s),
				     .process = process_name(s, role),
				     .pid = p == NULL ? 0 : p->hello.pid,
				     .site_path = s->stage.site_path,
				     .role = role,
				     .by_root = s->by_root};
	state_examine(&v, &s->report);
	if (s->stage.needles.count > 0)
		state_search(&v, STATE_KEY, &s->stage.needles, role == IPC_KEYHOLDER, &s->report);
	state_search(&v, STATE_HASH, &stage_from(s)->hash, role == IPC_VERIFIER, &s->report);
}

static void child_try(struct selftest *s, enum ipc_role role)
{
	if (s->round == ROUND_WHOLE)
		child_examine(s, role);
	attempts_make(s, role);
}

/* The holder must still be the same process, whatever the workers sent. */
static void holder_check(struct selftest *s, enum ipc_role role, pid_t pid)
{
	static const char *const attempt_names[IPC_ROLES] = {
	    [IPC_KEYHOLDER] = "the keyholder is still the same process",
	    [IPC_VERIFIER] = "the verifier is still the same process",
	    [IPC_CONNECTOR] = "the connector is still the same process"};
	struct row row = {.process = process_name(s, IPC_WORKER),
			  .round = round_names[s->round],
			  .attempt = attempt_names[role]};
	const bool lives = bench_lives(&s->bench, pid);
	(void)snprintf(row.expected, sizeof(row.expected), "pid %d", (int)pid);
	(void)snprintf(row.result, sizeof(row.result), lives ? "pid %d" : "it has ended", (int)pid);
	row.verdict = lives ? VERDICT_PASS : VERDICT_FAIL;
	report_add(&s->report, &row);
}

static pid_t holder_pid(struct selftest *s, enum ipc_role role)
{
	const struct peer *holder = peer_get(s, role, s->from);
	return holder == NULL ? 0 : holder->hello.pid;
}

/* Tries the holders' attempts first, because the worker's must not end them. A verifier, connector
 * or resolver is the same on ports with and without TLS. */
static void port_try(struct selftest *s)
{
	const bool has_keyholder = !stage_from(s)->plain;
	if (has_keyholder)
		child_try(s, IPC_KEYHOLDER);
	if (s->from == PORT_A) {
		child_try(s, IPC_VERIFIER);
		child_try(s, IPC_CONNECTOR);
		child_try(s, IPC_RESOLVER);
	}
	const pid_t keyholder = has_keyholder ? holder_pid(s, IPC_KEYHOLDER) : 0;
	const pid_t verifier = holder_pid(s, IPC_VERIFIER);
	const pid_t connector = stage_from(s)->proxies ? holder_pid(s, IPC_CONNECTOR) : 0;
	child_try(s, IPC_WORKER);
	if (stage_from(s)->proxies)
		holder_check(s, IPC_CONNECTOR, connector);
	if (has_keyholder)
		holder_check(s, IPC_KEYHOLDER, keyholder);
	holder_check(s, IPC_VERIFIER, verifier);
}

/* Port B has a Unix socket among its upstreams, so its connector is another one than that of A. */
static void from_try(struct selftest *s)
{
	if (s->from == PORT_B)
		attempts_make(s, IPC_CONNECTOR);
	else if (stage_from(s)->number != 0)
		port_try(s);
}

static int round_run(struct selftest *s, enum attempt_round round, struct err *err)
{
	s->round = round;
	s->from = PORT_A;
	const unsigned leave_out = layers_left_out(s);
	s->bench.leave_out = leave_out;
	s->bench.keep = secrets_kept(s);
	s->bench.no_mounts = s->options->without == SELFTEST_WITHOUT_MOUNTS;
	if (stage_write(&s->stage, s->conf, leave_out == 0 && !s->bench.no_mounts, err) < 0 ||
	    bench_start(&s->bench, err) < 0)
		return -1;
	if (round == ROUND_WHOLE)
		master_examine(s);
	for (s->from = PORT_A; s->from < PORTS_TRIED; s->from++)
		from_try(s);
	bench_stop(&s->bench);
	return 0;
}

/* --- all of it ------------------------------------------------------------------------------- */

static bool serves_files(const struct conf *conf)
{
	for (size_t i = 0; i < conf->ports_count; i++)
		if (conf->ports[i].roots_count > 0)
			return true;
	return false;
}

static bool can_be_left_out(const struct selftest *s)
{
	const enum selftest_without w = s->options->without;
	const char *why = NULL;
	if ((w == SELFTEST_WITHOUT_USER || w == SELFTEST_WITHOUT_CHROOT) && !s->by_root)
		why = "not started as root: user and root are not changed anyway";
	else if (w == SELFTEST_WITHOUT_MOUNTS && !serves_files(s->conf))
		why =
		    "the configuration has no `files`, so there is nothing to mount: name one that "
		    "has with -f";
	else if (w == SELFTEST_WITHOUT_MOUNTS && !sandbox_may_mount())
		why = "not started with CAP_SYS_ADMIN: document roots are no mounts of their own "
		      "anyway";
	if (why != NULL)
		fprintf(stderr, "bulkhead: %s\n", why);
	return why == NULL;
}

static int rounds_run(struct selftest *s, struct err *err)
{
	if (bench_init(&s->bench, &s->stage, err) < 0)
		return -1;
	for (unsigned round = 0; round < ROUNDS && s->bench.interrupted == 0; round++)
		if (round_run(s, (enum attempt_round)round, err) < 0)
			return -1;
	return 0;
}

static int selftest_end(const struct selftest *s, int error, const struct err *err)
{
	if (s->bench.interrupted != 0) {
		fputs("bulkhead: interrupted\n", stderr);
		return 128 + s->bench.interrupted;
	}
	if (error < 0) {
		fprintf(stderr, "bulkhead: selftest: %s\n", err->text);
		return EX_SOFTWARE;
	}
	if (s->options->json)
		report_print_json(&s->report, stdout);
	else
		report_print(&s->report, stdout);
	if (fflush(stdout) != 0)
		return EX_IOERR;
	return report_count(&s->report, VERDICT_FAIL) > 0 ||
	       report_count(&s->report, VERDICT_PASS) == 0;
}

bool selftest_is_parent(void)
{
	char parent[64];
	struct stat own, its;
	(void)snprintf(parent, sizeof(parent), "/proc/%d/exe", (int)getppid());
	return stat("/proc/self/exe", &own) == 0 && stat(parent, &its) == 0 &&
	       own.st_dev == its.st_dev && own.st_ino == its.st_ino;
}

int selftest_main(const struct conf *conf, const struct selftest_options *options)
{
	struct selftest s = {.conf = conf,
			     .options = options,
			     .stage = {.target_fd = -1, .local = TARGETS_LOCAL_INIT},
			     .bench = {.master = -1}};
	struct err err = {""};
	const int version = sandbox_landlock_version();
	s.landlock = version < 0 ? 0 : (unsigned)version;
	s.by_root = sandbox_may_change_user();
	s.bench.log = (struct buf)BUF_INIT(BENCH_LOG_MAX);
	(void)signal(SIGPIPE, SIG_IGN);
	if (!can_be_left_out(&s))
		return 2;
	int error = stage_init(&s.stage, &err);
	if (error < 0)
		return selftest_end(&s, error, &err);
	error = rounds_run(&s, &err);
	if (error < 0 && s.bench.interrupted == 0)
		bench_show_log(&s.bench, stderr);
	bench_release(&s.bench);
	stage_release(&s.stage);
	int status = selftest_end(&s, error, &err);
	report_release(&s.report);
	return status;
}

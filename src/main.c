/*
 * From arguments to a role: a check (-t), a dump (-T), a selftest, the master, or, started by the
 * master, a worker, keyholder or verifier. This file does what comes before a role begins; the role
 * is in its own folder.
 */
#include <errno.h>
#include <fcntl.h>
#include <libutil.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sysexits.h>
#include <unistd.h>

#include "arguments.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/title.h"
#include "builtin.h"
#include "conf/conf.h"
#include "connector/connector.h"
#include "development.h"
#include "keyholder/keyholder.h"
#include "master/master.h"
#include "resolver/resolver.h"
#include "role/role.h"
#include "selftest/selftest.h"
#include "verifier/verifier.h"
#include "verify.h"
#include "worker/worker.h"

static void report(void *arg, enum conf_severity severity, const struct conf_where *where,
		   const char *text)
{
	const char *kind = conf_severity_name(severity);
	(void)arg;
	if (where->line == 0) /* the whole file */
		fprintf(stderr, "%s: %s: %s\n", where->file, kind, text);
	else
		fprintf(stderr, "%s:%u:%u: %s: %s\n", where->file, where->line, where->column, kind,
			text);
}

/* The same, and keeps the first error for the service manager. */
static void report_and_keep(void *arg, enum conf_severity severity, const struct conf_where *where,
			    const char *text)
{
	struct err *first = arg;
	report(NULL, severity, where, text);
	if (severity == CONF_ERROR && first->text[0] == '\0')
		err_set(first, "the configuration has errors: %s:%u: %s", where->file, where->line,
			text);
}

static int conf_read_as(const struct arguments *a, bool keep_broken, conf_report_fn *tell,
			void *arg, struct conf **ret)
{
	const struct conf_options options = {.threads_built = worker_threads_built,
					     .workers = a->workers,
					     .certificate = a->certificate,
					     .key = a->key,
					     .environment = environ,
					     .keep_broken = keep_broken};
	if (a->config == NULL)
		return builtin_conf(a, &options, tell, arg, ret);
	return conf_parse_file(a->config, &options, tell, arg, ret);
}

/* To be served. */
static int conf_read(const struct arguments *a, bool announce, conf_report_fn *tell, void *arg,
		     struct conf **ret)
{
	struct conf *conf = NULL;
	if (conf_read_as(a, false, tell, arg, &conf) < 0)
		return -1;
	if (development_provide(conf, announce, tell, arg) < 0) {
		conf_free(conf);
		return -1;
	}
	*ret = conf;
	return 0;
}

/* --- -t ------------------------------------------------------------------------------------- */

static const char *checked_name(const struct arguments *a)
{
	return a->config != NULL ? a->config : "the built-in configuration";
}

/* For an earlier version of this program that wants to upgrade. */
static int test_adopt(const struct arguments *a)
{
	struct verify v = {.errors_only = true}; /* it logs the first line as its reason */
	struct conf *conf;
	struct err err;
	if (master_check_state(a->adopt_fd, worker_threads_built, &conf, &err) < 0) {
		fprintf(stderr, "cannot take over from the running version: %s\n", err.text);
		return EX_DATAERR;
	}
	verify_files(&v, conf, a->daemonize);
	verify_print(&v, conf);
	bool bad = v.errors > 0 || v.no_memory;
	if (!bad && master_check_confinement(&err) < 0) {
		fprintf(stderr, "cannot be confined: %s\n", err.text);
		bad = true;
	}
	if (!bad)
		puts(master_consent);
	verify_release(&v);
	conf_free(conf);
	return bad;
}

static int test(const struct arguments *a)
{
	struct verify v = {.count = 0};
	struct conf *conf = NULL;
	if (a->adopt_fd >= 0)
		return test_adopt(a);
	int error = conf_read_as(a, true, verify_add, &v, &conf);
	if (conf != NULL)
		verify_files(&v, conf, a->daemonize);
	verify_print(&v, conf);
	const bool bad = error < 0 || conf == NULL || v.errors > 0 || v.no_memory;
	if (!bad)
		fprintf(stderr, "configuration ok: %zu port%s%s%s\n", conf->ports_count,
			conf->ports_count == 1 ? "" : "s", a->chosen ? " in " : "",
			a->chosen ? checked_name(a) : "");
	else if (a->chosen)
		fprintf(stderr, "bulkhead: this is %s; -f FILE checks another one\n",
			checked_name(a));
	verify_release(&v);
	conf_free(conf);
	return bad;
}

/* The exit status after printing to standard output. */
static int output_end(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	fputs("bulkhead: cannot write to standard output\n", stderr);
	return 1;
}

static int dump(const struct arguments *a)
{
	struct conf *conf = NULL;
	if (conf_read_as(a, false, report, NULL, &conf) < 0)
		return 1;
	if (a->chosen)
		fprintf(stderr, "bulkhead: this is %s\n", checked_name(a));
	conf_dump(conf, stdout);
	conf_free(conf);
	return output_end();
}

/* --- serving -------------------------------------------------------------------------------- */

/* Descriptors 0 to 2 must be open, or sockets would get these numbers. */
static void standard_streams_ensure(void)
{
	int fd;
	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/* The parent waits here until the ports are served, or cannot be, and its exit status tells the
 * caller. Returns, in the child, the descriptor that reports it. */
static int background(void)
{
	int fds[2];
	if (pipe2(fds, O_CLOEXEC) < 0)
		fatal(EX_OSERR, "pipe: %s", strerror(errno));
	pid_t pid = fork();
	if (pid < 0)
		fatal(EX_OSERR, "fork: %s", strerror(errno));
	if (pid > 0) {
		char status = 1;
		close(fds[1]);
		while (read(fds[0], &status, 1) < 0 && errno == EINTR)
			;
		if (status != 0)
			fputs("bulkhead: no port is served; the log says why\n", stderr);
		_exit(status);
	}
	close(fds[0]);
	(void)setsid();
	if (chdir("/") < 0)
		fatal(EX_OSERR, "chdir: %s", strerror(errno));
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
		fatal(EX_OSERR, "/dev/null: %s", strerror(errno));
	fd_close(&null);
	return fds[1];
}

/* The path at which the next version of this program will be. NULL: unknown. */
static const char *program_path(void)
{
	static const char deleted[] = " (deleted)";
	static char path[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);
	if (len <= 0)
		return NULL;
	path[len] = '\0';
	const size_t tail = sizeof(deleted) - 1;
	if ((size_t)len > tail && strcmp(path + len - tail, deleted) == 0)
		path[(size_t)len - tail] = '\0';
	return path;
}

/* Used by the master for a reload. */
static int conf_read_again(void *arg, conf_report_fn *tell, void *tell_arg, struct conf **ret)
{
	return conf_read(arg, false, tell, tell_arg, ret);
}

/* Before the process goes to the background, so that the user sees an error. */
static struct pidfh *pid_file_open(const char *path, bool adopting)
{
	pid_t other = 0;
	char absolute[PATH_MAX], here[PATH_MAX];
	if (path[0] != '/' && getcwd(here, sizeof(here)) != NULL &&
	    snprintf(absolute, sizeof(absolute), "%s/%s", here, path) < PATH_MAX)
		path = absolute; /* it is removed from another directory */
	struct pidfh *file = pidfile_open(path, 0644, &other);
	if (file != NULL) /* the next version of this program opens it again */
		(void)fcntl(pidfile_fileno(file), F_SETFD, FD_CLOEXEC);
	if (file == NULL && adopting) {
		fprintf(stderr, "bulkhead: cannot write the pid file %s: %s\n", path,
			strerror(errno));
		return NULL;
	}
	if (file == NULL && errno == EEXIST)
		fatal(EX_UNAVAILABLE, "already running, as process %d says in %s", (int)other,
		      path);
	if (file == NULL)
		fatal(EX_CANTCREAT, "cannot write the pid file %s: %s", path, strerror(errno));
	return file;
}

/* In a container, the kernel drops signals to the first process that it neither handles nor blocks.
 * A stop that comes while the configuration is read then waits for the master's loop. */
static bool first_process_begin(const struct arguments *a)
{
	sigset_t set;
	if (getpid() != 1)
		return true;
	if (a->daemonize) {
		fputs("bulkhead: the first process of a container cannot go to the background\n",
		      stderr);
		return false;
	}
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	return true;
}

static int serve(struct arguments *a)
{
	struct conf *conf = NULL;
	char installed[PATH_MAX];
	const bool adopting = a->adopt_fd >= 0;
	struct err err;
	struct master_options options = {.daemonized = a->daemonize,
					 .ready_fd = -1,
					 .started_pid = getpid(),
					 .verbose = a->verbose,
					 .child_option = a->attempts,
					 .threads_built = worker_threads_built,
					 .program = program_path(),
					 .adopt_fd = a->adopt_fd};
	standard_streams_ensure();
	/* Before any fork, because a child could take them, too. */
	if (sockets_take(&options.sockets, &err) < 0) {
		(void)fprintf(stderr, "bulkhead: %s\n", err.text);
		return EX_USAGE;
	}
	if (a->attempts != NULL && !selftest_is_parent()) {
		fputs("bulkhead: only bulkhead selftest uses --attempts\n", stderr);
		return 2;
	}
	err.text[0] = '\0';
	if (!adopting && arguments_installed_config(a, options.program, installed))
		fprintf(stderr,
			"bulkhead: serving the built-in configuration; for %s: bulkhead -f %s\n",
			installed, installed);
	if (!adopting && conf_read(a, true, report_and_keep, &err, &conf) < 0) {
		master_tell_manager(err.text);
		return 1;
	}
	if (!adopting && a->daemonize && conf->log.console)
		fputs("bulkhead: warning: in the background there is no console to log to\n",
		      stderr);
	if (a->pid_file != NULL)
		options.pid_file = pid_file_open(a->pid_file, adopting);
	if (a->config != NULL) {
		options.read_conf = conf_read_again;
		options.read_arg = a;
	}
	arguments_keep_paths(a);
	options.conf_path = a->config;
	options.arguments = arguments_again(a, &options.arguments_count);
	if (options.arguments == NULL)
		fatal(EX_OSERR, "out of memory");
	if (a->daemonize && !adopting)
		options.ready_fd = background();
	return master_main(conf, &options);
}

static int child(const struct arguments *a)
{
	struct role role;
	role_begin(&role, IPC_CHANNEL_FD, worker_threads_built,
		   a->attempts != NULL ? selftest_hook(a->attempts) : NULL);
	switch ((enum ipc_role)role.start.role) {
	case IPC_KEYHOLDER:
		return keyholder_main(&role);
	case IPC_VERIFIER:
		return verifier_main(&role);
	case IPC_CONNECTOR:
		return connector_main(&role);
	case IPC_RESOLVER:
		return resolver_main(&role);
	default:
		return worker_main(&role);
	}
}

static int selftest(const struct arguments *a)
{
	const struct selftest_options options = {.json = a->json, .without = a->without};
	struct conf *conf;
	standard_streams_ensure();
	if (conf_read_as(a, false, report, NULL, &conf) < 0)
		return EX_CONFIG;
	int status = selftest_main(conf, &options);
	conf_free(conf);
	return status;
}

int main(int argc, char **argv)
{
	struct arguments a;
	title_init(argc, argv);
	/* GnuTLS would write the secrets of sessions there, which a real server must not do. */
	(void)unsetenv("SSLKEYLOGFILE");
	arguments_parse(&a, argc, argv);

	int status = 0;
	switch (a.mode) {
	case MODE_VERSION:
		puts("bulkhead " BULKHEAD_VERSION);
		status = output_end();
		break;
	case MODE_HELP:
		arguments_usage();
		status = output_end();
		break;
	case MODE_TEST:
		arguments_choose_config(&a, program_path());
		status = test(&a);
		break;
	case MODE_DUMP:
		arguments_choose_config(&a, program_path());
		status = dump(&a);
		break;
	case MODE_CHILD:
		(void)prctl(PR_SET_NAME, "bulkhead");
		status = child(&a);
		break;
	case MODE_SELFTEST:
		status = selftest(&a);
		break;
	case MODE_SERVE:
		status = first_process_begin(&a) ? serve(&a) : 2;
		break;
	}
	arguments_release(&a);
	return status;
}

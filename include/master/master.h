/*
 * The master role: binds the listeners, starts a pool of workers per port, reaps and restarts
 * them, forwards what it is told by signals. Never speaks TLS or HTTP, never blocks, never trusts
 * what a child says. src/master/README.md has the states.
 */
#ifndef MASTER_MASTER_H
#define MASTER_MASTER_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "conf/conf.h"
#include "master/sockets.h"

struct pidfh;

struct master_options {
	bool daemonized; /* standard error ends once every port is decided upon */
	struct pidfh
	    *pid_file;     /* open (libbsd's pidfile_open), NULL: none; written and removed here */
	int ready_fd;      /* told once, one byte (the exit status so far), when every port is
			      decided upon; -1: nobody wants to know */
	bool verbose;      /* LOG_DEBUG, too */
	pid_t started_pid; /* of who was started: another one's than this when daemonized */
	struct sockets sockets; /* that were passed; taken over */
	/* Reads the configuration anew: as conf_parse_file(). NULL: there is no file. */
	int (*read_conf)(void *arg, conf_report_fn *, void *report_arg, struct conf **ret);
	void *read_arg;
	const char *conf_path; /* absolute; NULL with read_conf */
	/* Where this program lies (NULL: no upgrade in place), and its arguments for the next
	 * version, with room for three more and a NULL behind. */
	const char *program;
	char **arguments;
	size_t arguments_count;
	bool threads_built;
	bool checks;        /* -t: descriptors are the numbers of another process */
	int adopt_fd;       /* what a former version has left (handed.h); -1: nothing */
	char *child_option; /* a further argument for children; NULL: none (selftest only) */
};

/* For bulkhead -t --adopt: is what a former version of the master would leave understood, all of
 * it? 0 and its configuration, the caller's, with those ports that serve; or -1 and a sentence. */
/* And can this version confine itself as the former one has left it? Does so, for good: the last
 * thing that a check does. 0, or -1 and a sentence. */
int master_check_confinement(struct err *);
extern const char master_consent[]; /* what the check is to say then */
int master_check_state(int state_fd, bool threads_built, struct conf **ret, struct err *);

/* Runs until it is told to stop. Takes conf (NULL with adopt_fd). Returns the exit status: 0 after
 * a clean drain, 1 when no port could be served or something had to be killed, else as in
 * sysexits(3). */
int master_main(struct conf *, const struct master_options *);

/* For whoever ends before there is a master: the service manager's STATUS=, if it wants to know. */
void master_tell_manager(const char *sentence);

/* For bulkhead -t: do the users and groups that the port names exist, and is its chroot an empty
 * directory of root's? 0, or -1 and a sentence. */
int master_check_port(const struct conf_port *, struct err *);

/* For bulkhead -t: can the log daemons be reached that a server would log to, in the background or
 * not? One sentence for each that cannot; no error, since it may come later. */
void master_check_log(const struct conf *, bool daemonized,
		      void (*warn)(void *arg, const char *text), void *arg);

#endif

/*
 * The master role: binds the listeners, starts a pool of workers per port, reaps and restarts
 * children, and carries out signals and orders. It never uses TLS or HTTP, never blocks, and never
 * trusts a child. The states are in src/master/README.md.
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
	bool daemonized; /* standard error is closed once every port is decided */
	struct pidfh
	    *pid_file; /* open (libbsd's pidfile_open); written and removed here; NULL: none */
	/* gets one byte, the exit status so far, once every port is decided; -1: nobody waits for
	 * it */
	int ready_fd;
	bool verbose;           /* also write LOG_DEBUG */
	pid_t started_pid;      /* the process that was started; another one when daemonized */
	struct sockets sockets; /* sockets that were passed; ownership moves here */
	/* Reads the configuration again, like conf_parse_file(). NULL: there is no file. */
	int (*read_conf)(void *arg, conf_report_fn *, void *report_arg, struct conf **ret);
	void *read_arg;
	const char *conf_path; /* absolute; NULL with read_conf */
	/* The path of this program (NULL: no upgrade in place), and its arguments for the next
	 * version, with room for three more and a final NULL. */
	const char *program;
	char **arguments;
	size_t arguments_count;
	bool threads_built;
	bool checks;        /* -t: descriptors are those of another process */
	int adopt_fd;       /* the state of an earlier version (handed.h); -1: none */
	char *child_option; /* one more argument for children; NULL: none (selftest only) */
};

/* For bulkhead -t --adopt: does this version understand the whole state that an earlier version
 * would hand over? Returns 0 and its configuration with the ports that serve, which the caller
 * frees; or -1 and a sentence. */
int master_check_state(int state_fd, bool threads_built, struct conf **ret, struct err *);

/* For bulkhead -t --adopt, after the state: can this version confine itself under the confinement
 * of the earlier one? It does so, so call it last. Returns 0, or -1 and a sentence. */
int master_check_confinement(struct err *);
extern const char master_consent[]; /* the check prints this if it succeeds */

/* Runs until it receives the order to stop. Takes ownership of conf (NULL with adopt_fd). Returns
 * the exit status: 0 after a clean drain, 1 if no port could be served or a process had to be
 * killed, else a status of sysexits(3). */
int master_main(struct conf *, const struct master_options *);

/* For a process that ends before there is a master: sends STATUS= to the service manager, if there
 * is one. */
void master_tell_manager(const char *sentence);

/* For bulkhead -t: do the port's users and groups exist, and is its chroot an empty directory owned
 * by root? Returns 0, or -1 and a sentence. */
int master_check_port(const struct conf_port *, struct err *);
/* Can this file of conf_port.bodies be sent? *bytes counts those of a port; 0 at first. */
int master_check_body(const char *path, uint64_t *bytes, struct err *);

typedef void master_warn_fn(void *arg, const struct conf_where *, const char *text);

/* For bulkhead -t: can the document roots of all ports be served (conf_port.roots)? Reports an
 * error for each that cannot, and a warning for what a server would do and its user may not want.
 * The port's users may be wrong, which is another finding. Returns 0 or -ENOMEM. */
int master_check_roots(const struct conf *, conf_report_fn *, void *arg);

/* For bulkhead -t: reports a sentence if a port needs the system's media types, and they exist but
 * cannot be read. This is not an error, since the built-in ones are used. */
void master_check_types(const struct conf *, master_warn_fn *, void *arg);

/* For bulkhead -t: can the server reach its log daemons, in the background or not? Reports one
 * sentence for each that it cannot reach. This is not an error, since the daemon may start
 * later. */
void master_check_log(const struct conf *, bool daemonized, master_warn_fn *, void *arg);

/* For bulkhead -t: can the control socket that the configuration names be made? Reports a sentence
 * if not. This is not an error, since the folder may be made before the start. Makes nothing. */
void master_check_control(const struct conf *, master_warn_fn *, void *arg);

#endif

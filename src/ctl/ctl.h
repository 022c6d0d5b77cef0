/*
 * bulkheadctl: declarations that its files share. Its exit statuses are part of its manual,
 * bulkheadctl(8).
 */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include <stdbool.h>
#include <stdint.h>

#include "control/request.h"

enum ctl_status {
	CTL_DONE = 0,
	CTL_FAILED = 1, /* the server has refused */
	CTL_USAGE = 2,
	CTL_NO_SERVER = 3,
	CTL_NOT_PERMITTED = 4,
	CTL_NO_SOCKET = 5 /* a server runs, but its control socket was not found */
};

enum ctl_command {
	CTL_STATUS,
	CTL_TOP,
	CTL_CRASHES,
	CTL_RELOAD,
	CTL_STOP,
	CTL_START,
	CTL_RESTART,
	CTL_DRAIN,
	CTL_UPGRADE,
	CTL_LOG,
	CTL_UPSTREAM,
	CTL_COMPLETE,
	CTL_HELP,
	CTL_VERSION
};

struct ctl_arguments {
	enum ctl_command command;
	const char *socket; /* NULL: not named, until main() has found one */
	uint16_t port;      /* 0: not given */
	bool json;
	bool dry_run;
	const char *level; /* log: a level's name */
	/* upstream: its name, or the URL of an endpoint; NULL: all. The order for it; NULL: none */
	const char *upstream, *order;
	char **words; /* complete: the words so far, without the program's name */
	int words_count;
};

/* arguments.c: returns CTL_DONE, or CTL_USAGE after a line on standard error. */
enum ctl_status arguments_read(struct ctl_arguments *, int argc, char **argv);
void arguments_usage(void);

/* One file per command; each prints its own errors to standard error. */
enum ctl_status ctl_status(const struct ctl_arguments *);
enum ctl_status ctl_top(const struct ctl_arguments *);
enum ctl_status ctl_crashes(const struct ctl_arguments *);
enum ctl_status ctl_order(const struct ctl_arguments *);
enum ctl_status ctl_upstream(const struct ctl_arguments *);
enum ctl_status ctl_complete(const struct ctl_arguments *);

/* say.c: prints "bulkheadctl: " and the sentence, escaped. Returns status. If no server answers,
 * lists the servers that run. */
enum ctl_status ctl_say(enum ctl_status, const char *sentence);
/* The same for lines that are printable already. */
enum ctl_status ctl_say_lines(enum ctl_status, const char *lines);

#endif

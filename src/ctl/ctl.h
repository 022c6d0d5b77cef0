/*
 * bulkheadctl: what its files share. Its exit statuses are part of its manual, bulkheadctl(8).
 */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include <stdbool.h>
#include <stdint.h>

#include "control/request.h"

enum ctl_status {
	CTL_DONE = 0,
	CTL_FAILED = 1, /* the server says so */
	CTL_USAGE = 2,
	CTL_NO_SERVER = 3,
	CTL_NOT_PERMITTED = 4,
	CTL_NO_SOCKET = 5 /* a server runs, and no control socket of it was found */
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
	char **words;      /* complete: what stands there already, without the program's name */
	int words_count;
};

/* arguments.c: CTL_DONE, or CTL_USAGE after a line on standard error. */
enum ctl_status arguments_read(struct ctl_arguments *, int argc, char **argv);
void arguments_usage(void);

/* One file for each; all of them say themselves what is wrong, on standard error. */
enum ctl_status ctl_status(const struct ctl_arguments *);
enum ctl_status ctl_top(const struct ctl_arguments *);
enum ctl_status ctl_crashes(const struct ctl_arguments *);
enum ctl_status ctl_order(const struct ctl_arguments *);
enum ctl_status ctl_complete(const struct ctl_arguments *);

/* say.c: "bulkheadctl: " and the sentence, printable whatever is in it. Returns status. If no
 * server answers, those that run are listed below. */
enum ctl_status ctl_say(enum ctl_status, const char *sentence);
/* The same of lines that are printable already. */
enum ctl_status ctl_say_lines(enum ctl_status, const char *lines);

#endif

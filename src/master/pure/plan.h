/*
 * What a reload does with each port. Pure: no process, no file, no clock.
 *
 * A port is kept if its processes would get the same text (conf_dump_process()) and the marks of
 * its files are the same. If only marks differ, the content decides, which is known once a new
 * process has read the files; until then the row is `files_only`.
 */
#ifndef MASTER_PLAN_H
#define MASTER_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "master/pure/mark.h"

/* A file that its processes are handed. */
struct plan_file {
	const char *name;
	struct file_mark mark;
};

/* A port as it is now or as it should be; the caller owns all of it. */
struct plan_port {
	uint16_t number;
	const char *text; /* conf_dump_process() */
	const struct plan_file *files;
	size_t files_count;
};

enum plan_action { PLAN_KEEP, PLAN_CHANGE, PLAN_NEW, PLAN_DROP };

struct plan_row {
	uint16_t port;
	enum plan_action action;
	bool files_only; /* CHANGE: the text is the same, only the marks of files differ */
	const char *why; /* static text; "" for none */
	/* Of a CHANGE, owned: both texts, if they differ; and the files that have changed, a line
	 * each. NULL: there is nothing to show. */
	char *now, *wanted;
	char *files;
};

struct plan {
	struct plan_row *rows; /* ordered by port number */
	size_t count;
	size_t counts[PLAN_DROP + 1]; /* by action */
	char *now, *wanted; /* the statements of no port, owned; NULL: they are the same */
};

/* Each number occurs once per side. Returns 0 or -ENOMEM; free it with plan_release(). */
int plan_make(struct plan *ret, const struct plan_port *now, size_t now_count,
	      const struct plan_port *wanted, size_t wanted_count);
/* Corrects the action of a row. */
void plan_row_becomes(struct plan *, struct plan_row *, enum plan_action, const char *why);
/* The statements of no port, copied if they differ: 0, or -ENOMEM. */
int plan_add_common(struct plan *, const char *now, const char *wanted);
void plan_release(struct plan *);

const char *plan_action_name(enum plan_action); /* "keep" */

#endif

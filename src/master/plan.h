/*
 * What a reload does with each port: pure, no process, no file, no clock.
 *
 * A port is kept if a process of it would be given the same (conf_dump_process()) and none of its
 * files has another mark. A file that was touched makes a change only if its content is another
 * one, which is seen once a new process has read it: such a row is `files_only` until then.
 */
#ifndef MASTER_PLAN_H
#define MASTER_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/* By which a change of a file is seen without reading it. All zero: it is not there. */
struct file_mark {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified;
	struct timespec changed;
};

/* A port as it is, or as it is to be; all of it the caller's. */
struct plan_port {
	uint16_t number;
	const char *text; /* conf_dump_process() */
	const struct file_mark *marks;
	size_t marks_count;
};

enum plan_action { PLAN_KEEP, PLAN_CHANGE, PLAN_NEW, PLAN_DROP };

struct plan_row {
	uint16_t port;
	enum plan_action action;
	bool files_only; /* CHANGE: the text is the same, only files have other marks */
	const char *why; /* static text, "" where nothing is to be said */
};

struct plan {
	struct plan_row *rows; /* by port number, ascending */
	size_t count;
	size_t counts[PLAN_DROP + 1]; /* by action */
};

bool file_mark_equal(const struct file_mark *, const struct file_mark *);

/* Each number occurs once on a side. 0, or -ENOMEM; plan_release() ends it. */
int plan_make(struct plan *ret, const struct plan_port *now, size_t now_count,
	      const struct plan_port *wanted, size_t wanted_count);
/* The action of a row turns out to be another one. */
void plan_row_becomes(struct plan *, struct plan_row *, enum plan_action, const char *why);
void plan_release(struct plan *);

const char *plan_action_name(enum plan_action); /* "keep" */

/* The row of this port; NULL: there is none. */
struct plan_row *plan_find(const struct plan *, unsigned port);

#endif

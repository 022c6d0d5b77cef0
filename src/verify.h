/*
 * bulkhead -t: everything that is wrong with a configuration and with the files that it names, in
 * one run. Writes nothing but its report. Used by main.c alone.
 */
#ifndef VERIFY_H
#define VERIFY_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/conf.h"

struct finding;

/* What was found, in the order in which it was. All zero: nothing yet. */
struct verify {
	struct finding *list;
	size_t count;
	size_t errors;
	bool no_memory;
	const char *whole; /* the file of what has no place; NULL: "bulkhead" */
};

/* A conf_report_fn; arg is a struct verify. */
void verify_add(void *arg, enum conf_severity, const struct conf_where *, const char *text);
/* Looks at what the configuration names: certificates, keys, users, empty roots, sockets. It may
 * have errors (conf_options, keep_broken). */
void verify_files(struct verify *, const struct conf *, bool daemonized);
/* Prints what was found on standard error, file by file and line by line. conf: for the order of
 * the files; may be NULL. */
void verify_print(struct verify *, const struct conf *);
void verify_release(struct verify *);

#endif

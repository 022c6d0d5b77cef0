/*
 * bulkhead -t: reports everything that is wrong with a configuration and its files in one run.
 * Writes nothing except its report. Used by main.c only.
 */
#ifndef VERIFY_H
#define VERIFY_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/conf.h"

struct finding;

/* The findings, in the order in which they came. All zero: none yet. */
struct verify {
	struct finding *list;
	size_t count;
	size_t errors;
	bool no_memory;
	bool errors_only;  /* the caller's wish: warnings are left out */
	const char *whole; /* the file of findings without a place; NULL: "bulkhead" */
};

/* A conf_report_fn; arg is a struct verify. */
void verify_add(void *arg, enum conf_severity, const struct conf_where *, const char *text);
/* Checks what the configuration names: certificates, keys, users, empty roots, sockets. The
 * configuration may have errors (conf_options, keep_broken). */
void verify_files(struct verify *, const struct conf *, bool daemonized);
/* In verify_certificates.c: its part of it. */
void verify_certificates(struct verify *, const struct conf *);
/* Warns of a key that others can read. */
void verify_key(struct verify *, const char *path, const struct conf_where *);

/* In verify_upstreams.c: its part of it. */
void verify_upstreams(struct verify *, const struct conf *);
/* Prints the findings to standard error, by file and line. conf: gives the order of the files; may
 * be NULL. */
void verify_print(struct verify *, const struct conf *);
void verify_release(struct verify *);

#endif

/*
 * The command line (bulkhead(8), getopt_long(3)) as data. Used by main.c alone.
 */
#ifndef ARGUMENTS_H
#define ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "selftest/selftest.h"

enum arguments_mode {
	MODE_SERVE,
	MODE_TEST,     /* -t */
	MODE_DUMP,     /* -T */
	MODE_VERSION,  /* -V */
	MODE_HELP,     /* -h */
	MODE_SELFTEST, /* selftest, the first word */
	MODE_CHILD     /* --child: how the master starts its own binary */
};

struct arguments {
	enum arguments_mode mode;
	const char *config; /* -f, NULL: built in */
	uint16_t *ports;    /* -p, owned; NULL: not given */
	size_t ports_count;
	uint32_t workers;        /* -w, 0: not given */
	const char *certificate; /* both or none */
	const char *key;
	const char *pid_file;
	bool daemonize;
	bool verbose;
	bool json;                     /* selftest */
	enum selftest_without without; /* selftest */
	int adopt_fd;                  /* --adopt: what a former version has left; -1: nothing */
	char *kept[4];                 /* arguments_keep_paths(), owned */
	size_t kept_count;
	char **again;   /* arguments_again(), owned */
	char *attempts; /* behind --child, or for children: the selftest's; NULL: serves */
};

/* Paths that are relative become absolute: the current directory is another one later. */
void arguments_keep_paths(struct arguments *);
/* The words that mean the same again, for the next version of this program: with room for three
 * more and a NULL behind. NULL: no memory. arguments_release() ends it. */
char **arguments_again(struct arguments *, size_t *ret_count);

/* Ends the process with status 2 and a hint when the words are wrong. */
void arguments_parse(struct arguments *, int argc, char **argv);
void arguments_release(struct arguments *);
void arguments_usage(void); /* to standard output */

#endif

/*
 * The command line (bulkhead(8), getopt_long(3)) as data. Used by main.c alone.
 */
#ifndef ARGUMENTS_H
#define ARGUMENTS_H

#include <limits.h>
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
	const char *config; /* -f; NULL: built in */
	bool chosen;        /* -t and -T without -f: config is the installed one, or NULL */
	uint16_t *ports;    /* -p, owned; NULL: not given */
	size_t ports_count;
	uint32_t workers;        /* -w; 0: not given */
	const char *certificate; /* both or none */
	const char *key;
	const char *pid_file;
	bool daemonize;
	bool verbose;
	bool json;                     /* selftest */
	enum selftest_without without; /* selftest */
	int adopt_fd;                  /* --adopt: the state of an earlier version; -1: none */
	char *kept[4];                 /* arguments_keep_paths(), owned */
	size_t kept_count;
	char **again; /* arguments_again(), owned */
	/* the argument after --child, or for children, from the selftest; NULL: a real server */
	char *attempts;
};

/* For -t and -T without -f and without options for the built-in configuration: the file that was
 * installed with this program, at path, where there is one. Its folder is etc/bulkhead beside the
 * program's (sbin), /etc/bulkhead for a program below /usr. */
void arguments_choose_config(struct arguments *, const char *program);
/* Is there such a file that nothing was said of? */
bool arguments_installed_config(const struct arguments *, const char *program,
				char ret_path[PATH_MAX]);

/* Makes relative paths absolute, because the current directory will change. */
void arguments_keep_paths(struct arguments *);
/* The arguments for the next version of this program, with room for three more and a final NULL.
 * NULL: no memory. The caller uses arguments_release(). */
char **arguments_again(struct arguments *, size_t *ret_count);

/* Ends the process with status 2 and a hint if the arguments are wrong. */
void arguments_parse(struct arguments *, int argc, char **argv);
void arguments_release(struct arguments *);
void arguments_usage(void); /* to standard output */

#endif

/*
 * The screen of `bulkheadctl top`, line by line. Pure: top.c uses the terminal.
 *
 *   bulkhead 0.1.0, pid 4242, up 3d04h, log level info, /etc/bulkhead/bulkhead.conf
 *   3 of 4 ports serving, 1 parked
 *   12 connections, 340 req/s, p50/p99 850us/12ms, 34M, cpu 3.2%, 2 restarts
 *    PORT STATE     RST  CONN ...
 *    8443 parked      0     0 ...
 *         parked: certificate "/etc/..." does not match key "/etc/..."
 *    8000 serving     0    12 ...
 *   by port  1-3 of 4  ?: help  q: quit
 */
#ifndef CTL_SCREEN_H
#define CTL_SCREEN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "ctl/rows.h"
#include "ctl/summary.h"

#define SCREEN_LINE_MAX 512
#define SCREEN_HEAD     4 /* lines above the ports */

struct view {
	unsigned lines, columns; /* of the terminal; any number */
	const json_t *status;    /* NULL: none yet */
	const char *problem;     /* "": there is none */
	const struct row *rows;  /* in the order of the screen */
	size_t rows_count;
	struct totals totals;
	enum row_key key;
	bool reversed;
	size_t first; /* the first line of the list, see screen_length() */
	bool help;    /* instead of the ports */
};

/* A line of the terminal: printable, without a newline, at most columns bytes long. */
typedef void screen_line_fn(void *arg, unsigned line, bool reverse, const char *text);

/* Calls put once for each line of the terminal, from 1 to lines. Returns 0, or -1 without
 * memory. */
int screen_render(const struct view *, screen_line_fn *put, void *arg);

/* How many lines the list has, reasons included, and how many of them fit. */
size_t screen_length(const struct view *);
size_t screen_shown(const struct view *);

#endif

/*
 * Which statements differ between two canonical texts, as bulkhead -T prints them. Pure.
 *
 * A statement is named with its block. For a statement that was changed, both forms are shown:
 *
 *   workers 1 -> workers 2
 *   limits: connections 10 -> connections 20
 *   + location "/new": echo
 *   - location "/old": respond 404 type "text/plain"
 *
 * A long one is cut to the part that differs.
 */
#ifndef CTL_DIFFER_H
#define CTL_DIFFER_H

#define DIFFER_LINE_MAX 512
#define DIFFER_SHOWN    96 /* bytes of a statement that are shown */

/* tell: called once per difference, with a printable line. Returns 0, or -1 without memory. */
int statements_differ(const char *now, const char *wanted,
		      void (*tell)(void *arg, const char *line), void *arg);

#endif

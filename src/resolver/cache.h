/*
 * Later versions of c-ares keep answers, some of them for an hour: that a name has no address of a
 * type, even if its server has not said for how long. It must not: names.h has its own rhythm. The
 * makefile compiles one of two files.
 */
#ifndef RESOLVER_CACHE_H
#define RESOLVER_CACHE_H

struct ares_options;

/* Returns what must be added to the set of options that are given. */
int cache_leave_out(struct ares_options *);

#endif

/*
 * Writes JSON (RFC 8259) of bytes that came from outside. The names are not json_…: those are
 * libjansson's, with which bulkheadctl is linked (scripts/names).
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* The text so far; failed once something did not fit or there was no memory. */
struct jsonout {
	struct buf *out; /* borrowed */
	bool failed;
	bool more; /* a comma belongs before the next member or element */
};

/* Text that is JSON already. */
void jsonout_add(struct jsonout *, const char *text);
/* A string, quotes included. UTF-8 stays; a byte that is not part of valid UTF-8 becomes \u00XX,
 * its own number, so that any bytes make valid JSON. */
void jsonout_add_string(struct jsonout *, const char *s, size_t len);
/* The same for a terminated one; null for NULL. */
void jsonout_add_text(struct jsonout *, const char *s);
void jsonout_add_uint(struct jsonout *, uint64_t);

/*
 * Whole structures, with their commas: jsonout_open() begins an object or an array, '{' or '[', as
 * the next element, or as the next member of an object when a name is given; jsonout_close() ends
 * it,
 * '}' or ']'. The others are one member each, or one element with the name NULL. Names are the
 * program's own.
 */
void jsonout_open(struct jsonout *, const char *name, char bracket);
void jsonout_close(struct jsonout *, char bracket);
void jsonout_text(struct jsonout *, const char *name, const char *value); /* null for NULL */
void jsonout_uint(struct jsonout *, const char *name, uint64_t value);
void jsonout_int(struct jsonout *, const char *name, int64_t value);
void jsonout_bool(struct jsonout *, const char *name, bool value);
void jsonout_null(struct jsonout *, const char *name);
/* A number with one decimal, given in tenths. */
void jsonout_tenths(struct jsonout *, const char *name, uint64_t tenths);

#endif

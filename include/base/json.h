/*
 * Writes JSON (RFC 8259) from bytes that came from outside. The functions are not called json_…
 * because libjansson, which bulkheadctl links, uses that prefix (scripts/names).
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* The JSON written so far. failed is set once something did not fit or memory ran out. */
struct jsonout {
	struct buf *out; /* borrowed */
	bool failed;
	bool more; /* a comma belongs before the next member or element */
};

/* Appends text that is already JSON. */
void jsonout_add(struct jsonout *, const char *text);
/* Appends a string with its quotes. Valid UTF-8 stays; any other byte becomes \u00XX with its own
 * value, so that any bytes make valid JSON. */
void jsonout_add_string(struct jsonout *, const char *s, size_t len);
/* The same for a NUL-terminated string; NULL becomes null. */
void jsonout_add_text(struct jsonout *, const char *s);
void jsonout_add_uint(struct jsonout *, uint64_t);

/*
 * Structures, with their commas. jsonout_open() begins an object ('{') or an array ('['): as the
 * next member when a name is given, as the next element when name is NULL. jsonout_close() ends it
 * with '}' or ']'. Each of the other functions writes one member, or one element when name is NULL.
 * Names come from the program, never from outside.
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

/*
 * Writes JSON (RFC 8259) of bytes that came from outside.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* The text so far; failed once something did not fit or there was no memory. */
struct json {
	struct buf *out; /* borrowed */
	bool failed;
	bool more; /* a comma belongs before the next member or element */
};

/* Text that is JSON already. */
void json_add(struct json *, const char *text);
/* A string, quotes included. UTF-8 stays; a byte that is not part of valid UTF-8 becomes \u00XX,
 * its own number, so that any bytes make valid JSON. */
void json_add_string(struct json *, const char *s, size_t len);
/* The same for a terminated one; null for NULL. */
void json_add_text(struct json *, const char *s);
void json_add_uint(struct json *, uint64_t);

/*
 * Whole structures, with their commas: json_open() begins an object or an array, '{' or '[', as
 * the next element, or as the next member of an object when a name is given; json_close() ends it,
 * '}' or ']'. The others are one member each, or one element with the name NULL. Names are the
 * program's own.
 */
void json_open(struct json *, const char *name, char bracket);
void json_close(struct json *, char bracket);
void json_text(struct json *, const char *name, const char *value); /* null for NULL */
void json_uint(struct json *, const char *name, uint64_t value);
void json_int(struct json *, const char *name, int64_t value);
void json_bool(struct json *, const char *name, bool value);
void json_null(struct json *, const char *name);
/* A number with one decimal, given in tenths. */
void json_tenths(struct json *, const char *name, uint64_t tenths);

#endif

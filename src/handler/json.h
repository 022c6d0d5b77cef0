/*
 * Writes JSON (RFC 8259) of bytes that came from outside.
 */
#ifndef HANDLER_JSON_H
#define HANDLER_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* The text so far; failed once something did not fit or there was no memory. */
struct json {
	struct buf *out; /* borrowed */
	bool failed;
};

/* Text that is JSON already. */
void json_add(struct json *, const char *text);
/* A string, quotes included. UTF-8 stays; a byte that is not part of valid UTF-8 becomes \u00XX,
 * its own number, so that any bytes make valid JSON. */
void json_add_string(struct json *, const char *s, size_t len);
/* The same for a terminated one; null for NULL. */
void json_add_text(struct json *, const char *s);
void json_add_uint(struct json *, uint64_t);

#endif

/*
 * Lines of named values: the form of the state that the master hands to its next version.
 *
 *   child role=1 number=2 pid=4242 level="user 999:999, ..."
 *
 * A kind, then values by name: decimal numbers, and quoted texts in which everything is escaped
 * that is not printable ASCII. Pure.
 *
 * The writer decides what a reader of another version may leave out: a name or kind that ends in
 * `?` is optional (`starts?=3`). A reader skips what is optional and unknown to it. Anything else
 * that it does not know is an error, so it never skips what it should have understood. Both marks
 * are part of the form and not of the name: a reader that knows the value reads it as any other.
 */
#ifndef MASTER_RECORD_H
#define MASTER_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

#define RECORD_VALUES_MAX 64
#define RECORD_NAME_MAX   32

struct record_value {
	const char *name;
	size_t name_len;
	const char *text; /* after the `=`; a text with its quotes */
	size_t text_len;
	bool read;
	bool optional;
};

struct record {
	const char *kind;
	size_t kind_len;
	bool optional;
	struct record_value values[RECORD_VALUES_MAX];
	size_t count;
	unsigned line;
	struct err *err; /* gets the first failure … */
	bool failed;     /* … and then this is set; outputs are zero from then on */
};

/* Writing; the stream remembers errors. Kinds and names that end in `?` are optional. */
void record_begin(FILE *, const char *kind);
void record_put(FILE *, const char *name, int64_t value);
void record_put_text(FILE *, const char *name, const char *text);
void record_put_bytes(FILE *, const char *name, const void *data, size_t len);
void record_end(FILE *);

/* Reading: takes the next line of *text, which has len bytes, and moves on. False at the end, or if
 * the line does not have this form; then err has a sentence and failed is set. The record points
 * into the text. */
bool record_next(struct record *, const char **text, size_t *len, struct err *);
bool record_is(const struct record *, const char *kind);
/* Does it have a value of this name? Those that were added later may be missing. */
bool record_has(const struct record *, const char *name);
/* Within min..max, else failed. */
int64_t record_number(struct record *, const char *name, int64_t min, int64_t max);
/* Into size bytes, NUL-terminated; a longer text or a NUL in it is a failure. */
void record_text(struct record *, const char *name, char *ret, size_t size);
/* The same for a sentence that only people read: a longer one is cut. */
void record_sentence(struct record *, const char *name, char *ret, size_t size);
/* Exactly len bytes. */
void record_bytes(struct record *, const char *name, void *ret, size_t len);
/* Was every value asked for that is not optional? If not, it is a failure. */
bool record_done(struct record *);
/* Reads over the record, of a kind that the reader does not know: a failure unless it is
 * optional. */
void record_skip(struct record *);
void record_fail(struct record *, const char *why);

#endif

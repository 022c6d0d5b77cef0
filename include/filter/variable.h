/*
 * Texts of the configuration in which parts of the request stand: "${host}" and so on (conf/kinds.h
 * has the list; the configuration has checked the text).
 */
#ifndef FILTER_VARIABLE_H
#define FILTER_VARIABLE_H

#include <stddef.h>
#include <stdint.h>

#include "conf/kinds.h"
#include "http/exchange.h"

/* A variable, or the text between two of them. */
struct variable_part {
	enum conf_variable variable; /* CONF_NO_VARIABLE: the text */
	const char *text;            /* borrowed */
	size_t len;
};

/* Splits a text; returns the number of parts. There are at most so many. */
size_t variable_parts_most(const char *text);
size_t variable_parts(const char *text, struct variable_part *parts);

/*
 * Writes the text with the parts of this request, as they were sent: an escape stays one, and a
 * value has no control characters. The path and what is after the location's are those of
 * exchange_path_spell(); the host is in lower case, without its port. A part that the request does
 * not have, or that could not be read, is empty. Returns the length, or SIZE_MAX: out is too small.
 */
size_t variable_expand(const struct variable_part *, size_t count, const struct exchange *,
		       uint16_t port, char *out, size_t size);

/* What a variable of the client's certificate stands for, without control characters: empty if it
 * has shown none. NULL: the variable is another one. */
const char *variable_of_certificate(enum conf_variable, const struct exchange *);

#endif

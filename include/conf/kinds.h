/*
 * The kinds of handlers and filters that a location can have: the one list of them, and what the
 * configuration says about each.
 *
 * A kind is a line here with its options, src/conf/kind_WORD.c, which reads, checks and writes
 * them, and src/handler/WORD.c, which serves them. Every table of kinds is made from these lists.
 */
#ifndef CONF_KINDS_H
#define CONF_KINDS_H

#include <stddef.h>
#include <stdint.h>

/* KIND(constant, name). A handler answers the requests of its location; there is one in each. */
#define HANDLER_KINDS(KIND)      \
	KIND(RESPOND, respond)   \
	KIND(ECHO, echo)         \
	KIND(REDIRECT, redirect) \
	KIND(FAULT_CONTROL, fault_control)

/* A filter stands in front of the handler; a location may have several, in their order. */
#define FILTER_KINDS(KIND) KIND(FAULT, fault)

#define CONF_KIND(constant, name) CONF_##constant,
enum conf_handler { HANDLER_KINDS(CONF_KIND) CONF_HANDLERS };
enum conf_filter { FILTER_KINDS(CONF_KIND) CONF_FILTERS };
#undef CONF_KIND

/*
 * The options of a handler: conf_location.options points to the struct of its kind, which lives as
 * long as the configuration. Kinds without a struct here have none (NULL).
 */
struct conf_header {
	const char *name;
	const char *value;
};

struct conf_respond {
	const char *body; /* never NULL; may contain NUL bytes, and one more follows it */
	size_t body_len;
	uint32_t file; /* the body is this file: its index in conf_port.bodies, plus 1; 0: none */
	const char *type; /* unused if the status has no body. NULL: by the name of the file */
	struct conf_header *headers;
	uint32_t headers_count;
	uint32_t status;
};

struct conf_redirect {
	uint32_t status;
	/* Of RFC 3986: absolute, or a path. "${host}", "${target}", "${path}", "${query}",
	 * "${remainder}", "${scheme}" and "${port}" stand for parts of the request. */
	const char *url;
};

#endif

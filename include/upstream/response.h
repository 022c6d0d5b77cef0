/*
 * The parser of response heads: RFC 9112 sections 2 to 6, as a client that trusts no server.
 *
 * Pure, and as strict as that of requests (http/request.h): it refuses a head that is malformed or
 * that two readers could understand differently, for what it lets through goes on to a client.
 */
#ifndef UPSTREAM_RESPONSE_H
#define UPSTREAM_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/request.h"

/* Why a response is none; each has a sentence (upstream_fault_text()). */
enum upstream_fault {
	UPSTREAM_FAULT_NONE,
	UPSTREAM_FAULT_STATUS_LINE, /* none of HTTP/1 */
	UPSTREAM_FAULT_STATUS,      /* not 100 to 599 */
	UPSTREAM_FAULT_HEAD_LONG,
	UPSTREAM_FAULT_FIELDS_MANY,
	UPSTREAM_FAULT_FIELD,   /* malformed, folded, a bare CR or LF, a NUL */
	UPSTREAM_FAULT_LENGTH,  /* Content-Length: no number, too large, or several */
	UPSTREAM_FAULT_BOTH,    /* Content-Length and Transfer-Encoding */
	UPSTREAM_FAULT_CODING,  /* a Transfer-Encoding that is not chunked alone, or on 1.0 */
	UPSTREAM_FAULT_SWITCH,  /* 101 that was not asked for, or to another protocol */
	UPSTREAM_FAULT_INTERIM, /* too many 1xx */
	UPSTREAM_FAULT_CHUNK,   /* malformed chunked body */
	UPSTREAM_FAULT_TRAILER,
	UPSTREAM_FAULT_CUT, /* ended before its end */
	UPSTREAM_FAULTS
};
const char *upstream_fault_text(enum upstream_fault);

enum upstream_framing {
	UPSTREAM_BODY_NONE, /* 1xx, 204, 304, the response to HEAD; or length 0 */
	UPSTREAM_BODY_LENGTH,
	UPSTREAM_BODY_CHUNKED,
	UPSTREAM_BODY_CLOSE, /* to the end of the connection */
	UPSTREAM_TUNNEL      /* 101: no HTTP any more */
};

struct upstream_response {
	const char *head; /* the base of all slices; borrowed */
	uint32_t head_len;
	unsigned status;        /* 100 to 599 */
	unsigned version_minor; /* 0 or 1 */
	struct http_field fields[HTTP_HEADERS_MAX];
	unsigned fields_count;
	enum upstream_framing framing;
	bool has_length; /* content_length is that of the representation, also where there is no
			    body */
	uint64_t content_length;
	bool keep_alive; /* the connection may be used again after this response */
	bool upgrade;    /* Connection has the option upgrade */
};

/* What was asked, as far as it decides how a response is read. */
struct upstream_asked {
	bool head; /* HEAD */
	/* The value of Upgrade that was sent: 101 may come, to one of these protocols. NULL: none
	 * was asked for. */
	const char *upgrade;
	size_t upgrade_len;
};

/*
 * Parses the head at the front of data. > 0: its length with the blank line, and *ret points into
 * data; 0: it is not complete, *scan as in http_request_parse(); < 0: minus an enum upstream_fault,
 * and the most of *ret is undefined. Something else than HTTP/1 is refused with its first byte that
 * differs. The result never depends on how the bytes are split over calls.
 *
 * Where RFC 9112 leaves room:
 *  - borne: a status line without a reason, and without the blank before it; HTTP/1.2 to 1.9, which
 *    are 1.1; blanks between the name of a field and its colon (5.1); framing fields of a 1xx or
 *    204, which mean nothing there (6.3), but the connection is not used again;
 *  - refused: folded fields, bare CR and LF, blank lines before the status line, several or listed
 *    Content-Length even with equal values, every Transfer-Encoding but "chunked".
 */
long upstream_response_parse(const char *data, size_t len, size_t head_max, size_t *scan,
			     const struct upstream_asked *, struct upstream_response *ret);

static inline struct http_header upstream_response_field(const struct upstream_response *r,
							 unsigned index)
{
	const struct http_field *f = &r->fields[index];
	return (struct http_header){r->head + f->name.off, r->head + f->value.off, f->name.len,
				    f->value.len};
}

#endif

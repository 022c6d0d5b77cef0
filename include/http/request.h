/*
 * A request head, parsed: RFC 9112 sections 2 to 6, RFC 9110 for what the fields mean.
 *
 * The parser is pure: bytes in, offsets out, no allocation, no state but the scan position, nothing
 * kept. It is strict: what is malformed or could be read in two ways is refused.
 */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/refusal.h"

#define HTTP_HEADERS_MAX     100   /* fields in one head; more is 431 */
#define HTTP_HEAD_MAX        65536 /* no configuration allows a longer head */
#define HTTP_BLANK_LINES_MAX 8     /* before a request line; more is 400 */

enum http_method {
	HTTP_GET,
	HTTP_HEAD,
	HTTP_POST,
	HTTP_PUT,
	HTTP_DELETE,
	HTTP_CONNECT,
	HTTP_OPTIONS,
	HTTP_TRACE,
	HTTP_PATCH,
	HTTP_METHODS
};

/* The bit of a method in a set of them, e.g. struct handler's. */
#define HTTP_METHOD_BIT(m) (1u << (m))

const char *http_method_name(enum http_method);

/* A run of bytes in the head, as an offset so that the head may move. len 0 with off 0: absent. */
struct http_slice {
	uint32_t off;
	uint32_t len;
};

struct http_field {
	struct http_slice name;  /* as sent; compare without case */
	struct http_slice value; /* without the blanks around it */
};

enum http_framing { HTTP_BODY_NONE, HTTP_BODY_LENGTH, HTTP_BODY_CHUNKED };

struct http_request {
	const char *head; /* what the slices count from; borrowed */
	uint32_t head_len;
	enum http_method method;
	unsigned version_minor; /* HTTP/1.0 or HTTP/1.1 (and above: treated as 1.1) */
	struct http_slice
	    method_text; /* these three as sent; empty where the line is not readable */
	struct http_slice target;
	struct http_slice version;
	struct http_slice path;  /* of the target, as sent; "*" for OPTIONS *; may be empty */
	struct http_slice query; /* behind the "?", which query_present tells of */
	bool query_present;
	struct http_slice host; /* the authority that counts: the target's, else Host */
	struct http_field fields[HTTP_HEADERS_MAX];
	unsigned fields_count;
	enum http_framing framing;
	uint64_t content_length; /* with HTTP_BODY_LENGTH */
	bool keep_alive;         /* what the client asked for, by version and Connection */
	bool expect_continue;    /* never on 1.0, where it means nothing */

	/* Of a head that is refused, for its record: the line that is at fault, as far as it may be
	 * shown (of a field whose value may be a secret: the name alone). */
	struct http_slice excerpt;
	bool excerpt_cut; /* the line goes on behind it */
};

static inline const char *http_slice_at(const struct http_request *r, struct http_slice s)
{
	return r->head + s.off;
}

/*
 * Parses the head at the front of data.
 *   > 0  its length, the blank line's end included; *ret is filled and points into data
 *     0  not all there yet; *scan (0 for a new head) remembers how far it was searched, so that a
 *        head which comes byte by byte is not searched again from its start
 *   < 0  minus an enum http_refusal. method_text, target and version are filled if the request line
 *        could be read, excerpt shows what could not be, the rest is 0.
 * head_max bounds the head. A request line that alone exceeds it is judged by its method first: 501
 * where that is too long or unknown, else 414 (RFC 9112, 3). What else exceeds it is 431. Blank
 * lines (CRLF) before the request line are skipped and count as part of the head (RFC 9112, 2.2). A
 * bare LF is refused as soon as it is seen. How the bytes are split over calls never changes the
 * result.
 */
long http_request_parse(const char *data, size_t len, size_t head_max, size_t *scan,
			struct http_request *ret);

/* The first field of that name (given in lower case), or NULL. */
const struct http_field *http_request_field(const struct http_request *, const char *name);

/*
 * The path for routing: percent-decoded (an encoded "/" separates like any other), then dot
 * segments removed (RFC 3986, 5.2.4 and 6.2.2), empty segments kept, always beginning with "/"; an
 * empty one becomes "/". Returns its length, which is at most that of the path or 1, or minus an
 * enum http_refusal: a bad escape, an encoded NUL, a ".." above the root, no path at all, longer
 * than size. Not terminated.
 */
long http_path_normalize(const char *path, size_t len, char *out, size_t size);

#endif

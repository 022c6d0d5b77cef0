/*
 * The parser of request heads: RFC 9112 sections 2 to 6, RFC 9110 for the meaning of fields.
 *
 * The parser is pure: bytes in, offsets out; it allocates nothing and keeps no state except the
 * scan position. It is strict: it refuses a head that is malformed or that two readers could
 * understand differently.
 */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/refusal.h"

#define HTTP_HEADERS_MAX     100 /* fields in one head; more is 431 */
#define HTTP_BLANK_LINES_MAX 8   /* before a request line; more is 400 */

enum http_method {
	HTTP_GET,
	HTTP_HEAD,
	HTTP_POST,
	HTTP_PUT,
	HTTP_DELETE,
	HTTP_OPTIONS,
	HTTP_TRACE,
	HTTP_PATCH,
	/* those that the protocol must look at itself */
	HTTP_CONNECT,
	HTTP_OTHER, /* any other token: method_text has it; only some locations take it */
	HTTP_METHODS
};

/* The bit of a method in a set of methods, such as struct handler's. */
#define HTTP_METHOD_BIT(m) (1u << (m))

/* All but HTTP_OTHER. */
#define HTTP_METHODS_KNOWN (HTTP_METHOD_BIT(HTTP_OTHER) - 1)

const char *http_method_name(enum http_method); /* of HTTP_OTHER "?" */

/* A range of bytes in the head, as an offset so that the head may move. Absent: len 0 and off 0. */
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
	const char *head; /* the base of all slices; borrowed */
	uint32_t head_len;
	enum http_method method;
	unsigned version_minor;        /* HTTP/1.0 or HTTP/1.1; a higher one is treated as 1.1 */
	struct http_slice method_text; /* these three as sent; empty if the line cannot be read */
	struct http_slice target;
	struct http_slice version;
	struct http_slice path;  /* of the target, as sent; "*" for OPTIONS *; may be empty */
	struct http_slice query; /* after the "?"; valid if query_present */
	bool query_present;
	bool secure;            /* the target is an https URL */
	struct http_slice host; /* the effective authority: the target's, else Host */
	struct http_field fields[HTTP_HEADERS_MAX];
	unsigned fields_count;
	enum http_framing framing;
	uint64_t content_length; /* with HTTP_BODY_LENGTH */
	bool keep_alive;         /* what the client asked for, by version and Connection */
	bool upgrade;            /* Connection has the option upgrade; never on 1.0 */
	bool expect_continue;    /* never on 1.0, where it means nothing */

	/* For the record of a refused head: the line at fault, as far as it may be shown. Of a
	 * field whose value may be secret that is only the name. */
	struct http_slice excerpt;
	bool excerpt_cut; /* the line continues after the excerpt */
};

static inline const char *http_slice_at(const struct http_request *r, struct http_slice s)
{
	return r->head + s.off;
}

/*
 * Parses the head at the front of data.
 *   > 0  the length of the head with its blank line; *ret is filled and points into data
 *     0  the head is not complete; *scan (0 for a new head) remembers how far it was searched, so
 *        that a head which comes byte by byte is not searched from its start each time
 *   < 0  minus an enum http_refusal. method_text, target and version are filled if the request line
 *        could be read; else excerpt shows it. method is HTTP_HEAD if the head begins so. The
 *        rest is 0.
 * head_max bounds the head. A request line that alone exceeds it gets 501 if its method is too long
 * or unknown, else 414 (RFC 9112, 3); any other head that exceeds it gets 431. Blank lines (CRLF)
 * before the request line are skipped and count towards head_max (RFC 9112, 2.2). A bare LF is
 * refused as soon as it is seen. The result never depends on how the bytes are split over calls.
 */
long http_request_parse(const char *data, size_t len, size_t head_max, size_t *scan,
			struct http_request *ret);

/* Does the head at the front of data begin as one of HEAD, whatever follows? Ends of lines before
 * it are skipped. */
bool http_asks_head(const char *data, size_t len);

/* A field as text, of a request or of a response; neither part is terminated. */
struct http_header {
	const char *name;
	const char *value;
	uint32_t name_len;
	uint32_t value_len;
};

/* Is this word, in lower case, an element of the list that the field is (RFC 9110, 5.6.1), in any
 * case? A quoted string in it is an element as it stands, so no word. */
bool http_list_has(const struct http_header *, const char *word);

/* A constant one. */
#define HTTP_HEADER(name, value)                                 \
	{                                                        \
		name, value, sizeof(name) - 1, sizeof(value) - 1 \
	}

/* Walks the fields of a request in the order in which they were sent, repeated ones, too: *at is 0
 * at the beginning. False: there is no other. The texts live as long as the head. */
static inline bool http_request_next(const struct http_request *r, unsigned *at,
				     struct http_header *ret)
{
	if (*at >= r->fields_count)
		return false;
	const struct http_field *f = &r->fields[(*at)++];
	*ret = (struct http_header){http_slice_at(r, f->name), http_slice_at(r, f->value),
				    f->name.len, f->value.len};
	return true;
}

/*
 * The name of the host that a request is for, as hosts are compared: in lower case, without its
 * port and without a dot at its end; an IPv6 address in brackets and in the form of RFC 5952. It is
 * that of the target where the target has one, else that of Host (RFC 9112, 3.2.2). Returns its
 * length. 0: the request names none (HTTP/1.0), or it is longer than any name can be.
 */
#define HTTP_HOST_NAME_MAX 255
size_t http_host_name(const struct http_request *, char out[HTTP_HOST_NAME_MAX + 1]);

/* The first field with that name (given in lower case), or NULL. */
const struct http_field *http_request_field(const struct http_request *, const char *name);

/*
 * Normalizes a path for routing: decodes percent escapes (an encoded "/" separates like any other),
 * then removes dot segments (RFC 3986, 5.2.4 and 6.2.2), then makes one of slashes that follow each
 * other: who opens a file takes them as one, so "//a" must not find another location than "/a". The
 * result always begins with "/"; an empty path becomes "/". Returns the length of the result, at
 * most the larger of len and 1, not NUL-terminated. Or returns minus an enum http_refusal: a bad
 * escape, an encoded NUL, a ".." above the root, not a path, or longer than size.
 *
 * map (NULL: not wanted) has room for size + 1 offsets: map[i] is where the character out[i] begins
 * in path as it was sent, and the one after the last is len. They ascend, but not by ones: "%2f"
 * has three bytes, and what was removed lies between two of them.
 */
long http_path_normalize(const char *path, size_t len, char *out, uint16_t *map, size_t size);

/*
 * Writes how the first byte of a path or query, as it was sent, is spelled in a URL that a client
 * is sent to: as it is, or as an escape if RFC 3986 (3.3 and 3.4) has no such byte there. An escape
 * that was sent stays one. Returns 1 or 3.
 */
size_t http_url_spell(const char *sent, size_t len, char out[3]);

/* True: the path is normal as it was sent, so its map is the identity. False: it may still be. */
bool http_path_is_normal(const char *path, size_t len);

#endif

/*
 * The fields of heads and trailers that a proxy does not pass on as they come (RFC 9110, 7.6): it
 * knows them by name, or Connection names them.
 *
 * Pure: bytes in, answers out.
 */
#ifndef UPSTREAM_FIELD_H
#define UPSTREAM_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/request.h"

/* FIELD(constant, name, hop): every name that is known. None of them belongs into a trailer (RFC
 * 9110, 6.5.1). hop: it is about one connection, or about how a message is framed on it, and is
 * made for each (RFC 9110, 7.6.1). */
#define UPSTREAM_FIELDS(FIELD)                                            \
	FIELD(CONNECTION, "connection", true)                             \
	FIELD(CONTENT_LENGTH, "content-length", true)                     \
	FIELD(HTTP2_SETTINGS, "http2-settings", true)                     \
	FIELD(KEEP_ALIVE, "keep-alive", true)                             \
	FIELD(PROXY, "proxy", true) /* no field, but HTTP_PROXY to CGI */ \
	FIELD(PROXY_AUTHENTICATE, "proxy-authenticate", true)             \
	FIELD(PROXY_AUTHENTICATION, "proxy-authentication-info", true)    \
	FIELD(PROXY_AUTHORIZATION, "proxy-authorization", true)           \
	FIELD(PROXY_CONNECTION, "proxy-connection", true)                 \
	FIELD(TE, "te", true)                                             \
	FIELD(TRANSFER_ENCODING, "transfer-encoding", true)               \
	FIELD(UPGRADE, "upgrade", true)                                   \
	/* what a proxy makes, or judges */                               \
	FIELD(EXPECT, "expect", false)                                    \
	FIELD(FORWARDED, "forwarded", false)                              \
	FIELD(HOST, "host", false)                                        \
	FIELD(MAX_FORWARDS, "max-forwards", false)                        \
	FIELD(TRACEPARENT, "traceparent", false)                          \
	FIELD(TRACESTATE, "tracestate", false)                            \
	FIELD(TRAILER, "trailer", false)                                  \
	FIELD(VIA, "via", false)                                          \
	FIELD(X_FORWARDED_FOR, "x-forwarded-for", false)                  \
	FIELD(X_FORWARDED_HOST, "x-forwarded-host", false)                \
	FIELD(X_FORWARDED_PORT, "x-forwarded-port", false)                \
	FIELD(X_FORWARDED_PREFIX, "x-forwarded-prefix", false)            \
	FIELD(X_FORWARDED_PROTO, "x-forwarded-proto", false)              \
	FIELD(X_FORWARDED_OTHER, "x-forwarded-", false) /* all others */  \
	FIELD(X_REQUEST_ID, "x-request-id", false)                        \
	/* of responses */                                                \
	FIELD(CONTENT_LOCATION, "content-location", false)                \
	FIELD(DATE, "date", false)                                        \
	FIELD(LOCATION, "location", false)                                \
	FIELD(SERVER, "server", false)                                    \
	/* only no trailers */                                            \
	FIELD(AGE, "age", false)                                          \
	FIELD(AUTHORIZATION, "authorization", false)                      \
	FIELD(CACHE_CONTROL, "cache-control", false)                      \
	FIELD(CONTENT_ENCODING, "content-encoding", false)                \
	FIELD(CONTENT_RANGE, "content-range", false)                      \
	FIELD(CONTENT_TYPE, "content-type", false)                        \
	FIELD(COOKIE, "cookie", false)                                    \
	FIELD(EXPIRES, "expires", false)                                  \
	FIELD(IF_MATCH, "if-match", false)                                \
	FIELD(IF_MODIFIED_SINCE, "if-modified-since", false)              \
	FIELD(IF_NONE_MATCH, "if-none-match", false)                      \
	FIELD(IF_RANGE, "if-range", false)                                \
	FIELD(IF_UNMODIFIED_SINCE, "if-unmodified-since", false)          \
	FIELD(PRAGMA, "pragma", false)                                    \
	FIELD(RANGE, "range", false)                                      \
	FIELD(RETRY_AFTER, "retry-after", false)                          \
	FIELD(SET_COOKIE, "set-cookie", false)                            \
	FIELD(VARY, "vary", false)                                        \
	FIELD(WWW_AUTHENTICATE, "www-authenticate", false)

#define UPSTREAM_FIELD(constant, name, hop) UPSTREAM_##constant,
enum upstream_field { UPSTREAM_FIELDS(UPSTREAM_FIELD) UPSTREAM_NO_FIELD };
#undef UPSTREAM_FIELD

/*
 * Which one it is, in any case; UPSTREAM_NO_FIELD: another one. Names are compared as programs get
 * them from CGI and its descendants, to whom X_Forwarded_For and X-Forwarded-For are the same: any
 * byte but a letter or digit counts as "-". *ret_alike: the name is only like it, not the same.
 */
enum upstream_field upstream_field_find(const char *name, size_t len, bool *ret_alike);

/* Are two names the same in that sense? */
bool upstream_names_alike(const char *a, size_t a_len, const char *b, size_t b_len);

bool upstream_field_is_hop(enum upstream_field);

/* Where the fields Connection of a head are: among these. */
struct upstream_options {
	const char *head;
	const struct http_field *fields;
	unsigned count;
};

/* May it be passed on in a trailer? Not if it belongs into a head (RFC 9110, 6.5.1), or if
 * Connection names it (7.6.1); NULL: there is none. */
bool upstream_trailer_passes(const struct http_header *, const struct upstream_options *);

/* Which fields of a head its fields Connection name: one bit each. */
struct upstream_named {
	uint64_t bits[(HTTP_HEADERS_MAX + 63) / 64];
};

#define UPSTREAM_OPTIONS_MAX 64 /* of Connection in one head */

/* False: Connection has too many options. */
bool upstream_named_read(const char *head, const struct http_field *fields, unsigned count,
			 struct upstream_named *ret);
static inline bool upstream_is_named(const struct upstream_named *n, unsigned index)
{
	return (n->bits[index / 64] >> index % 64 & 1) != 0;
}

#endif

/*
 * The kinds of handlers and filters that a location can have: the one list of them, and what the
 * configuration says about each.
 *
 * A kind is a line here with its options, src/conf/kind_WORD.c, which reads, checks and writes
 * them, and src/handler/WORD.c, which serves them. Every table of kinds is made from these lists.
 */
#ifndef CONF_KINDS_H
#define CONF_KINDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compression.h"
#include "base/network.h"

/* KIND(constant, name). A handler answers the requests of its location; there is one in each. */
#define HANDLER_KINDS(KIND)      \
	KIND(RESPOND, respond)   \
	KIND(ECHO, echo)         \
	KIND(REDIRECT, redirect) \
	KIND(FILES, files)       \
	KIND(PROXY, proxy)       \
	KIND(FAULT_CONTROL, fault_control)

/*
 * A filter stands in front of the handler. A location has at most one of each kind, in this order:
 * requests meet the first one first, and the heads of responses the last one first. The rules for
 * headers have the last word about a head, so they are the outermost. Which clients may come in is
 * asked before anything that costs more or shows more; a browser's question whether it may ask
 * (CORS) comes before what needs credentials, which it sends none of; faults come after it, so that
 * they are of the requests that would be served. What is compressed is what the handler sends, and
 * what is paced is what goes out, compressed or not. The rules for the heads that go on to
 * upstreams are those of the handler `proxy`, which reads them itself.
 */
#define FILTER_KINDS(KIND)               \
	KIND(HEADER, header)             \
	KIND(CLIENTS, clients)           \
	KIND(CORS, cors)                 \
	KIND(AUTHENTICATE, authenticate) \
	KIND(RATE, rate)                 \
	KIND(FAULT, fault)               \
	KIND(COMPRESS, compress)         \
	KIND(REQUEST, request)

/* CONF_FILTER_FAULT and so on: some filters have the name of a handler or a limit. */
#define CONF_KIND(constant, name)        CONF_##constant,
#define CONF_FILTER_KIND(constant, name) CONF_FILTER_##constant,
enum conf_handler { HANDLER_KINDS(CONF_KIND) CONF_HANDLERS };
enum conf_filter { FILTER_KINDS(CONF_FILTER_KIND) CONF_FILTERS };
#undef CONF_KIND
#undef CONF_FILTER_KIND

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

/* VARIABLE(constant, word, of_path): a part of the request, written "${word}" in the URL of a
 * redirection and in the value of a header. Those of a path are empty or begin with "/". */
#define CONF_VARIABLES(VARIABLE)                                                   \
	VARIABLE(HOST, "host", false)                                              \
	VARIABLE(TARGET, "target", true)                                           \
	VARIABLE(PATH, "path", true)                                               \
	VARIABLE(QUERY, "query", false)                                            \
	VARIABLE(REMAINDER, "remainder", true)                                     \
	VARIABLE(SCHEME, "scheme", false)                                          \
	VARIABLE(PORT, "port", false)                                              \
	VARIABLE(CLIENT, "client", false)                                          \
	VARIABLE(REQUEST_ID, "request-id", false)                                  \
	VARIABLE(CERTIFICATE_SUBJECT, "client-certificate-subject", false)         \
	VARIABLE(CERTIFICATE_ISSUER, "client-certificate-issuer", false)           \
	VARIABLE(CERTIFICATE_SERIAL, "client-certificate-serial", false)           \
	VARIABLE(CERTIFICATE_FINGERPRINT, "client-certificate-fingerprint", false) \
	VARIABLE(CERTIFICATE_SAN, "client-certificate-san", false)

#define CONF_VARIABLE(constant, word, of_path) CONF_VARIABLE_##constant,
enum conf_variable { CONF_VARIABLES(CONF_VARIABLE) CONF_NO_VARIABLE };
#undef CONF_VARIABLE

struct conf_redirect {
	uint32_t status;
	/* Of RFC 3986 with such variables: absolute, or a path. In an absolute one the host is not
	 * empty, and no query is in it. */
	const char *url;
};

/* `precompressed`, in the order of its words. */
enum conf_coding { CONF_BR, CONF_ZSTD, CONF_GZIP, CONF_CODINGS };

/* `type`: the media type of files by the ends of their names. */
struct conf_media_type {
	const char *type;
	/* In lower case, without the dot. None: the type of all files that no other one names. */
	const char **extensions;
	uint32_t extensions_count;
};

struct conf_files {
	uint32_t root;      /* the folder: its index in conf_port.roots */
	const char *path;   /* of the folder; NULL: it had a mistake */
	const char **index; /* names of files that stand for their folder, the first comes first */
	uint32_t index_count;
	bool listing;
	bool hidden;      /* names that begin with a dot are served as others are */
	bool unkept;      /* no file is kept open for the next request */
	bool no_symlinks; /* else those that stay beneath the root are followed */
	/* A path beneath the root that begins with "/": what is served where there is no file;
	 * NULL: none. */
	const char *fallback;
	const char *cache;                   /* of Cache-Control; NULL: none */
	const char *charset;                 /* of text; NULL: none */
	uint8_t precompressed[CONF_CODINGS]; /* enum conf_coding, the first comes first */
	uint32_t precompressed_count;
	struct conf_media_type *types; /* each extension once; before the types of the system */
	uint32_t types_count;
};

/* `proxy`: requests go on to an upstream. */
enum conf_proxy_host { CONF_PROXY_HOST_KEEP, CONF_PROXY_HOST_UPSTREAM, CONF_PROXY_HOST_NAME };
enum conf_forwarded { CONF_FORWARDED = 1, CONF_X_FORWARDED = 2 };

struct conf_proxy {
	uint32_t upstream; /* its index in conf_port.upstreams */
	/* `path`: what the path upstream begins with, in place of its first part; NULL: the path
	 * stays as it is. Both are normalized. */
	const char *path_from, *path_to;
	enum conf_proxy_host host;
	const char *host_name;                    /* CONF_PROXY_HOST_NAME; else NULL */
	unsigned forwarded;                       /* a set of enum conf_forwarded */
	uint64_t buffer_request, buffer_response; /* bytes */
	bool via;                                 /* a field Via is added in both directions */
	bool keep_server;                         /* Server of the upstream is passed on */
	bool make_traceparent;                    /* where the request has none */
	bool no_upgrade;                          /* no tunnels */
};

/*
 * The options of a filter: conf_filters.options points to the struct of its kind. Faults have none:
 * they are in conf_location.
 */

/* `rate`: of the body of a response; 0: off, in spite of the place around. */
struct conf_rate {
	uint64_t bytes_per_second;
};

/* `header`: rules for the heads of responses, those of an outer place before its own; and
 * `request header`: for those that go on to upstreams, without statuses. */
enum conf_header_operation { CONF_HEADER_SET, CONF_HEADER_ADD, CONF_HEADER_REMOVE };

struct conf_headers {
	const struct conf_headers *outer; /* NULL: there are none */
	struct conf_header_rule {
		enum conf_header_operation operation;
		const char *name;
		const char *value;  /* may have variables; NULL: to remove it */
		bool always;        /* for every status */
		uint32_t *statuses; /* else for these; none: for 200 to 399 */
		uint32_t statuses_count;
	} * rules;
	uint32_t rules_count;
};

/* `cors`: which sites may read responses from a browser. */
struct conf_cors_words {
	const char **list;
	uint32_t count;
};

struct conf_cors {
	bool off;        /* in place of that of an outer place */
	bool any;        /* every origin; then there are none by name */
	bool any_header; /* what a preflight asks for; then headers are none */
	bool credentials;
	bool has_max_age;
	uint32_t max_age_s;
	unsigned methods; /* a set of CONF_METHOD_BIT (conf/conf.h); 0: those of the location */
	struct conf_cors_words origins, headers, expose;
};

/* `allow` and `deny`: the first rule that has the address of a client counts; without one it may
 * come in. */
struct conf_clients {
	struct conf_clients_rule {
		struct network network;
		bool deny;
	} * rules;
	uint32_t rules_count;
};

/* `compress`. */
struct conf_compress {
	uint8_t codings[COMPRESSIONS_COUNT]; /* enum compression; the first comes first */
	uint8_t levels[COMPRESSIONS_COUNT];  /* by enum compression */
	uint32_t codings_count;              /* 0: nothing is compressed */
	uint64_t least;     /* bytes of a response that is worth it; a length that is unknown is */
	const char **types; /* of media, without parameters; one "*" in each stands for any part */
	uint32_t types_count;
};

/* `authenticate`: a client comes in with a password of this file (RFC 7617). */
struct conf_authenticate {
	const char *realm; /* NULL: `off` */
	const char *path;  /* of the file, in conf_port.passwords, too; NULL: it had a mistake */
};

#endif

/* Compressed responses: which ones, in which coding, what their heads say, and that the bytes are
 * the same after decompression, however they come and go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <brotli/decode.h>
#include <malloc.h>
#include <zlib.h>
#include <zstd.h>

#include "../http_peer.h"
#include "base/holding.h"
#include "filter/compress_coder.h"
#include "filter/compress_stream.h"
#include "filter/kinds.h"
#include "net/loop.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const words[COMPRESSIONS_COUNT] = {
    [COMPRESSION_GZIP] = "gzip", [COMPRESSION_ZSTD] = "zstd", [COMPRESSION_BR] = "br"};

/* --- decompression ---------------------------------------------------------------------------- */

struct bytes {
	uint8_t *data;
	size_t len, size;
};

static void bytes_add(struct bytes *b, const void *data, size_t len)
{
	if (b->size - b->len < len) {
		b->size = (b->len + len) * 2;
		b->data = realloc(b->data, b->size);
	}
	if (len > 0)
		memcpy(b->data + b->len, data, len);
	b->len += len;
}

static void bytes_free(struct bytes *b)
{
	free(b->data);
	*b = (struct bytes){.data = NULL};
}

/* Does the stream end, and at its last byte? */
static bool gzip_read(const struct bytes *in, struct bytes *ret)
{
	z_stream z = {.next_in = in->data, .avail_in = (unsigned)in->len};
	uint8_t out[4096];
	int result = inflateInit2(&z, 15 + 16);
	while (result == Z_OK) {
		z.next_out = out;
		z.avail_out = sizeof(out);
		result = inflate(&z, Z_NO_FLUSH);
		bytes_add(ret, out, sizeof(out) - z.avail_out);
	}
	(void)inflateEnd(&z);
	return result == Z_STREAM_END && z.avail_in == 0;
}

static bool zstd_read(const struct bytes *in, struct bytes *ret)
{
	ZSTD_DCtx *context = ZSTD_createDCtx();
	ZSTD_inBuffer from = {.src = in->data, .size = in->len};
	static uint8_t out[262144];
	ZSTD_outBuffer to = {.dst = out, .size = sizeof(out)};
	size_t left;
	(void)ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, 23); /* RFC 9659 */
	do {
		to.pos = 0;
		left = ZSTD_decompressStream(context, &to, &from);
		if (!ZSTD_isError(left))
			bytes_add(ret, out, to.pos);
	} while (!ZSTD_isError(left) && left != 0 && (from.pos < from.size || to.pos == to.size));
	(void)ZSTD_freeDCtx(context);
	return left == 0 && from.pos == from.size;
}

static bool br_read(const struct bytes *in, struct bytes *ret)
{
	BrotliDecoderState *state = BrotliDecoderCreateInstance(NULL, NULL, NULL);
	const uint8_t *at = in->data;
	size_t left = in->len;
	uint8_t out[4096];
	BrotliDecoderResult result;
	do {
		uint8_t *to = out;
		size_t room = sizeof(out);
		result = BrotliDecoderDecompressStream(state, &left, &at, &room, &to, NULL);
		bytes_add(ret, out, sizeof(out) - room);
	} while (result == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT);
	BrotliDecoderDestroyInstance(state);
	return result == BROTLI_DECODER_RESULT_SUCCESS && left == 0;
}

/* What can be read of a stream, whether or not it has ended. */
static bool coding_read(unsigned coding, const struct bytes *in, struct bytes *ret)
{
	switch ((enum compression)coding) {
	case COMPRESSION_GZIP:
		return gzip_read(in, ret);
	case COMPRESSION_ZSTD:
		return zstd_read(in, ret);
	case COMPRESSION_BR:
		return br_read(in, ret);
	case COMPRESSIONS_COUNT:
		break;
	}
	return false;
}

/* --- a handler -------------------------------------------------------------------------------- */

struct source {
	const struct http_header *fields;
	size_t fields_count;
	unsigned status;
	bool unknown; /* the length */
	size_t len;
	size_t piece;                   /* bytes given at a time; 0: all for which there is room */
	bool trickles;                  /* after each piece it has none for now */
	size_t fails_after, ends_after; /* bytes; 0: it does not */
	bool random;
	const size_t *allowed; /* bytes until now; NULL: all */
};

struct source_state {
	size_t given;
	bool rests;
};

static size_t source_read; /* bytes, by all */

static uint8_t source_byte(const struct source *c, size_t i)
{
	static const char text[] = "<p>Compression of text that repeats itself</p>\n";
	if (c->random)
		return (uint8_t)(i * 2654435761U >> 13 ^ i * i >> 3);
	return (uint8_t)(text[i % (sizeof(text) - 1)] + (i / 4096) % 3);
}

static void source_begin(struct exchange *ex)
{
	const struct source *c = ex->config;
	exchange_respond(ex, c->status, c->unknown ? HTTP_LENGTH_UNKNOWN : c->len, c->fields,
			 c->fields_count);
}

static long source_give(struct exchange *ex, uint8_t *out, size_t size)
{
	const struct source *c = ex->config;
	struct source_state *s = (void *)ex->state;
	if (c->fails_after > 0 && s->given >= c->fails_after)
		return GIVE_FAIL;
	if (s->given >= (c->ends_after > 0 ? c->ends_after : c->len))
		return GIVE_END;
	if (c->allowed != NULL && s->given >= *c->allowed)
		return GIVE_LATER;
	s->rests = c->trickles && !s->rests;
	if (s->rests && s->given > 0)
		return GIVE_LATER;
	size_t n = c->len - s->given;
	n = n < size ? n : size;
	n = c->piece > 0 && c->piece < n ? c->piece : n;
	for (size_t i = 0; i < n; i++)
		out[i] = source_byte(c, s->given + i);
	s->given += n;
	source_read += n;
	return (long)n;
}

static const struct handler source = {
    .methods = UINT32_MAX, .begin = source_begin, .give = source_give};

static const struct http_header html[] = {HTTP_HEADER("Content-Type", "text/html; charset=utf-8"),
					  HTTP_HEADER("ETag", "\"tag\""),
					  HTTP_HEADER("Accept-Ranges", "bytes")};

extern const struct filter_kind filter_kind_compress;

/* --- a port ----------------------------------------------------------------------------------- */

static const char *all_types[] = {"text/*", "application/json", "application/*+json"};

static const struct conf_compress all = {
    .codings = {COMPRESSION_GZIP, COMPRESSION_ZSTD, COMPRESSION_BR},
    .levels = {[COMPRESSION_GZIP] = 5, [COMPRESSION_ZSTD] = 3, [COMPRESSION_BR] = 4},
    .codings_count = 3,
    .least = 1024,
    .types = all_types,
    .types_count = COUNT(all_types),
};

struct site {
	struct peer *peer;
	struct http_location_filter filter;
	void *locals[2];
	struct holdings holdings;
	struct loop loop;
	struct bytes body, plain;
	bool ended; /* the last chunk came */
};

static void site_begin(struct site *s, const struct conf_compress *config, bool has_loop)
{
	*s = (struct site){.peer = peer_new()};
	struct peer *p = s->peer;
	p->location.handler = &source;
	s->filter = (struct http_location_filter){
	    .filter = filter_kind_compress.filter, .config = config, .local = 1};
	p->location.filters = &s->filter;
	p->location.filters_count = 1;
	p->loop.locals = s->locals;
	p->loop.holdings = &s->holdings;
	if (has_loop) {
		assert_int_equal(loop_init(&s->loop), 0);
		p->loop.events = &s->loop;
	}
	assert_int_equal(filter_kind_compress.filter->open(&p->loop, config, &s->locals[1]), 0);
}

static void site_end(struct site *s)
{
	struct holding sum = {0};
	http1_ops.release(&s->peer->http1.proto);
	filter_kind_compress.filter->close(s->locals[1]);
	assert_null(s->peer->loop.compress);
	http1_ops.init(&s->peer->http1.proto, &s->peer->loop, s->peer, &s->peer->client);
	(void)sum;
	if (s->peer->loop.events != NULL)
		loop_release(&s->loop);
	peer_free(s->peer);
	bytes_free(&s->body);
	bytes_free(&s->plain);
}

/* Splits the body of the only response so far into s->body. */
static void body_split(struct site *s)
{
	const char *head = peer_out(s->peer), *at = strstr(head, "\r\n\r\n");
	const char *end = head + s->peer->out_len;
	assert_non_null(at);
	at += 4;
	s->body.len = 0;
	s->ended = false;
	const char *chunked = strstr(head, "Transfer-Encoding: chunked");
	if (chunked == NULL || chunked > at) {
		bytes_add(&s->body, at, (size_t)(end - at));
		s->ended = true;
		return;
	}
	while (at < end && !s->ended) {
		char *line;
		const size_t n = strtoul(at, &line, 16);
		assert_memory_equal(line, "\r\n", 2);
		s->ended = n == 0;
		if (n > 0)
			bytes_add(&s->body, line + 2, n);
		at = line + 2 + n + 2;
	}
}

static void site_ask(struct site *s, const struct source *c, const char *request)
{
	s->peer->location.config = c;
	peer_out_clear(s->peer);
	peer_send(s->peer, request);
}

static void source_goes_on(struct site *s)
{
	struct exchange *ex = s->peer->http1.exchange;
	assert_non_null(ex);
	exchange_wake(ex);
	peer_run(s->peer);
}

/* Runs the loop until the response has ended. */
static void site_run(struct site *s)
{
	for (unsigned i = 0; s->peer->http1.exchange != NULL && i < 100000; i++) {
		if (s->peer->loop.events != NULL)
			(void)loop_turn(&s->loop, 0);
		source_goes_on(s);
	}
	assert_null(s->peer->http1.exchange);
}

static const char *field(const struct site *s, const char *name)
{
	static char value[256];
	char line[64];
	const char *head = peer_out(s->peer), *end = strstr(head, "\r\n\r\n");
	(void)snprintf(line, sizeof(line), "\r\n%s: ", name);
	const char *at = strstr(head, line);
	if (at == NULL || at > end)
		return NULL;
	at += strlen(line);
	(void)snprintf(value, sizeof(value), "%.*s", (int)strcspn(at, "\r"), at);
	return value;
}

static void assert_field(const struct site *s, const char *name, const char *expected)
{
	const char *value = field(s, name);
	if (expected == NULL ? value != NULL : value == NULL || strcmp(value, expected) != 0)
		fail_msg("%s is %s and not %s in\n%s", name, value != NULL ? value : "missing",
			 expected != NULL ? expected : "missing", peer_out(s->peer));
}

/* Is the response that came c's, in this coding? COMPRESSIONS_COUNT: in none. */
static void assert_response(struct site *s, const struct source *c, unsigned coding)
{
	body_split(s);
	assert_true(s->ended);
	s->plain.len = 0;
	assert_field(s, "Content-Encoding", coding < COMPRESSIONS_COUNT ? words[coding] : NULL);
	if (coding < COMPRESSIONS_COUNT)
		assert_true(coding_read(coding, &s->body, &s->plain));
	else
		bytes_add(&s->plain, s->body.data, s->body.len);
	assert_int_equal(s->plain.len, c->len);
	for (size_t i = 0; i < c->len; i++)
		if (s->plain.data[i] != source_byte(c, i))
			fail_msg("byte %zu is another one", i);
}

#define GET(more) "GET /test HTTP/1.1\r\nHost: a\r\n" more "\r\n"

/* --- negotiation ------------------------------------------------------------------------------ */

static void the_client_wants_most_what_it_gets(void **state)
{
	static const struct source page = {
	    .status = 200, .fields = html, .fields_count = 3, .len = 5000};
	static const struct {
		const char *request;
		unsigned coding;
	} cases[] = {
	    {GET(""), COMPRESSIONS_COUNT},
	    {GET("Accept-Encoding:\r\n"), COMPRESSIONS_COUNT},
	    {GET("Accept-Encoding: identity\r\n"), COMPRESSIONS_COUNT},
	    {GET("Accept-Encoding: deflate\r\n"), COMPRESSIONS_COUNT},
	    {GET("Accept-Encoding: gzip\r\n"), COMPRESSION_GZIP},
	    {GET("Accept-Encoding: x-gzip\r\n"), COMPRESSION_GZIP},
	    {GET("Accept-Encoding: GZIP\r\n"), COMPRESSION_GZIP},
	    {GET("Accept-Encoding: br\r\n"), COMPRESSION_BR},
	    {GET("Accept-Encoding: zstd\r\n"), COMPRESSION_ZSTD},
	    {GET("Accept-Encoding: deflate, br, zstd, gzip\r\n"), COMPRESSION_GZIP},
	    {GET("Accept-Encoding: br, zstd\r\n"), COMPRESSION_ZSTD},
	    {GET("Accept-Encoding: br\r\nAccept-Encoding: zstd\r\n"), COMPRESSION_ZSTD},
	    {GET("Accept-Encoding: gzip;q=0.5, br\r\n"), COMPRESSION_BR},
	    {GET("Accept-Encoding: gzip;q=0.501, br;q=0.500, zstd;q=0.5\r\n"), COMPRESSION_GZIP},
	    {GET("Accept-Encoding: gzip;q=0, br;q=0.001\r\n"), COMPRESSION_BR},
	    {GET("Accept-Encoding: gzip;q=0\r\n"), COMPRESSIONS_COUNT},
	    {GET("Accept-Encoding: gzip;q=2\r\n"), COMPRESSIONS_COUNT},
	    {GET("Accept-Encoding: gzip;q=0.5, identity\r\n"), COMPRESSIONS_COUNT},
	    {GET("Accept-Encoding: gzip;q=0.5, identity;q=0.5\r\n"), COMPRESSION_GZIP},
	    {GET("Accept-Encoding: gzip;q=0.1, identity;q=0\r\n"), COMPRESSION_GZIP},
	    {GET("Accept-Encoding: identity;q=0\r\n"), COMPRESSIONS_COUNT},
	    {GET("Accept-Encoding: *\r\n"), COMPRESSION_GZIP},
	    {GET("Accept-Encoding: *;q=0\r\n"), COMPRESSIONS_COUNT},
	    {GET("Accept-Encoding: *, gzip;q=0\r\n"), COMPRESSION_ZSTD},
	    {GET("Accept-Encoding: *;q=0, br\r\n"), COMPRESSION_BR},
	    {"GET /test HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n", COMPRESSIONS_COUNT},
	};
	struct site s;
	(void)state;
	site_begin(&s, &all, false);
	for (size_t i = 0; i < COUNT(cases); i++) {
		const bool old = strstr(cases[i].request, "HTTP/1.0") != NULL;
		site_ask(&s, &page, cases[i].request);
		assert_response(&s, &page, cases[i].coding);
		assert_field(&s, "Vary", "Accept-Encoding");
		if (cases[i].coding < COMPRESSIONS_COUNT) {
			assert_field(&s, "ETag", "W/\"tag\"");
			assert_field(&s, "Accept-Ranges", NULL);
			assert_field(&s, "Content-Length", NULL);
			assert_true(s.body.len < 1000);
		} else {
			assert_field(&s, "ETag", "\"tag\"");
			assert_field(&s, "Accept-Ranges", "bytes");
			assert_field(&s, "Content-Length", "5000");
		}
		assert_true(old || s.peer->http1.state == HTTP1_IDLE);
	}
	site_end(&s);
}

static void the_order_of_the_statement_decides_between_equals(void **state)
{
	static const struct source page = {
	    .status = 200, .fields = html, .fields_count = 3, .len = 5000};
	static const uint8_t orders[][COMPRESSIONS_COUNT] = {
	    {COMPRESSION_BR, COMPRESSION_GZIP, COMPRESSION_ZSTD},
	    {COMPRESSION_ZSTD, COMPRESSION_BR, COMPRESSION_GZIP},
	    {COMPRESSION_GZIP, COMPRESSION_ZSTD, COMPRESSION_BR}};
	(void)state;
	for (size_t i = 0; i < COUNT(orders); i++)
		for (uint32_t n = 1; n <= COMPRESSIONS_COUNT; n++) {
			struct conf_compress config = all;
			struct site s;
			memcpy(config.codings, orders[i], sizeof(config.codings));
			config.codings_count = n;
			site_begin(&s, &config, false);
			site_ask(&s, &page, GET("Accept-Encoding: gzip, zstd, br\r\n"));
			assert_response(&s, &page, orders[i][0]);
			site_ask(&s, &page, GET("Accept-Encoding: *;q=0.5, gzip;q=0.4\r\n"));
			assert_response(&s, &page,
					orders[i][0] != COMPRESSION_GZIP ? orders[i][0]
					: n == 1                         ? COMPRESSIONS_COUNT
									 : orders[i][1]);
			site_end(&s);
		}
}

/* --- which responses -------------------------------------------------------------------------- */

#define FIELDS(...)                                \
	(const struct http_header[]){__VA_ARGS__}, \
	    COUNT(((const struct http_header[]){__VA_ARGS__}))
#define TYPE(type) HTTP_HEADER("Content-Type", type)

enum outcome { AS_IT_IS, VARIES, COMPRESSED };

static void only_what_may_be_is_compressed(void **state)
{
	const struct {
		unsigned status;
		size_t len;
		bool unknown;
		const struct http_header *fields;
		size_t fields_count;
		enum outcome outcome;
	} cases[] = {
	    /* types */
	    {200, 5000, false, FIELDS(TYPE("text/plain")), COMPRESSED},
	    {200, 5000, false, FIELDS(TYPE("TEXT/Plain ; charset=x")), COMPRESSED},
	    {200, 5000, false, FIELDS(TYPE("application/json;charset=utf-8")), COMPRESSED},
	    {200, 5000, false, FIELDS(TYPE("application/problem+json")), COMPRESSED},
	    {200, 5000, false, FIELDS(TYPE("application/jsonp")), AS_IT_IS},
	    {200, 5000, false, FIELDS(TYPE("application/")), AS_IT_IS},
	    {200, 5000, false, FIELDS(TYPE("application/+jso")), AS_IT_IS},
	    {200, 5000, false, FIELDS(TYPE("textual/plain")), AS_IT_IS},
	    {200, 5000, false, FIELDS(TYPE("image/png")), AS_IT_IS},
	    {200, 5000, false, FIELDS(TYPE("")), AS_IT_IS},
	    {200, 5000, false, FIELDS(HTTP_HEADER("X-Type", "text/plain")), AS_IT_IS},
	    /* lengths */
	    {200, 0, false, FIELDS(TYPE("text/plain")), AS_IT_IS},
	    {200, 1023, false, FIELDS(TYPE("text/plain")), AS_IT_IS},
	    {200, 1024, false, FIELDS(TYPE("text/plain")), COMPRESSED},
	    {200, 0, true, FIELDS(TYPE("text/plain")), COMPRESSED},
	    {200, 1, true, FIELDS(TYPE("text/plain")), COMPRESSED},
	    {200, 5000, true, FIELDS(TYPE("text/plain")), COMPRESSED},
	    /* statuses */
	    {201, 5000, false, FIELDS(TYPE("text/plain")), COMPRESSED},
	    {204, 0, false, FIELDS(TYPE("text/plain")), AS_IT_IS},
	    {205, 0, false, FIELDS(TYPE("text/plain")), AS_IT_IS},
	    {206, 5000, false,
	     FIELDS(TYPE("text/plain"), HTTP_HEADER("Content-Range", "bytes 0-4999/9999")), VARIES},
	    {206, 5000, true, FIELDS(TYPE("multipart/byteranges; boundary=a")), VARIES},
	    {206, 5000, false, FIELDS(TYPE("image/png")), AS_IT_IS},
	    {302, 5000, false, FIELDS(TYPE("text/html")), COMPRESSED},
	    {304, 0, false, FIELDS(HTTP_HEADER("ETag", "\"a\"")), VARIES},
	    {404, 5000, false, FIELDS(TYPE("text/html")), COMPRESSED},
	    {416, 5000, false,
	     FIELDS(TYPE("text/html"), HTTP_HEADER("Content-Range", "bytes */9999")), VARIES},
	    {503, 5000, false, FIELDS(TYPE("text/html")), COMPRESSED},
	    /* what must not be changed */
	    {200, 5000, false, FIELDS(TYPE("text/html"), HTTP_HEADER("Content-Encoding", "br")),
	     AS_IT_IS},
	    {200, 5000, false,
	     FIELDS(TYPE("text/html"), HTTP_HEADER("content-encoding", "identity")), AS_IT_IS},
	    {304, 0, false, FIELDS(HTTP_HEADER("Content-Encoding", "gzip")), AS_IT_IS},
	    {200, 5000, false,
	     FIELDS(TYPE("text/html"), HTTP_HEADER("Cache-Control", "no-transform")), AS_IT_IS},
	    {200, 5000, false,
	     FIELDS(TYPE("text/html"), HTTP_HEADER("Cache-Control", "public , No-Transform ,x")),
	     AS_IT_IS},
	    {200, 5000, false,
	     FIELDS(TYPE("text/html"), HTTP_HEADER("Cache-Control", "no-transforms, no-store")),
	     COMPRESSED},
	    {206, 5000, false,
	     FIELDS(TYPE("text/html"), HTTP_HEADER("Cache-Control", "no-transform")), AS_IT_IS},
	};
	static const char *const methods[] = {"GET", "HEAD", "POST"};
	static const char *const accepts[] = {"", "Accept-Encoding: gzip\r\n"};
	struct site s;
	(void)state;
	site_begin(&s, &all, false);
	for (size_t i = 0; i < COUNT(cases); i++)
		for (size_t m = 0; m < COUNT(methods); m++)
			for (size_t a = 0; a < COUNT(accepts); a++) {
				const struct source c = {.status = cases[i].status,
							 .fields = cases[i].fields,
							 .fields_count = cases[i].fields_count,
							 .len = cases[i].len,
							 .unknown = cases[i].unknown};
				const bool compressed = cases[i].outcome == COMPRESSED && a == 1;
				char request[256];
				(void)snprintf(request, sizeof(request),
					       "%s /test HTTP/1.1\r\nHost: a\r\n%s"
					       "Content-Length: 0\r\n\r\n",
					       methods[m], accepts[a]);
				site_ask(&s, &c, request);
				assert_field(&s, "Vary",
					     cases[i].outcome == AS_IT_IS ? NULL
									  : "Accept-Encoding");
				if (m == 1) {
					assert_field(&s, "Content-Length",
						     compressed || c.unknown || c.status == 304 ||
							     c.status == 204
							 ? NULL
							 : field(&s, "Content-Length"));
					if (compressed)
						assert_field(&s, "Content-Encoding", "gzip");
					body_split(&s);
					assert_int_equal(s.peer->body_sent, 0);
				} else if (compressed) {
					assert_response(&s, &c, COMPRESSION_GZIP);
				} else if (c.status != 204 && c.status != 304) {
					body_split(&s);
					assert_int_equal(s.body.len, c.len);
				}
				assert_int_equal(s.peer->http1.state, HTTP1_IDLE);
				assert_int_equal(s.peer->status, c.status);
			}
	site_end(&s);
}

/* The head of HEAD is that of GET, whatever the response is. */
static void head_has_the_head_of_get(void **state)
{
	struct site s;
	(void)state;
	site_begin(&s, &all, false);
	for (unsigned coding = 0; coding < COMPRESSIONS_COUNT; coding++)
		for (size_t len = 1000; len < 1100; len += 24) {
			const struct source c = {.status = 200,
						 .fields = html,
						 .fields_count = 3,
						 .len = len,
						 .unknown = len == 1072};
			char get[256], head[256], expected[1024];
			(void)snprintf(get, sizeof(get), GET("Accept-Encoding: %s\r\n"),
				       words[coding]);
			(void)snprintf(head, sizeof(head),
				       "HEAD /test HTTP/1.1\r\nHost: a\r\nAccept-Encoding: "
				       "%s\r\n\r\n",
				       words[coding]);
			site_ask(&s, &c, get);
			const size_t n =
			    (size_t)(strstr(peer_out(s.peer), "\r\n\r\n") - peer_out(s.peer)) + 4;
			(void)snprintf(expected, sizeof(expected), "%.*s", (int)n,
				       peer_out(s.peer));
			site_ask(&s, &c, head);
			char *chunked = strstr(expected, "Transfer-Encoding: chunked\r\n");
			if (chunked != NULL && strstr(peer_out(s.peer), "chunked") == NULL)
				memmove(chunked, chunked + 28, strlen(chunked + 28) + 1);
			assert_string_equal(peer_out(s.peer), expected);
		}
	site_end(&s);
}

static void fields_about_the_bytes_change_with_them(void **state)
{
	static const struct {
		const char *name, *before, *after;
	} cases[] = {
	    {"ETag", "\"a\"", "W/\"a\""},
	    {"ETag", "W/\"a\"", "W/\"a\""},
	    {"ETag", "\"\"", "W/\"\""},
	    {"ETag", "broken", "broken"},
	    {"Accept-Ranges", "bytes", NULL},
	    {"Content-Digest", "sha-256=:AA==:", NULL},
	    {"Repr-Digest", "sha-256=:AA==:", NULL},
	    {"Content-MD5", "AA==", NULL},
	    {"Digest", "MD5=AA==", NULL},
	    {"Content-Language", "en", "en"},
	    {"Last-Modified", PEER_DATE, PEER_DATE},
	    {"Vary", "Origin", "Origin"},
	    {"Vary", "accept-encoding, Origin", "accept-encoding, Origin"},
	    {"Vary", "*", "*"},
	};
	struct site s;
	(void)state;
	site_begin(&s, &all, false);
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct http_header fields[] = {TYPE("text/html"),
						     {cases[i].name, cases[i].before,
						      (uint32_t)strlen(cases[i].name),
						      (uint32_t)strlen(cases[i].before)}};
		const struct source c = {
		    .status = 200, .fields = fields, .fields_count = 2, .len = 5000};
		site_ask(&s, &c, GET("Accept-Encoding: gzip\r\n"));
		assert_field(&s, cases[i].name, cases[i].after);
		assert_response(&s, &c, COMPRESSION_GZIP);
		const char *first = strstr(peer_out(s.peer), "\r\nVary: ");
		const bool second = first != NULL && strstr(first + 2, "\r\nVary: ") != NULL;
		assert_true(second == (strcmp(cases[i].before, "Origin") == 0));
		site_ask(&s, &c, GET(""));
		assert_field(&s, cases[i].name, cases[i].before);
	}
	site_end(&s);
}

/* The tag of a 304 is in the form in which the client has it. */
static void a_304_has_the_tag_that_the_client_named(void **state)
{
	static const struct {
		const char *request, *tag;
	} cases[] = {
	    {GET("If-None-Match: W/\"tag\"\r\nAccept-Encoding: gzip\r\n"), "W/\"tag\""},
	    {GET("If-None-Match: W/\"tag\"\r\n"), "W/\"tag\""},
	    {GET("If-None-Match: \"tag\"\r\nAccept-Encoding: gzip\r\n"), "\"tag\""},
	    {GET("If-None-Match: \"other\", W/\"tag\"\r\n"), "W/\"tag\""},
	    {GET("If-None-Match: W/\"tag\", \"tag\"\r\n"), "\"tag\""},
	    {GET("If-None-Match: *\r\n"), "\"tag\""},
	    {GET("If-Modified-Since: " PEER_DATE "\r\n"), "\"tag\""},
	};
	static const struct source c = {.status = 304, .fields = html + 1, .fields_count = 1};
	struct site s;
	(void)state;
	site_begin(&s, &all, false);
	for (size_t i = 0; i < COUNT(cases); i++) {
		site_ask(&s, &c, cases[i].request);
		assert_field(&s, "ETag", cases[i].tag);
		assert_field(&s, "Vary", "Accept-Encoding");
		assert_field(&s, "Content-Encoding", NULL);
	}
	site_end(&s);
}

/* --- bytes ------------------------------------------------------------------------------------ */

static void every_byte_comes_through(void **state)
{
	static const size_t lens[] = {1, 1023, 1024, 16383, 16384, 16385, 100000, 700000};
	static const size_t pulls[] = {PROTO_OUTPUT_MIN, 1000, 16384};
	static const size_t pieces[] = {0, 1, 1000};
	(void)state;
	for (unsigned coding = 0; coding < COMPRESSIONS_COUNT; coding++)
		for (size_t l = 0; l < COUNT(lens); l++)
			for (unsigned v = 0; v < 24; v++) {
				struct source c = {.status = 200,
						   .fields = html,
						   .fields_count = 3,
						   .len = lens[l],
						   .unknown = (v & 1) != 0 || lens[l] < 1024,
						   .random = (v & 2) != 0,
						   .trickles = (v & 4) != 0,
						   .piece = pieces[v / 8]};
				struct site s;
				char request[128];
				if (c.piece > 0 && c.len > 20000)
					continue;
				(void)snprintf(request, sizeof(request),
					       GET("Accept-Encoding: %s\r\n"), words[coding]);
				site_begin(&s, &all, (v & 1) != 0);
				s.peer->pull = pulls[(v + l) % COUNT(pulls)];
				site_ask(&s, &c, request);
				site_run(&s);
				assert_response(&s, &c, coding);
				assert_int_equal(s.peer->http1.state, HTTP1_IDLE);
				if (!c.random && !c.trickles && c.len > 10000)
					assert_true(s.body.len < c.len / 10);
				site_end(&s);
			}
}

/* What the handler has given can be read before it gives more. */
static void what_trickles_is_not_held_back(void **state)
{
	static const struct http_header events[] = {TYPE("text/event-stream")};
	static size_t allowed;
	static const struct source c = {.status = 200,
					.fields = events,
					.fields_count = 1,
					.unknown = true,
					.len = 500,
					.piece = 50,
					.allowed = &allowed};
	(void)state;
	for (unsigned coding = 0; coding < COMPRESSIONS_COUNT; coding++) {
		struct site s;
		char request[128];
		(void)snprintf(request, sizeof(request), GET("Accept-Encoding: %s\r\n"),
			       words[coding]);
		site_begin(&s, &all, true);
		allowed = 0;
		site_ask(&s, &c, request);
		body_split(&s);
		assert_int_equal(s.body.len, 0);
		for (allowed = 50; allowed < c.len; allowed += 50) {
			source_goes_on(&s);
			body_split(&s);
			assert_false(s.ended);
			s.plain.len = 0;
			assert_false(coding_read(coding, &s.body, &s.plain));
			assert_int_equal(s.plain.len, allowed);
			const size_t before = s.peer->out_len;
			source_goes_on(&s); /* it has nothing more, and says no more */
			assert_int_equal(s.peer->out_len, before);
		}
		source_goes_on(&s);
		assert_response(&s, &c, coding);
		site_end(&s);
	}
}

/* An inner filter or handler that ends too early or fails breaks the response off. */
static void a_broken_response_is_not_ended_well(void **state)
{
	static const struct source broken[] = {
	    {.status = 200,
	     .fields = html,
	     .fields_count = 3,
	     .len = 5000,
	     .fails_after = 3000,
	     .piece = 1000},
	    {.status = 200,
	     .fields = html,
	     .fields_count = 3,
	     .len = 5000,
	     .ends_after = 3000,
	     .piece = 1000},
	    {.status = 200,
	     .fields = html,
	     .fields_count = 3,
	     .len = 500000,
	     .unknown = true,
	     .fails_after = 300000},
	};
	(void)state;
	for (unsigned coding = 0; coding < COMPRESSIONS_COUNT; coding++)
		for (size_t i = 0; i < COUNT(broken); i++) {
			struct site s;
			char request[128];
			(void)snprintf(request, sizeof(request), GET("Accept-Encoding: %s\r\n"),
				       words[coding]);
			site_begin(&s, &all, false);
			site_ask(&s, &broken[i], request);
			assert_int_equal(s.peer->http1.state, HTTP1_ABORTED);
			if (strstr(peer_out(s.peer), "\r\n\r\n") != NULL) {
				body_split(&s);
				assert_false(s.ended);
			}
			site_end(&s);
		}
}

/* A client that leaves, at any moment. */
static void a_client_leaves(void **state)
{
	static const struct source c = {
	    .status = 200, .fields = html, .fields_count = 3, .len = 1000000};
	(void)state;
	for (unsigned coding = 0; coding < COMPRESSIONS_COUNT; coding++)
		for (unsigned turns = 0; turns < 6; turns++) {
			struct site s;
			char request[128];
			(void)snprintf(request, sizeof(request), GET("Accept-Encoding: %s\r\n"),
				       words[coding]);
			site_begin(&s, &all, true);
			site_ask(&s, &c, request);
			assert_non_null(s.peer->http1.exchange);
			for (unsigned t = 0; t < turns; t++) {
				(void)loop_turn(&s.loop, 0);
				if (t % 2 == 1)
					peer_run(s.peer);
			}
			site_end(&s); /* with the exchange that is under way */
		}
}

/* An outer filter that asks for a few bytes at a time. */
static long sip_give(struct exchange *ex, struct filter_use *use, uint8_t *out, size_t size)
{
	return filter_give_next(ex, use, out, size < 1 ? size : 1);
}
static enum filter_verdict sip_begin(struct exchange *ex, struct filter_use *use)
{
	(void)ex;
	(void)use;
	return FILTER_PASSES;
}

static void a_filter_in_front_takes_a_byte_at_a_time(void **state)
{
	static const struct filter sip = {.begin = sip_begin, .give = sip_give};
	(void)state;
	for (unsigned coding = 0; coding < COMPRESSIONS_COUNT; coding++)
		for (unsigned v = 0; v < 4; v++) {
			const struct source c = {.status = 200,
						 .fields = html,
						 .fields_count = 3,
						 .len = 5000,
						 .random = v > 1,
						 .trickles = v & 1,
						 .piece = 700};
			struct site s;
			char request[128];
			(void)snprintf(request, sizeof(request), GET("Accept-Encoding: %s\r\n"),
				       words[coding]);
			site_begin(&s, &all, false);
			const struct http_location_filter both[] = {{.filter = &sip}, s.filter};
			s.peer->location.filters = both;
			s.peer->location.filters_count = 2;
			site_ask(&s, &c, request);
			site_run(&s);
			assert_response(&s, &c, coding);
			site_end(&s);
		}
}

/* The body of a page of the configuration, in place of the handler's. */
static void a_page_is_compressed(void **state)
{
	static char body[5000];
	static const struct http_header fields[] = {TYPE("text/html")};
	static const struct http_page page = {
	    .fields = fields, .fields_count = 1, .body = body, .body_len = sizeof(body)};
	static const struct http_status_page of_status = {.status = 404, .page = &page};
	static const struct http_pages pages = {.count = 1, .list = &of_status};
	static const struct source c = {.status = 404, .fields = html, .fields_count = 3, .len = 9};
	struct site s;
	(void)state;
	memset(body, 'p', sizeof(body));
	site_begin(&s, &all, false);
	s.peer->location.pages = &pages;
	site_ask(&s, &c, GET("Accept-Encoding: br\r\n"));
	assert_int_equal(s.peer->status, 404);
	assert_field(&s, "Content-Encoding", "br");
	assert_field(&s, "ETag", NULL);
	body_split(&s);
	assert_true(s.ended && br_read(&s.body, &s.plain));
	assert_int_equal(s.plain.len, sizeof(body));
	assert_memory_equal(s.plain.data, body, sizeof(body));
	site_end(&s);
}

/* --- bounds ----------------------------------------------------------------------------------- */

/* A clock that stands still (tests.mk), or goes on by so much whenever it is read. */
uint64_t __wrap_clock_ns(void);
static uint64_t clock_now = 1, clock_step;
static unsigned clock_reads;

uint64_t __wrap_clock_ns(void)
{
	clock_reads++;
	return clock_now += clock_step;
}

/* One long response, or many, read no more in a turn than is said, and all of them get on. */
static void a_turn_has_a_bound(void **state)
{
	static const struct source c = {
	    .status = 200, .fields = html, .fields_count = 3, .len = 2000000};
	struct site s;
	unsigned turns = 0;
	(void)state;
	site_begin(&s, &all, true);
	source_read = 0;
	site_ask(&s, &c, GET("Accept-Encoding: gzip\r\n"));
	assert_in_range(source_read, 1, COMPRESS_TURN_BYTES);
	while (s.peer->http1.exchange != NULL && turns++ < 1000) {
		const size_t before = source_read;
		const unsigned woken = s.peer->woken;
		assert_int_equal(loop_turn(&s.loop, 1000), 0);
		if (s.peer->woken == woken)
			continue;
		peer_run(s.peer);
		assert_in_range(source_read - before, 1, 2 * COMPRESS_TURN_BYTES);
	}
	assert_response(&s, &c, COMPRESSION_GZIP);
	site_end(&s);
}

/* Many clients of one event loop. */
struct crowd {
	struct site site;
	struct peer *others[250];
	unsigned count;
};

static void crowd_join(struct crowd *w, const char *request)
{
	struct peer *p = peer_new();
	w->others[w->count++] = p;
	http1_ops.init(&p->http1.proto, &w->site.peer->loop, p, &p->client);
	peer_send(p, request);
}

static void crowd_leave(struct crowd *w)
{
	while (w->count > 0) {
		struct peer *p = w->others[--w->count];
		p->http1.proto.ops->release(&p->http1.proto);
		http1_ops.init(&p->http1.proto, &p->loop, p, &p->client);
		peer_free(p);
	}
}

static size_t given_of(const struct peer *p, size_t len)
{
	const struct exchange *ex = p->http1.exchange;
	return ex != NULL ? ((const struct source_state *)(const void *)ex->state)->given : len;
}

/* Bytes that take long: a step of the coder costs more than its part of a turn. */
static void a_turn_has_a_bound_in_time(void **state)
{
	static const uint64_t steps_ns[] = {100000, 1000000, 3000000};
	static const struct source c = {
	    .status = 200, .fields = html, .fields_count = 3, .len = 100000};
	(void)state;
	for (size_t i = 0; i < COUNT(steps_ns); i++) {
		struct site s;
		unsigned turns = 0;
		site_begin(&s, &all, true);
		clock_step = steps_ns[i];
		clock_reads = 0;
		site_ask(&s, &c, GET("Accept-Encoding: gzip\r\n"));
		/* each step reads the clock twice, and the last one may begin just before the end
		 */
		assert_in_range(clock_reads / 2 * clock_step, 1, COMPRESS_TURN_NS + 2 * clock_step);
		while (s.peer->http1.exchange != NULL && turns++ < 10000) {
			const unsigned woken = s.peer->woken;
			assert_int_equal(loop_turn(&s.loop, 1000), 0);
			clock_reads = 0;
			if (s.peer->woken != woken)
				peer_run(s.peer);
			assert_in_range(clock_reads / 2 * clock_step, 0,
					2 * COMPRESS_TURN_NS + 2 * clock_step);
		}
		clock_step = 0;
		assert_in_range(turns, 100000 / 1024 * steps_ns[i] / (3 * COMPRESS_TURN_NS), 10000);
		assert_response(&s, &c, COMPRESSION_GZIP);
		site_end(&s);
	}
}

static void turns_go_around(void **state)
{
	static const struct source c = {
	    .status = 200, .fields = html, .fields_count = 3, .len = 400000};
	struct crowd w = {.count = 0};
	bool all_ended = false;
	(void)state;
	site_begin(&w.site, &all, true);
	w.site.peer->location.config = &c;
	source_read = 0;
	for (unsigned i = 0; i < 20; i++)
		crowd_join(&w, GET("Accept-Encoding: gzip\r\n"));
	assert_in_range(source_read, 1, COMPRESS_TURN_BYTES);
	for (unsigned turn = 0; turn < 2000 && !all_ended; turn++) {
		const size_t before = source_read;
		size_t least = SIZE_MAX, most = 0;
		assert_int_equal(loop_turn(&w.site.loop, 0), 0);
		all_ended = true;
		for (unsigned i = 0; i < w.count; i++) {
			struct peer *p = w.others[i];
			if (p->woken > 0) {
				p->woken = 0;
				peer_run(p);
			}
			const size_t given = given_of(p, c.len);
			least = given < least ? given : least;
			most = given > most ? given : most;
			all_ended = all_ended && p->http1.exchange == NULL;
		}
		assert_in_range(source_read - before, 0, 2 * COMPRESS_TURN_BYTES);
		/* the first has got one turn of the loop more at its beginning */
		assert_in_range(most - least, 0, COMPRESS_TURN_BYTES + 3 * COMPRESS_PART_BYTES);
	}
	assert_true(all_ended);
	for (unsigned i = 0; i < w.count; i++)
		assert_non_null(strstr(peer_out(w.others[i]), "Content-Encoding: gzip"));
	crowd_leave(&w);
	site_end(&w.site);
}

static uint64_t held(const struct site *s)
{
	struct holding sum = {0};
	holdings_add_up(&s->holdings, &sum);
	return sum.memory_bytes;
}

/* When there is no room for the coding that is wanted most, the next one serves, and at last none;
 * what is kept for later has a bound, too. */
static void memory_has_a_bound(void **state)
{
	static const struct source c = {.status = 200,
					.fields = html,
					.fields_count = 3,
					.len = 5000,
					.trickles = true,
					.piece = 2000};
	struct crowd w = {.count = 0};
	unsigned br = 0, gzip = 0, none = 0;
	(void)state;
	site_begin(&w.site, &all, true);
	w.site.peer->location.config = &c;
	while (none < 3 && w.count < COUNT(w.others)) {
		crowd_join(&w, GET("Accept-Encoding: br, gzip;q=0.5\r\n"));
		const struct peer *p = w.others[w.count - 1];
		assert_non_null(strstr(peer_out(p), "Vary: Accept-Encoding"));
		if (strstr(peer_out(p), "Content-Encoding: br") != NULL)
			br++;
		else if (strstr(peer_out(p), "Content-Encoding: gzip") != NULL)
			gzip++;
		else
			none++;
		assert_true(br == w.count || gzip > 0 || none > 0);
		assert_in_range(held(&w.site), 1, COMPRESSION_BYTES_MAX);
	}
	assert_true(br >= 8 && none == 3);
	assert_null(strstr(peer_out(w.others[w.count - 1]), "W/"));
	crowd_leave(&w);
	assert_in_range(held(&w.site), 1, COMPRESS_KEPT_BYTES);
	/* what is kept of one coding gives way to another */
	for (unsigned i = 0; i < 60; i++)
		crowd_join(&w, GET("Accept-Encoding: gzip\r\n"));
	for (unsigned i = 0; i < 60; i++)
		assert_non_null(strstr(peer_out(w.others[i]), "Content-Encoding: gzip"));
	crowd_leave(&w);
	filter_kind_compress.filter->close(w.site.locals[1]);
	assert_int_equal(
	    filter_kind_compress.filter->open(&w.site.peer->loop, &all, &w.site.locals[1]), 0);
	site_end(&w.site);
}

/* malloc() and calloc() of the program itself (tests.mk). */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
static unsigned allocations, fails_at; /* the one with that number; 0: none */

static bool allocation_fails(void)
{
	return ++allocations == fails_at;
}

void *__wrap_malloc(size_t size)
{
	return allocation_fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return allocation_fails() ? NULL : __real_calloc(count, size);
}

static void a_warm_stream_allocates_nothing(void **state)
{
	static uint8_t out[4096], in[50000];
	(void)state;
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)("compress"[i % 8] + i / 500 % 7);
	static const struct coder_ops *const coders[] = {&coder_gzip, &coder_zstd, &coder_br};
	for (size_t k = 0; k < COUNT(coders); k++) {
		struct coder *coder = coders[k]->make();
		assert_non_null(coder);
		for (unsigned n = 0; n < 4; n++) {
			const unsigned before = allocations;
			struct coder_io io = {.in = in, .in_len = sizeof(in)};
			enum coder_result result;
			assert_true(coders[k]->begin(coder, 3 + n / 3));
			do {
				io.out = out;
				io.out_len = sizeof(out);
				result = coders[k]->step(coder, CODER_ENDS, &io);
			} while (result == CODER_MORE);
			assert_int_equal(result, CODER_DONE);
			coders[k]->end(coder);
			if (n > 0 && n < 3)
				assert_int_equal(allocations, before);
		}
		coders[k]->free(coder);
	}
}

/* As site_ask(), without allocations of the peer. */
static void site_ask_failing(struct site *s, const char *request, unsigned which)
{
	static uint8_t out[400000];
	struct proto *p = &s->peer->http1.proto;
	size_t len = 0, n;
	allocations = 0;
	fails_at = which;
	assert_int_equal(http1_ops.input(p, (const uint8_t *)request, strlen(request)),
			 strlen(request));
	while (sizeof(out) - len >= 16384 && (n = http1_ops.output(p, out + len, 16384)) > 0)
		len += n;
	fails_at = 0;
	peer_out_clear(s->peer);
	s->peer->out = realloc(s->peer->out, sizeof(out));
	s->peer->out_size = sizeof(out);
	memcpy(s->peer->out, out, len);
	s->peer->out[len] = '\0';
	s->peer->out_len = len;
}

/* Without memory a response goes out as it is. */
static void memory_fails(void **state)
{
	static const struct source c = {
	    .status = 200, .fields = html, .fields_count = 3, .len = 300000};
	(void)state;
	for (unsigned coding = 0; coding < COMPRESSIONS_COUNT; coding++) {
		unsigned compressed = 0, plain = 0;
		for (unsigned n = 1; compressed < 3 && n < 100; n++) {
			struct site s;
			char request[128];
			(void)snprintf(request, sizeof(request), GET("Accept-Encoding: %s\r\n"),
				       words[coding]);
			site_begin(&s, &all, false);
			site_ask(&s, &c, GET(""));
			site_ask_failing(&s, request, n);
			if (field(&s, "Content-Encoding") == NULL) {
				assert_response(&s, &c, COMPRESSIONS_COUNT);
				assert_field(&s, "ETag", "\"tag\"");
				plain++;
			} else {
				assert_response(&s, &c, coding);
				compressed += allocations < n;
			}
			site_end(&s);
		}
		assert_true(plain == 2 && compressed == 3);
	}
}

/* 0 under a sanitizer, whose allocator it is not. */
static size_t heap_bytes(void)
{
	const struct mallinfo2 info = mallinfo2();
	return info.uordblks + info.hblkhd;
}

static void a_coder_has_no_more_memory_than_it_says(void **state)
{
	static const struct {
		const struct coder_ops *ops;
		unsigned most;
	} coders[] = {{&coder_gzip, 9}, {&coder_zstd, 9}, {&coder_br, 6}};
	static uint8_t in[COMPRESS_PART_BYTES], out[65536];
	(void)state;
	for (size_t k = 0; k < COUNT(coders); k++)
		for (unsigned level = 1; level <= coders[k].most; level += 1 + level / 4)
			for (unsigned kind = 0; kind < 3; kind++) {
				const struct coder_ops *ops = coders[k].ops;
				const size_t before = heap_bytes();
				struct coder *coder = ops->make();
				assert_non_null(coder);
				assert_true(ops->begin(coder, level));
				for (unsigned part = 0; part < 80; part++) {
					struct coder_io io = {.in = in, .in_len = sizeof(in)};
					for (size_t i = 0; i < sizeof(in); i++)
						in[i] = kind == 0   ? 0
							: kind == 1 ? (uint8_t)rand()
								    : "abcdefgh"[rand() & 7];
					while (io.in_len > 0) {
						io.out = out;
						io.out_len = sizeof(out);
						assert_int_not_equal(
						    ops->step(coder, CODER_GOES_ON, &io),
						    CODER_FAILED);
					}
					if (part % 8 == 7)
						assert_in_range(heap_bytes() - before, 0,
								ops->memory_max);
				}
				ops->end(coder);
				ops->free(coder);
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_client_wants_most_what_it_gets),
	    cmocka_unit_test(the_order_of_the_statement_decides_between_equals),
	    cmocka_unit_test(only_what_may_be_is_compressed),
	    cmocka_unit_test(head_has_the_head_of_get),
	    cmocka_unit_test(fields_about_the_bytes_change_with_them),
	    cmocka_unit_test(a_304_has_the_tag_that_the_client_named),
	    cmocka_unit_test(every_byte_comes_through),
	    cmocka_unit_test(what_trickles_is_not_held_back),
	    cmocka_unit_test(a_broken_response_is_not_ended_well),
	    cmocka_unit_test(a_client_leaves),
	    cmocka_unit_test(a_filter_in_front_takes_a_byte_at_a_time),
	    cmocka_unit_test(a_page_is_compressed),
	    cmocka_unit_test(a_turn_has_a_bound),
	    cmocka_unit_test(a_turn_has_a_bound_in_time),
	    cmocka_unit_test(turns_go_around),
	    cmocka_unit_test(memory_has_a_bound),
	    cmocka_unit_test(a_warm_stream_allocates_nothing),
	    cmocka_unit_test(memory_fails),
	    cmocka_unit_test(a_coder_has_no_more_memory_than_it_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Runs in the workers: decides which responses are compressed, and in which coding (RFC 9110, 8.4
 * and 12.5.3). Must never compress one that a cache or a client could then take for another, or
 * that says that it must not be changed.
 *
 * A response that is compressed becomes a stream of unknown length. Its entity tag becomes weak:
 * the bytes are others than those that the handler has it for (RFC 9110, 8.8.1). So it still serves
 * If-None-Match; If-Range and If-Match, which compare strongly, do not hold. Ranges are of the
 * uncompressed form, and are sent as that; a compressed response has no Accept-Ranges. What could
 * have been compressed says "Vary: Accept-Encoding", even if it was not.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "compress_stream.h"
#include "filter/kinds.h"
#include "http/accept.h"

struct compress_local {
	struct compress_loop *common;
};

static enum http_coding coding_of(unsigned compression)
{
	switch ((enum compression)compression) {
	case COMPRESSION_GZIP:
		return HTTP_GZIP;
	case COMPRESSION_ZSTD:
		return HTTP_ZSTD;
	case COMPRESSION_BR:
		return HTTP_BR;
	case COMPRESSIONS_COUNT:
		break;
	}
	return HTTP_IDENTITY;
}

/* --- what the response says ------------------------------------------------------------------- */

struct head_says {
	const struct http_header *type, *etag;
	bool encoded;   /* Content-Encoding, or "no-transform" */
	bool ranged;    /* Content-Range */
	bool varies;    /* with Accept-Encoding, or with all */
	bool has_range; /* Accept-Ranges */
	bool digested;  /* a digest of the bytes or the representation (RFC 9530, RFC 1864) */
};

static bool field_is(const struct http_header *f, const char *name)
{
	return strncasecmp(f->name, name, f->name_len) == 0 && name[f->name_len] == '\0';
}

static void head_read_field(struct head_says *h, const struct http_header *f)
{
	switch (f->name_len) { /* the length alone excludes most fields */
	case 4:
		if (field_is(f, "etag"))
			h->etag = f;
		else if (field_is(f, "vary"))
			h->varies |= http_list_has(f, "accept-encoding") || http_list_has(f, "*");
		break;
	case 6:
		h->digested |= field_is(f, "digest");
		break;
	case 11:
		h->digested |= field_is(f, "content-md5") || field_is(f, "repr-digest");
		break;
	case 12:
		if (field_is(f, "content-type"))
			h->type = f;
		break;
	case 13:
		h->ranged |= field_is(f, "content-range");
		h->has_range |= field_is(f, "accept-ranges");
		h->encoded |= field_is(f, "cache-control") && http_list_has(f, "no-transform");
		break;
	case 14:
		h->digested |= field_is(f, "content-digest");
		break;
	case 16:
		h->encoded |= field_is(f, "content-encoding");
		break;
	}
}

static struct head_says head_read(const struct exchange *ex)
{
	struct head_says h = {.type = NULL};
	struct http_fields_walk walk = {0};
	const struct http_header *f;
	while ((f = exchange_next_field(ex, &walk)) != NULL)
		head_read_field(&h, f);
	return h;
}

/* --- types ------------------------------------------------------------------------------------ */

static size_t type_len(const char *value, size_t len)
{
	size_t n = 0;
	while (n < len && value[n] != ';' && value[n] != ' ' && value[n] != '\t')
		n++;
	return n;
}

static bool type_covers(const char *type, const char *value, size_t len)
{
	const char *star = strchr(type, '*');
	const size_t before = star != NULL ? (size_t)(star - type) : strlen(type);
	const size_t after = star != NULL ? strlen(star + 1) : 0;
	len = type_len(value, len);
	if (star == NULL)
		return len == before && strncasecmp(value, type, len) == 0;
	return len >= before + after && strncasecmp(value, type, before) == 0 &&
	       strncasecmp(value + len - after, star + 1, after) == 0;
}

static bool types_cover(const struct conf_compress *c, const struct http_header *type)
{
	for (size_t i = 0; type != NULL && i < c->types_count; i++)
		if (type_covers(c->types[i], type->value, type->value_len))
			return true;
	return false;
}

/* --- which coding ----------------------------------------------------------------------------- */

/* The one that the client wants most of those that were not tried, the first of equals; not one
 * that it wants less than the response as it is. COMPRESSIONS_COUNT: none. */
static unsigned coding_choose(const struct conf_compress *c, const struct http_codings *q,
			      unsigned tried)
{
	unsigned best = COMPRESSIONS_COUNT, most = q->quality[HTTP_IDENTITY];
	for (uint32_t i = 0; i < c->codings_count; i++) {
		const unsigned coding = c->codings[i];
		const unsigned quality = q->quality[coding_of(coding)];
		if (quality == 0 || (tried & 1U << coding) != 0 ||
		    (best == COMPRESSIONS_COUNT ? quality < most : quality <= most))
			continue;
		best = coding;
		most = quality;
	}
	return best;
}

/* Chooses one, and takes a stream unless the response has no body. False: none. */
static bool coding_begin(struct exchange *ex, struct filter_use *use, const struct http_asks *asks,
			 unsigned *ret_coding)
{
	const struct conf_compress *c = use->config;
	const struct compress_local *local = use->local;
	struct http_codings q;
	http_codings_read(&ex->request, asks, &q);
	for (unsigned tried = 0;;) {
		const unsigned coding = coding_choose(c, &q, tried);
		if (coding == COMPRESSIONS_COUNT)
			return false;
		*ret_coding = coding;
		if (ex->request.method == HTTP_HEAD)
			return true;
		use->state = compress_stream_new(local->common, ex, (enum compression)coding,
						 c->levels[coding]);
		if (use->state != NULL)
			return true;
		tried |= 1U << coding;
	}
}

/* --- the head --------------------------------------------------------------------------------- */

static void etag_weaken(struct exchange *ex, const struct http_header *etag)
{
	if (etag == NULL || etag->value_len == 0 || etag->value[0] != '"')
		return;
	const size_t len = etag->value_len + 2;
	char *weak = arena_take(&ex->arena, len);
	if (weak != NULL) {
		memcpy(weak, "W/", 2);
		memcpy(weak + 2, etag->value, etag->value_len);
	}
	(void)exchange_remove_field(ex, "ETag", 4);
	if (weak != NULL)
		(void)exchange_add_field(ex, "ETag", 4, weak, len);
}

/* The tag of 304 is that of the response that the client has (RFC 9110, 15.4.5): it may be the
 * compressed one. */
static void etag_confirm(struct exchange *ex, const struct http_header *etag)
{
	struct http_asks asks;
	http_asks_read(&ex->request, &asks);
	if (etag != NULL && asks.count[ASK_IF_NONE_MATCH] > 0 &&
	    !http_etag_listed(&ex->request, &asks, ASK_IF_NONE_MATCH, etag->value, etag->value_len,
			      false))
		etag_weaken(ex, etag);
}

static void digests_remove(struct exchange *ex)
{
	static const char *const names[] = {"Content-Digest", "Repr-Digest", "Content-MD5",
					    "Digest"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		(void)exchange_remove_field(ex, names[i], strlen(names[i]));
}

static void head_compress(struct exchange *ex, const struct head_says *h, unsigned coding)
{
	const char *name = http_coding_name(coding_of(coding));
	(void)exchange_add_field(ex, "Content-Encoding", 16, name, strlen(name));
	etag_weaken(ex, h->etag);
	if (h->has_range)
		(void)exchange_remove_field(ex, "Accept-Ranges", 13);
	if (h->digested)
		digests_remove(ex);
	ex->length = HTTP_LENGTH_UNKNOWN;
}

/* Could a response to the same target be compressed? */
static bool head_could_vary(const struct exchange *ex, const struct conf_compress *c,
			    const struct head_says *h)
{
	if (h->encoded || exchange_stays(ex))
		return false;
	if (ex->status == 304) /* it does not say of which type the response is */
		return true;
	if (ex->status == 206) /* of several ranges neither, and none says how long it is */
		return h->type == NULL ||
		       type_covers("multipart/*", h->type->value, h->type->value_len) ||
		       types_cover(c, h->type);
	if (ex->status < 200 || ex->status == 204 || ex->status == 205 || ex->length == 0)
		return false;
	return ex->length >= c->least && types_cover(c, h->type);
}

/* HTTP/1.0 has no chunks, so nothing but the end of the connection would end the response, which
 * could not be told from a cut. */
static bool head_may_compress(const struct exchange *ex, const struct head_says *h)
{
	return ex->status != 206 && ex->status != 304 && !h->ranged &&
	       ex->request.version_minor > 0;
}

static void compress_head(struct exchange *ex, struct filter_use *use)
{
	const struct head_says h = head_read(ex);
	struct http_asks asks;
	unsigned coding;
	if (ex->upgraded || !head_could_vary(ex, use->config, &h)) {
		use->filter = NULL;
		return;
	}
	if (!h.varies)
		(void)exchange_add_field(ex, "Vary", 4, "Accept-Encoding", 15);
	if (ex->status == 304)
		etag_confirm(ex, h.etag);
	if (head_may_compress(ex, &h)) {
		http_asks_read(&ex->request, &asks);
		if (asks.count[ASK_ACCEPT_ENCODING] > 0 && coding_begin(ex, use, &asks, &coding)) {
			head_compress(ex, &h, coding);
			return;
		}
	}
	use->filter = NULL;
}

/* --- the filter ------------------------------------------------------------------------------- */

static int compress_open(struct http_loop *http, const void *config, void **ret)
{
	struct compress_local *local = calloc(1, sizeof(*local));
	(void)config;
	if (local == NULL)
		return -ENOMEM;
	local->common = compress_loop_take(http);
	if (local->common == NULL) {
		free(local);
		return -ENOMEM;
	}
	*ret = local;
	return 0;
}

static void compress_close(void *state)
{
	struct compress_local *local = state;
	compress_loop_release(local->common);
	free(local);
}

static void compress_release(struct exchange *ex, struct filter_use *use)
{
	(void)ex;
	if (use->state != NULL)
		compress_stream_end(use->state);
	use->state = NULL;
}

static long compress_give(struct exchange *ex, struct filter_use *use, uint8_t *out, size_t size)
{
	if (use->state == NULL)
		return GIVE_END;
	const long n = compress_stream_give(use->state, use, out, size);
	if (n == GIVE_END)
		compress_release(ex, use);
	return n;
}

static const struct filter filter_compress = {
    .open = compress_open,
    .close = compress_close,
    .head = compress_head,
    .give = compress_give,
    .end = compress_release,
};

static bool compress_is_off(const void *options)
{
	return ((const struct conf_compress *)options)->codings_count == 0;
}

const struct filter_kind filter_kind_compress = {.filter = &filter_compress,
						 .is_off = compress_is_off};

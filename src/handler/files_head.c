/*
 * Runs in the workers, for requests: the fields of a response with a file. Must never say anything
 * of a file but what it is.
 */
#include <string.h>
#include <strings.h>

#include "files.h"

/* The finalizer of MurmurHash3: each bit of the input changes half of the output. */
static uint64_t bits_mix(uint64_t h)
{
	h = (h ^ h >> 33) * UINT64_C(0xff51afd7ed558ccd);
	h = (h ^ h >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	return h ^ h >> 33;
}

static void hex_put(char *out, uint64_t value)
{
	static const char digits[] = "0123456789abcdef";
	for (int i = 15; i >= 0; i--, value >>= 4)
		out[i] = digits[value & 15];
}

#define SECOND_NS UINT64_C(1000000000)
#define COARSE_NS (2 * SECOND_NS) /* of file systems that keep whole seconds, or every other */

bool files_settled(const struct files_file *f, const struct timespec *now, uint64_t grain_ns)
{
	const uint64_t grain = f->changed_ns == 0 ? COARSE_NS : grain_ns;
	if (grain == 0)
		return true;
	if (now->tv_sec < f->changed)
		return false;
	const uint64_t seconds = (uint64_t)now->tv_sec - (uint64_t)f->changed;
	return seconds > 60 || seconds * SECOND_NS + (uint64_t)now->tv_nsec > f->changed_ns + grain;
}

size_t files_etag(const struct files_file *f, bool settled, char out[FILES_ETAG_MAX])
{
	const uint64_t words[] = {f->device,
				  f->inode,
				  f->size,
				  (uint64_t)f->modified,
				  (uint64_t)f->changed,
				  (uint64_t)f->modified_ns << 32 | f->changed_ns,
				  (uint64_t)f->coding << 1 | !settled};
	uint64_t a = 1, b = 2;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		a = bits_mix(a ^ words[i]) + b;
		b = bits_mix(b + a + words[i]);
	}
	char *at = out;
	if (!settled) {
		*at++ = 'W';
		*at++ = '/';
	}
	*at++ = '"';
	hex_put(at, a);
	hex_put(at + 16, b);
	at[32] = '"';
	return (size_t)(at + 33 - out);
}

void files_head_add(struct files_head *h, const char *name, const char *value, size_t value_len)
{
	h->list[h->count++] =
	    (struct http_header){name, value, (uint32_t)strlen(name), (uint32_t)value_len};
}

/* What the bytes need to be undone before they have their type; NULL: nothing. */
static const char *head_coding(const struct files_head *h, const struct files_name *name,
			       enum http_coding coding)
{
	static const char picture[] = "image/svg+xml";
	if (coding != HTTP_IDENTITY)
		return http_coding_name(coding);
	const bool is_packed = files_name_is_packed(name) && h->type_len == sizeof(picture) - 1 &&
			       strncasecmp(h->type, picture, h->type_len) == 0;
	return is_packed ? http_coding_name(HTTP_GZIP) : NULL;
}

void files_head_type(struct files_head *h, const struct files_config *c,
		     const struct files_local *local, const struct files_name *name,
		     enum http_coding coding)
{
	static const char charset[] = "; charset=";
	const char *type = local->others != NULL ? local->others : "application/octet-stream";
	const struct media_row *row = media_find(&local->own, name->text, name->len);
	if (row == NULL)
		row = media_find(c->types, name->text, name->len);
	if (row != NULL)
		type = row->type;
	h->type_len = row != NULL ? row->type_len : strnlen(type, sizeof(h->type));
	memcpy(h->type, type, h->type_len);
	h->coding = head_coding(h, name, coding);
	if (c->conf->charset == NULL || !media_has_charset(type, h->type_len))
		return;
	const size_t len = strlen(c->conf->charset), prefix = sizeof(charset) - 1;
	if (len + prefix > sizeof(h->type) - h->type_len)
		return;
	memcpy(h->type + h->type_len, charset, prefix);
	memcpy(h->type + h->type_len + prefix, c->conf->charset, len);
	h->type_len += prefix + len;
}

void files_head_add_common(struct files_head *h, const struct files_config *c)
{
	files_head_add(h, "ETag", h->etag, h->etag_len);
	if (c->conf->cache != NULL)
		files_head_add(h, "Cache-Control", c->conf->cache, strlen(c->conf->cache));
	if (c->conf->precompressed_count > 0)
		files_head_add(h, "Vary", "Accept-Encoding", 15);
}

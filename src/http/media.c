/*
 * Runs in the workers: media types. The table is made before they serve, and read while they do.
 * Must never put bytes into a type that a field cannot have.
 */
#include "http/media.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/media_type.h"
#include "internal.h"

/* Memory of the texts, the newest block first. */
struct media_texts {
	struct media_texts *next;
	char text[];
};

static char lower(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c - 'A' + 'a');
	return c;
}

/* FNV-1a */
static size_t extension_hash(const char *s, size_t len)
{
	uint64_t hash = 14695981039346656037U;
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (uint8_t)lower(s[i])) * 1099511628211U;
	return (size_t)(hash ^ hash >> 32);
}

static bool extension_is(const struct media_row *row, const char *s, size_t len)
{
	if (row->extension_len != len)
		return false;
	for (size_t i = 0; i < len; i++)
		if (row->extension[i] != lower(s[i]))
			return false;
	return true;
}

/* The row of that extension, or the free place for it. */
static struct media_row *row_place(const struct media_table *t, const char *s, size_t len)
{
	size_t i = extension_hash(s, len) & (t->size - 1);
	while (t->rows[i].extension != NULL && !extension_is(&t->rows[i], s, len))
		i = (i + 1) & (t->size - 1);
	return &t->rows[i];
}

static int table_grow(struct media_table *t)
{
	struct media_table grown = {.size = t->size == 0 ? 64 : 2 * t->size};
	if (t->count < t->size / 2)
		return 0;
	grown.rows = calloc(grown.size, sizeof(*grown.rows));
	if (grown.rows == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < t->size; i++)
		if (t->rows[i].extension != NULL)
			*row_place(&grown, t->rows[i].extension, t->rows[i].extension_len) =
			    t->rows[i];
	free(t->rows);
	t->rows = grown.rows;
	t->size = grown.size;
	return 0;
}

int media_add(struct media_table *t, const char *extension, size_t extension_len, const char *type,
	      size_t type_len)
{
	if (extension_len == 0 || extension_len > HTTP_EXTENSION_MAX ||
	    memchr(extension, '.', extension_len) != NULL || type_len > HTTP_TYPE_MAX ||
	    media_type_check(type, type_len) != MEDIA_TYPE_GOOD || t->count == HTTP_MEDIA_MAX)
		return 0;
	const int error = table_grow(t);
	if (error < 0)
		return error;
	struct media_row *row = row_place(t, extension, extension_len);
	if (row->extension != NULL)
		return 0;
	struct media_texts *texts = malloc(sizeof(*texts) + extension_len + type_len);
	if (texts == NULL)
		return -ENOMEM;
	texts->next = t->texts;
	t->texts = texts;
	for (size_t i = 0; i < extension_len; i++)
		texts->text[i] = lower(extension[i]);
	memcpy(texts->text + extension_len, type, type_len);
	*row = (struct media_row){.extension = texts->text,
				  .type = texts->text + extension_len,
				  .type_len = (uint16_t)type_len,
				  .extension_len = (uint8_t)extension_len};
	t->count++;
	return 0;
}

void media_release(struct media_table *t)
{
	while (t->texts != NULL) {
		struct media_texts *next = t->texts->next;
		free(t->texts);
		t->texts = next;
	}
	free(t->rows);
	*t = (struct media_table){0};
}

/* --- reading a table of text ------------------------------------------------------------------ */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

/* The next word of a line; its length, 0: there is none. */
static size_t word_next(const char **at, const char *end, const char **ret)
{
	while (*at < end && is_blank(**at))
		(*at)++;
	*ret = *at;
	while (*at < end && !is_blank(**at))
		(*at)++;
	return (size_t)(*at - *ret);
}

static int line_read(struct media_table *t, const char *line, const char *end)
{
	const char *comment = memchr(line, '#', (size_t)(end - line));
	const char *type, *extension;
	if (comment != NULL)
		end = comment;
	const size_t type_len = word_next(&line, end, &type);
	size_t len;
	int error = 0;
	while (type_len > 0 && error == 0 && (len = word_next(&line, end, &extension)) > 0)
		error = media_add(t, extension, len, type, type_len);
	return error;
}

int media_read(struct media_table *t, const char *text, size_t len)
{
	const char *at = text, *const end = text + len;
	int error = 0;
	while (at < end && error == 0) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at));
		if (line_end == NULL)
			line_end = end;
		error = line_read(t, at, line_end);
		at = line_end < end ? line_end + 1 : end;
	}
	return error;
}

/* --- looking up ------------------------------------------------------------------------------- */

const struct media_row *media_find(const struct media_table *t, const char *name, size_t len)
{
	size_t from = len;
	while (from > 0 && name[from - 1] != '.' && name[from - 1] != '/')
		from--;
	if (t->size == 0 || from < 2 || from == len || name[from - 1] == '/' ||
	    name[from - 2] == '/' || len - from > HTTP_EXTENSION_MAX)
		return NULL;
	const struct media_row *row = row_place(t, name + from, len - from);
	return row->extension != NULL ? row : NULL;
}

bool media_has_charset(const char *type, size_t len)
{
	static const char *const scripts[] = {"application/javascript", "application/ecmascript"};
	if (memchr(type, ';', len) != NULL)
		return false;
	if (len > 5 && http_name_is(type, 5, "text/"))
		return true;
	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++)
		if (http_name_is(type, len, scripts[i]))
			return true;
	return false;
}

/* Runs in the master, before and after it becomes its next version. Pure. */
#include "master/upgrade/record.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* --- writing --------------------------------------------------------------------------------- */

void record_begin(FILE *out, const char *kind)
{
	fputs(kind, out);
}

void record_put(FILE *out, const char *name, int64_t value)
{
	(void)fprintf(out, " %s=%" PRId64, name, value);
}

void record_put_bytes(FILE *out, const char *name, const void *data, size_t len)
{
	const unsigned char *bytes = data;
	(void)fprintf(out, " %s=\"", name);
	for (size_t i = 0; i < len; i++)
		if (bytes[i] > 0x20 && bytes[i] < 0x7f && bytes[i] != '"' && bytes[i] != '\\')
			fputc(bytes[i], out);
		else
			(void)fprintf(out, "\\%02x", bytes[i]);
	fputc('"', out);
}

void record_put_text(FILE *out, const char *name, const char *text)
{
	record_put_bytes(out, name, text, strlen(text));
}

void record_end(FILE *out)
{
	fputc('\n', out);
}

/* --- reading --------------------------------------------------------------------------------- */

static void fail(struct record *r, const char *what, const char *name)
{
	if (!r->failed)
		err_set(r->err, "line %u: %s%s%s", r->line, what, name[0] != '\0' ? " " : "", name);
	r->failed = true;
}

void record_fail(struct record *r, const char *why)
{
	fail(r, why, "");
}

static size_t word_len(const char *s, size_t len)
{
	size_t n = 0;
	while (n < len && ((s[n] >= 'a' && s[n] <= 'z') || s[n] == '_'))
		n++;
	return n;
}

/* A value ends at the next blank, since texts contain none. */
static bool value_take(struct record *r, const char *s, size_t len)
{
	const size_t name_len = word_len(s, len);
	const bool optional = name_len < len && s[name_len] == '?';
	const size_t head_len = name_len + optional;
	if (r->count == RECORD_VALUES_MAX || name_len == 0 || name_len > RECORD_NAME_MAX ||
	    head_len + 1 >= len || s[head_len] != '=')
		return false;
	r->values[r->count++] = (struct record_value){.name = s,
						      .name_len = name_len,
						      .text = s + head_len + 1,
						      .text_len = len - head_len - 1,
						      .optional = optional};
	return true;
}

bool record_next(struct record *r, const char **text, size_t *len, struct err *err)
{
	const unsigned line = r->line + 1;
	const char *s = *text, *end = *len > 0 ? memchr(s, '\n', *len) : NULL;
	*r = (struct record){.line = line, .err = err};
	if (*len == 0)
		return false;
	if (end == NULL) {
		fail(r, "is cut off", "");
		return false;
	}
	*len -= (size_t)(end + 1 - s);
	*text = end + 1;
	r->kind = s;
	r->kind_len = word_len(s, (size_t)(end - s));
	if (r->kind_len == 0)
		fail(r, "has no kind", "");
	s += r->kind_len;
	r->optional = s < end && *s == '?';
	s += r->optional;
	while (s < end && !r->failed) {
		const char *next = s + 1;
		while (next < end && *next != ' ')
			next++;
		if (*s != ' ' || !value_take(r, s + 1, (size_t)(next - s - 1)))
			fail(r, "is not of the form", "");
		s = next;
	}
	return !r->failed;
}

bool record_is(const struct record *r, const char *kind)
{
	return r->kind_len == strlen(kind) && memcmp(r->kind, kind, r->kind_len) == 0;
}

bool record_has(const struct record *r, const char *name)
{
	for (size_t i = 0; i < r->count; i++)
		if (!r->values[i].read && r->values[i].name_len == strlen(name) &&
		    memcmp(r->values[i].name, name, r->values[i].name_len) == 0)
			return true;
	return false;
}

static const struct record_value *record_find(struct record *r, const char *name)
{
	for (size_t i = 0; i < r->count && !r->failed; i++) {
		struct record_value *v = &r->values[i];
		if (v->read || v->name_len != strlen(name) ||
		    memcmp(v->name, name, v->name_len) != 0)
			continue;
		v->read = true;
		return v;
	}
	fail(r, "lacks", name);
	return NULL;
}

int64_t record_number(struct record *r, const char *name, int64_t min, int64_t max)
{
	const struct record_value *v = record_find(r, name);
	char digits[24], *end;
	if (v == NULL)
		return 0;
	if (v->text_len >= sizeof(digits) || v->text[0] == '+') {
		fail(r, "has no number in", name);
		return 0;
	}
	memcpy(digits, v->text, v->text_len);
	digits[v->text_len] = '\0';
	errno = 0;
	const long long number = strtoll(digits, &end, 10);
	if (errno != 0 || end == digits || *end != '\0' || number < min || number > max) {
		fail(r, "has no such number in", name);
		return 0;
	}
	return number;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Returns the number of bytes, or SIZE_MAX if it is not a text or, unless it is to be cut, longer
 * than size. */
static size_t unescape(const struct record_value *v, char *ret, size_t size, bool cut)
{
	const char *s = v->text + 1, *end = v->text + v->text_len - 1;
	size_t n = 0;
	if (v->text_len < 2 || v->text[0] != '"' || *end != '"')
		return SIZE_MAX;
	for (; s < end && n < size; n++) {
		if (*s != '\\') {
			ret[n] = *s++;
			continue;
		}
		const int high = end - s > 2 ? hex_digit(s[1]) : -1;
		const int low = end - s > 2 ? hex_digit(s[2]) : -1;
		if (high < 0 || low < 0)
			return SIZE_MAX;
		ret[n] = (char)(high << 4 | low);
		s += 3;
	}
	return s == end || cut ? n : SIZE_MAX;
}

static void text_take(struct record *r, const char *name, char *ret, size_t size, bool cut)
{
	const struct record_value *v = record_find(r, name);
	ret[0] = '\0';
	if (v == NULL)
		return;
	const size_t len = unescape(v, ret, size - 1, cut);
	if (len == SIZE_MAX || memchr(ret, '\0', len) != NULL) {
		ret[0] = '\0';
		fail(r, "has no such text in", name);
		return;
	}
	ret[len] = '\0';
}

void record_text(struct record *r, const char *name, char *ret, size_t size)
{
	text_take(r, name, ret, size, false);
}

void record_sentence(struct record *r, const char *name, char *ret, size_t size)
{
	text_take(r, name, ret, size, true);
}

void record_bytes(struct record *r, const char *name, void *ret, size_t len)
{
	const struct record_value *v = record_find(r, name);
	if (v != NULL && unescape(v, ret, len, false) == len)
		return;
	memset(ret, 0, len);
	fail(r, "has no such bytes in", name);
}

void record_skip(struct record *r)
{
	for (size_t i = 0; i < r->count; i++)
		r->values[i].read = true;
	if (!r->optional)
		fail(r, "is of a kind that this version does not know", "");
}

bool record_done(struct record *r)
{
	for (size_t i = 0; i < r->count && !r->failed; i++)
		if (!r->values[i].read && !r->values[i].optional)
			fail(r, "says more than this version understands", "");
	return !r->failed;
}

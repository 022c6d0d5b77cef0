/*
 * From words to a fault and back. Runs in the master and in the children of ports that have faults,
 * on configuration and client bytes. Must never repeat one of these bytes unescaped.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "base/text.h"
#include "fault/fault.h"

#define SHOWN_MAX       40 /* bytes of an outside word in a sentence */
#define WORD_MAX        64 /* no valid name or value is longer */
#define FRACTION_DIGITS 6

static bool is_same_word(const char *word, const char *s, size_t len)
{
	return strlen(word) == len && memcmp(word, s, len) == 0;
}

static void text_add_foreign(struct text *t, const char *s, size_t len)
{
	text_add_char(t, '`');
	text_add_escaped(t, s, len < SHOWN_MAX ? len : SHOWN_MAX);
	text_add_str(t, len > SHOWN_MAX ? "...`" : "`");
}

/* The separator before the i-th element of a list. */
static const char *comma(size_t i, bool last)
{
	return i == 0 ? "" : last ? " or " : ", ";
}

static uint64_t value_get(const struct fault *f, const struct fault_parameter *p)
{
	uint64_t value;
	memcpy(&value, (const char *)f + p->offset, sizeof(value));
	return value;
}

/* --- single values --------------------------------------------------------------------------- */

/* "0.01", in millionths. num_parse() reads the digits on both sides of the point as one number. */
static int fraction_parse(const char *s, size_t len, uint64_t max, uint64_t *ret)
{
	char digits[FRACTION_DIGITS + 2];
	const char *point = memchr(s, '.', len);
	size_t whole = point != NULL ? (size_t)(point - s) : len;
	size_t decimals = point != NULL ? len - whole - 1 : 0;
	if (whole != 1 || decimals > FRACTION_DIGITS || (point != NULL && decimals == 0))
		return -EINVAL;
	memset(digits, '0', sizeof(digits));
	digits[0] = s[0];
	if (point != NULL)
		memcpy(digits + 1, point + 1, decimals);
	return num_parse(digits, FRACTION_DIGITS + 1, 0, max, ret);
}

static void fraction_describe(struct text *t, uint64_t value)
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64 ".%06" PRIu64,
			   value / FAULT_PROBABILITY_ONE, value % FAULT_PROBABILITY_ONE);
	while (digits[len - 1] == '0')
		len--;
	text_add(t, digits, (size_t)(digits[len - 1] == '.' ? len - 1 : len));
}

/* People write 16m; src/base knows 16M. */
static int size_parse(const struct fault_parameter *p, const char *s, size_t len, uint64_t *ret)
{
	char upper[WORD_MAX];
	if (len == 0 || len > sizeof(upper))
		return -EINVAL;
	memcpy(upper, s, len);
	if (strchr("kmg", upper[len - 1]) != NULL)
		upper[len - 1] = (char)(upper[len - 1] - 'a' + 'A');
	return num_parse_size(upper, len, p->min, p->max, ret);
}

static int value_parse(const struct fault_parameter *p, const char *s, size_t len, uint64_t *ret)
{
	if (p->zero != NULL && is_same_word(p->zero, s, len)) {
		*ret = 0;
		return 0;
	}
	switch (p->type) {
	case FAULT_NUMBER:
		return num_parse(s, len, p->min, p->max, ret);
	case FAULT_SIZE:
		return size_parse(p, s, len, ret);
	case FAULT_DURATION:
		return num_parse_duration(s, len, p->min, p->max, ret);
	case FAULT_FRACTION:
		return fraction_parse(s, len, p->max, ret);
	case FAULT_CHOICE:
		for (uint64_t i = 0; p->choices[i] != NULL; i++) {
			if (!is_same_word(p->choices[i], s, len))
				continue;
			*ret = i;
			return 0;
		}
		break;
	}
	return -EINVAL;
}

static void value_describe(const struct fault_parameter *p, uint64_t value, struct text *t)
{
	char text[NUM_TEXT_MAX];
	if (p->zero != NULL && value == 0) {
		text_add_str(t, p->zero);
		return;
	}
	switch (p->type) {
	case FAULT_NUMBER:
		text_add_uint(t, value);
		break;
	case FAULT_SIZE:
		text_add_str(t, num_format_size(value, text));
		break;
	case FAULT_DURATION:
		text_add_str(t, num_format_duration(value, text));
		break;
	case FAULT_FRACTION:
		fraction_describe(t, value);
		break;
	case FAULT_CHOICE:
		text_add_str(t, p->choices[value]);
		break;
	}
}

void fault_allowed_describe(const struct fault_parameter *p, struct text *t)
{
	if (p->type == FAULT_CHOICE) {
		for (size_t i = 0; p->choices[i] != NULL; i++) {
			text_add_str(t, comma(i, p->choices[i + 1] == NULL));
			text_add_str(t, p->choices[i]);
		}
		return;
	}
	value_describe(p, p->min, t);
	text_add_str(t, " to ");
	value_describe(p, p->max, t);
	if (p->zero != NULL)
		text_addf(t, " or %s", p->zero);
}

/* --- a fault --------------------------------------------------------------------------------- */

static void fault_put(struct fault *f, const struct fault_parameter *p, uint64_t value)
{
	memcpy((char *)f + p->offset, &value, sizeof(value));
}

static int no_such_kind(const char *kind, size_t len, struct err *err)
{
	struct text t;
	text_init(&t, err->text, sizeof(err->text));
	text_add_str(&t, "there is no fault ");
	text_add_foreign(&t, kind, len);
	text_add_str(&t, "; there are ");
	for (unsigned i = 0; i < FAULT_KINDS; i++)
		text_addf(&t, "%s%s", comma(i, i + 1 == FAULT_KINDS),
			  fault_info((enum fault_kind)i)->name);
	return -ENOENT;
}

int fault_begin(struct fault *f, const char *kind, size_t len, struct err *err)
{
	const struct fault_parameter *p;
	uint64_t value = 0;
	unsigned found = 0;
	while (found < FAULT_KINDS &&
	       !is_same_word(fault_info((enum fault_kind)found)->name, kind, len))
		found++;
	if (found == FAULT_KINDS)
		return no_such_kind(kind, len, err);
	*f = (struct fault){.kind = (enum fault_kind)found};
	for (size_t i = 0; (p = fault_parameter(f->kind, i)) != NULL; i++) {
		(void)value_parse(p, p->preset, strlen(p->preset), &value);
		fault_put(f, p, value);
	}
	return 0;
}

static int no_such_parameter(const struct fault *f, const char *name, size_t len, struct err *err)
{
	const struct fault_parameter *p;
	struct text t;
	text_init(&t, err->text, sizeof(err->text));
	text_addf(&t, "the fault %s has no ", fault_info(f->kind)->name);
	text_add_foreign(&t, name, len);
	text_add_str(&t, "; it takes ");
	for (size_t i = 0; (p = fault_parameter(f->kind, i)) != NULL; i++)
		text_addf(&t, "%s%s", comma(i, fault_parameter(f->kind, i + 1) == NULL), p->name);
	return -EINVAL;
}

static int not_allowed(const struct fault_parameter *p, const char *value, size_t len,
		       struct err *err)
{
	struct text t;
	text_init(&t, err->text, sizeof(err->text));
	text_add_foreign(&t, value, len);
	text_addf(&t, " is not allowed for `%s`; it can be ", p->name);
	fault_allowed_describe(p, &t);
	return -EINVAL;
}

int fault_set(struct fault *f, const char *name, size_t name_len, const char *value,
	      size_t value_len, struct err *err)
{
	const struct fault_parameter *p;
	uint64_t number = 0;
	unsigned i = 0;
	while ((p = fault_parameter(f->kind, i)) != NULL && !is_same_word(p->name, name, name_len))
		i++;
	if (p == NULL)
		return no_such_parameter(f, name, name_len, err);
	if (f->given & 1U << i) {
		err_set(err, "`%s` is given twice", p->name);
		return -EINVAL;
	}
	if (value_parse(p, value, value_len, &number) < 0)
		return not_allowed(p, value, value_len, err);
	f->given |= 1U << i;
	fault_put(f, p, number);
	return 0;
}

int fault_check(const struct fault *f, struct err *err)
{
	if (f->kind == FAULT_TRUNCATE && f->after >= f->bytes)
		err_set(err, "a response is truncated after fewer bytes than it has: `after` must "
			     "be less than `bytes`");
	else if (f->kind == FAULT_DELAY && f->min_ms > f->max_ms)
		err_set(err, "the `min` of a delay must be at most its `max`");
	else
		return 0;
	return -EINVAL;
}

void fault_describe(const struct fault *f, struct text *t)
{
	const struct fault_parameter *p;
	text_add_str(t, fault_info(f->kind)->name);
	for (size_t i = 0; (p = fault_parameter(f->kind, i)) != NULL; i++) {
		uint64_t value = value_get(f, p);
		if (p->offset == offsetof(struct fault, probability) &&
		    value == FAULT_PROBABILITY_ONE)
			continue;
		if (p->offset == offsetof(struct fault, seed) && value == 0)
			continue;
		text_addf(t, " %s ", p->name);
		value_describe(p, value, t);
	}
}

/* --- a query --------------------------------------------------------------------------------- */

/* Decodes a name or a value into out. Returns its length, or -EINVAL. */
static int word_decode(const char *s, size_t len, char out[WORD_MAX])
{
	int used = 0;
	for (size_t i = 0; i < len; i++) {
		int byte = (unsigned char)s[i];
		if (used == WORD_MAX)
			return -EINVAL;
		if (s[i] == '%') {
			if (len - i < 3 || num_hex_digit(s[i + 1]) < 0 ||
			    num_hex_digit(s[i + 2]) < 0)
				return -EINVAL;
			byte = num_hex_digit(s[i + 1]) * 16 + num_hex_digit(s[i + 2]);
			i += 2;
		}
		out[used++] = (char)byte;
	}
	return used;
}

/* name=value */
static int pair_set(struct fault *f, const char *s, size_t len, struct err *err)
{
	char name[WORD_MAX], value[WORD_MAX];
	const char *equals = memchr(s, '=', len);
	size_t first = equals != NULL ? (size_t)(equals - s) : len;
	int name_len = word_decode(s, first, name);
	int value_len = equals != NULL ? word_decode(equals + 1, len - first - 1, value) : -1;
	if (name_len >= 0 && value_len >= 0)
		return fault_set(f, name, (size_t)name_len, value, (size_t)value_len, err);
	struct text t;
	text_init(&t, err->text, sizeof(err->text));
	text_add_foreign(&t, s, len);
	text_add_str(&t, " is not NAME=VALUE");
	return -EINVAL;
}

int fault_parse_query(struct fault *f, const char *kind, size_t kind_len, const char *query,
		      size_t query_len, struct err *err)
{
	int error = fault_begin(f, kind, kind_len, err);
	while (error == 0 && query_len > 0) {
		const char *end = memchr(query, '&', query_len);
		size_t len = end != NULL ? (size_t)(end - query) : query_len;
		error = len > 0 ? pair_set(f, query, len, err) : 0;
		len += end != NULL;
		query += len;
		query_len -= len;
	}
	return error < 0 ? error : fault_check(f, err);
}

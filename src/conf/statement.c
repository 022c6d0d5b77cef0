/*
 * The parts of all statements: blocks, duplicates, strings and quantities. Runs in the master and
 * in every child. Must never stop the parse: a value that is out of range is reported and ignored.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "parser.h"

struct conf_block *conf_block_top(struct conf_parser *p)
{
	return &p->blocks[p->blocks_count - 1];
}

/* The grammar nests no deeper than CONF_BLOCKS_MAX. */
struct conf_block *conf_block_push(struct conf_parser *p, enum conf_block_kind kind,
				   const struct conf_where *where)
{
	struct conf_block *block = &p->blocks[p->blocks_count++];
	block->kind = kind;
	block->where = *where;
	block->damaged = NULL;
	block->statements = block->more = NULL;
	block->options_of = NULL;
	block->seen_count = 0;
	return block;
}

void conf_block_open(struct conf_parser *p, enum conf_block_kind kind, const char *word,
		     const struct conf_where *where)
{
	(void)conf_once(p, word, where);
	(void)conf_block_push(p, kind, where);
}

void conf_block_close(struct conf_parser *p)
{
	p->blocks_count--;
}

const struct conf_where *conf_seen(struct conf_parser *p, const char *word)
{
	const struct conf_block *block = conf_block_top(p);
	for (unsigned i = 0; i < block->seen_count; i++)
		if (strcmp(block->seen[i].word, word) == 0)
			return &block->seen[i].where;
	return NULL;
}

bool conf_once(struct conf_parser *p, const char *word, const struct conf_where *where)
{
	struct conf_block *block = conf_block_top(p);
	const struct conf_where *first = conf_seen(p, word);
	char place[CONF_PLACE_MAX];
	if (first != NULL) {
		conf_error(p, where, "duplicate `%s`; the first one is at %s", word,
			   conf_place(first, where, place));
		return false;
	}
	if (block->seen_count < CONF_SEEN_MAX) {
		block->seen[block->seen_count].word = word;
		block->seen[block->seen_count].where = *where;
		block->seen_count++;
	}
	return true;
}

bool conf_plain_variables(struct conf_parser *p, const char *what, size_t max,
			  const struct conf_value *value, const struct conf_where *at)
{
	if (value->broken)
		return false;
	if (value->len == 0) {
		conf_error(p, at, "%s cannot be empty", what);
		return false;
	}
	if (value->len > max) {
		conf_error(p, at, "%s has at most %zu bytes, this one has %zu", what, max,
			   value->len);
		return false;
	}
	for (size_t i = 0; i < value->len; i++) {
		if ((unsigned char)value->data[i] < 0x20 || value->data[i] == 0x7f) {
			conf_error(p, at, "%s cannot contain a control character or NUL byte",
				   what);
			return false;
		}
	}
	return true;
}

bool conf_plain(struct conf_parser *p, const char *what, size_t max, const struct conf_value *value,
		const struct conf_where *at)
{
	if (!conf_plain_variables(p, what, max, value, at))
		return false;
	conf_unreplaced_tell(p, value, at);
	return true;
}

static bool is_size(enum conf_type type)
{
	return type == CONF_SIZE || type == CONF_MEMORY;
}

static const char *unit_name(enum conf_type type)
{
	return is_size(type)           ? "a size such as 16K or 1M"
	       : type == CONF_DURATION ? "a duration such as 250ms, 10s or 5m"
	       : type == CONF_RATE     ? "a rate such as 50/s or 5/m"
				       : "a number";
}

const char *conf_quantity_format(enum conf_type type, uint64_t value, char out[NUM_TEXT_MAX])
{
	if (is_size(type))
		return num_format_size(value, out);
	if (type == CONF_DURATION)
		return num_format_duration(value, out);
	if (type == CONF_RATE)
		return num_format_rate(value, out);
	(void)snprintf(out, NUM_TEXT_MAX, "%" PRIu64, value);
	return out;
}

static int unit_parse(enum conf_type type, const struct conf_value *value, uint64_t min,
		      uint64_t max, uint64_t *ret)
{
	if (is_size(type))
		return num_parse_size(value->data, value->len, min, max, ret);
	if (type == CONF_DURATION)
		return num_parse_duration(value->data, value->len, min, max, ret);
	if (type == CONF_RATE)
		return num_parse_rate(value->data, value->len, min, max, ret);
	return num_parse(value->data, value->len, min, max, ret);
}

/* 60sec, 10MB: the number, and the unit in its form here. NULL: not such a value. */
static const char *unit_elsewhere(const struct conf_value *value, size_t *ret_digits)
{
	*ret_digits = strspn(value->data, "0123456789");
	if (*ret_digits == 0 || strlen(value->data) != value->len)
		return NULL;
	return conf_foreign_unit(value->data + *ret_digits, value->len - *ret_digits);
}

bool conf_quantity(struct conf_parser *p, const char *what, enum conf_type type, uint64_t min,
		   uint64_t max, const struct conf_value *value, const struct conf_where *at,
		   uint64_t *ret)
{
	size_t digits = 0;
	const char *here = NULL;
	char shown[CONF_SHOWN_MAX], low[NUM_TEXT_MAX], high[NUM_TEXT_MAX];
	int error = unit_parse(type, value, min, max, ret);
	if (error == 0)
		return true;
	if (value->broken)
		return false;
	if (type != CONF_NUMBER && strspn(value->data, "0123456789") == value->len &&
	    conf_lexer_unit_follows(p, at))
		return false; /* `16 K` has its own message */
	if (value->data[0] == '$' && conf_is_name(value->data + 1, value->len - 1)) {
		conf_error(p, at,
			   "`%s` is not %s; a defined value is written `${%s}`, and one of the "
			   "environment `${env:%s}`",
			   value->data, unit_name(type), value->data + 1, value->data + 1);
		return false;
	}
	if (type != CONF_NUMBER)
		here = unit_elsewhere(value, &digits);
	(void)conf_quantity_format(type, min, low);
	(void)conf_quantity_format(type, max, high);
	if (error == -ERANGE)
		conf_error(p, at, "%s %s is out of range; it can be %s to %s", what,
			   conf_show(value, shown), low, high);
	else if (here != NULL)
		conf_error(p, at, "`%s` is not %s; is %.*s%s meant? %s can be %s to %s",
			   conf_show(value, shown), unit_name(type), (int)digits, value->data, here,
			   what, low, high);
	else
		conf_error(p, at, "`%s` is not %s; %s can be %s to %s", conf_show(value, shown),
			   unit_name(type), what, low, high);
	return false;
}

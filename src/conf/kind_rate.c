/*
 * The filter rate: how many bytes of the body of a response are sent in a second. Runs in the
 * master and in the child of the port.
 */
#include <errno.h>
#include <string.h>

#include "base/num.h"
#include "parser.h"

#define RATE_MIN UINT64_C(1024)
#define RATE_MAX (UINT64_C(1) << 40)

/* "1M/s": a size and its second. */
static bool rate_read(struct conf_parser *p, const struct conf_value *value,
		      const struct conf_where *at, uint64_t *ret)
{
	static const char second[] = "/s";
	const size_t tail = sizeof(second) - 1;
	char shown[CONF_SHOWN_MAX];
	int error = -EINVAL;
	if (value->broken)
		return false;
	if (value->len > tail && memcmp(value->data + value->len - tail, second, tail) == 0)
		error = num_parse_size(value->data, value->len - tail, RATE_MIN, RATE_MAX, ret);
	if (error == -ERANGE)
		conf_error(p, at, "rate %s is out of range; it can be 1K/s to 1024G/s",
			   conf_show(value, shown));
	else if (error < 0)
		conf_error(p, at, "`%s` is not a rate of bytes such as 500K/s or 1M/s",
			   conf_show(value, shown));
	return error == 0;
}

static void rate_take(struct conf_parser *p, const struct conf_group *given)
{
	uint64_t number = 0;
	const bool first = conf_once(p, "rate", &given->where);
	struct conf_rate *rate = conf_filter_here(p, CONF_FILTER_RATE, sizeof(*rate));
	if (given->values[0].part != CONF_PART_ZERO &&
	    !rate_read(p, &given->values[0], &given->at[0], &number))
		return;
	if (rate != NULL && first)
		rate->bytes_per_second = number;
}

static void rate_write(const void *own, const char *indent, FILE *out)
{
	const struct conf_rate *rate = own;
	char text[NUM_TEXT_MAX];
	if (rate->bytes_per_second == 0)
		(void)fprintf(out, "%srate off\n", indent);
	else
		(void)fprintf(out, "%srate %s/s\n", indent,
			      num_format_size(rate->bytes_per_second, text));
}

static const struct conf_statement rate_statements[] = {
    {.word = "rate",
     .blocks = CONF_FILTER_BLOCKS,
     .token = T_RATE, /* `log rate` has it, too */
     .take = rate_take,
     .pieces = {{CONF_WORD, .noun = "rate of bytes", .example = "1M/s", .zero = "off"}}},
    {.word = NULL},
};

const struct conf_kind conf_kind_rate = {.statements = rate_statements, .write = rate_write};

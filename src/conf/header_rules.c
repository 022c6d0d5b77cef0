/*
 * What the filters header and request have in common: rules for the fields of heads. Runs in the
 * master and in the child of the port. Must never accept a value that could split a head.
 */
#include <string.h>
#include <strings.h>

#include "parser.h"

#define RULES_MAX       64    /* of a place */
#define RULES_BYTES_MAX 16384 /* of their names and values */
#define STATUSES_MAX    64    /* of a rule */

/* The rules with what only the configuration needs. */
struct header_draft {
	struct conf_headers headers;
	const char *word;              /* "header" */
	struct conf_where *at;         /* of headers.rules */
	struct conf_header_rule *open; /* gets more words; NULL: a mistake was in it */
	size_t bytes;
};

const char *const conf_header_operations[] = {"set", "add", "remove", NULL};

static enum conf_header_operation operation_of(const char *word)
{
	unsigned i = 0;
	while (conf_header_operations[i + 1] != NULL &&
	       strcmp(conf_header_operations[i], word) != 0)
		i++;
	return (enum conf_header_operation)i;
}

static bool bytes_check(struct conf_parser *p, struct header_draft *draft, size_t bytes,
			const struct conf_where *at)
{
	draft->bytes += bytes;
	if (draft->bytes <= RULES_BYTES_MAX)
		return true;
	conf_error(p, at, "the %s rules of a place have at most 16 KiB together", draft->word);
	return false;
}

static void rule_begin(struct conf_parser *p, struct header_draft *draft, conf_header_names *names,
		       const struct conf_group *given)
{
	struct conf_headers *headers = &draft->headers;
	const struct conf_value *name = &given->values[CONF_HEADER_NAME];
	draft->open = NULL;
	if (!names(p, name, &given->at[CONF_HEADER_NAME]) ||
	    !bytes_check(p, draft, name->len, &given->at[CONF_HEADER_NAME]))
		return;
	if (headers->rules_count == RULES_MAX) {
		conf_error(p, &given->where, "a place has at most %d %s rules", RULES_MAX,
			   draft->word);
		return;
	}
	struct conf_header_rule *rules =
	    conf_grow(p, headers->rules, headers->rules_count, sizeof(*rules));
	struct conf_where *at = conf_grow(p, draft->at, headers->rules_count, sizeof(*at));
	if (rules == NULL || at == NULL)
		return;
	headers->rules = rules;
	draft->at = at;
	at[headers->rules_count] = given->where;
	draft->open = &rules[headers->rules_count++];
	*draft->open = (struct conf_header_rule){
	    .operation = operation_of(given->values[CONF_HEADER_OPERATION].data),
	    .name = conf_copy(p, name->data, name->len)};
}

/* A value with a mistake is not missing, too. */
static void rule_value(struct conf_parser *p, struct header_draft *draft,
		       const struct conf_value *value, const struct conf_where *at)
{
	struct conf_header_rule *rule = draft->open;
	rule->value = "";
	if (rule->operation == CONF_HEADER_REMOVE)
		conf_error(p, at, "`%s remove` has a name and no value", draft->word);
	else if (conf_field_check(p, "a header value", value, at) &&
		 bytes_check(p, draft, value->len, at) &&
		 conf_variables_check(p, value->data, at) &&
		 !conf_variables_foreign(p, value->data, at))
		rule->value = conf_copy(p, value->data, value->len);
}

static void rule_status(struct conf_parser *p, struct conf_header_rule *rule,
			const struct conf_value *status, const struct conf_where *at)
{
	uint64_t number;
	if (!conf_quantity(p, "status", CONF_NUMBER, 200, 599, status, at, &number))
		return;
	for (uint32_t i = 0; i < rule->statuses_count; i++)
		if (rule->statuses[i] == number) {
			conf_error(p, at, "duplicate status %s in one statement", status->data);
			return;
		}
	if (rule->statuses_count == STATUSES_MAX) {
		conf_error(p, at, "a header rule has at most %d statuses", STATUSES_MAX);
		return;
	}
	uint32_t *statuses = conf_grow(p, rule->statuses, rule->statuses_count, sizeof(*statuses));
	if (statuses == NULL)
		return;
	rule->statuses = statuses;
	statuses[rule->statuses_count++] = (uint32_t)number;
}

static void rule_on(struct conf_parser *p, struct header_draft *draft,
		    const struct conf_group *given)
{
	struct conf_header_rule *rule = draft->open;
	char shown[CONF_SHOWN_MAX];
	if (given->piece == CONF_HEADER_MORE_ON && rule->statuses_count == 0)
		conf_error(p, &given->at[0], "before a status stands `on`: `on %s`",
			   conf_show(&given->values[0], shown));
	else if (rule->always)
		conf_error(p, &given->where, "`always` is for every status: leave `on` out");
	else
		rule_status(p, rule, &given->values[0], &given->at[0]);
}

void conf_header_take(struct conf_parser *p, enum conf_filter kind, const char *word,
		      conf_header_names *names, const struct conf_group *given)
{
	struct header_draft *draft = conf_filter_here(p, kind, sizeof(*draft));
	if (draft == NULL)
		return;
	draft->word = word;
	if (given->piece == CONF_HEADER_OPERATION)
		rule_begin(p, draft, names, given);
	if (draft->open == NULL)
		return;
	switch (given->piece) {
	case CONF_HEADER_VALUE:
		rule_value(p, draft, &given->values[0], &given->at[0]);
		break;
	case CONF_HEADER_ALWAYS:
		draft->open->always = true;
		break;
	case CONF_HEADER_ON:
	case CONF_HEADER_MORE_ON:
		rule_on(p, draft, given);
		break;
	}
}

/* --- when all rules are known ----------------------------------------------------------------- */

void conf_header_finish(struct conf_parser *p, void *own)
{
	const struct header_draft *draft = own;
	for (uint32_t i = 0; i < draft->headers.rules_count; i++) {
		struct conf_header_rule *rule = &draft->headers.rules[i];
		const struct conf_value name = {.data = rule->name, .len = strlen(rule->name)};
		char shown[CONF_SHOWN_MAX];
		if (rule->value == NULL && rule->operation != CONF_HEADER_REMOVE)
			conf_error(
			    p, &draft->at[i], "`%s %s` needs a value: `%s %s \"%s\" \"value\"`",
			    draft->word, conf_header_operations[rule->operation], draft->word,
			    conf_header_operations[rule->operation], conf_show(&name, shown));
	}
}

/* In the canonical text, which a child reads, those of the top level are the port's. */
static void sum_check(struct conf_parser *p, const struct header_draft *top,
		      const struct header_draft *port)
{
	const uint32_t count = port->headers.rules_count;
	if (count > 0 && top->headers.rules_count + count > RULES_MAX)
		conf_error(p, &port->at[count - 1],
			   "with the %u of the top level, a port has at most %d %s rules",
			   top->headers.rules_count, RULES_MAX, port->word);
	else if (count > 0 && top->bytes + port->bytes > RULES_BYTES_MAX)
		conf_error(p, &port->at[count - 1],
			   "the %s rules of the top level and of a port have at most 16 KiB "
			   "together",
			   port->word);
}

/* The rules of an outer place come first. */
const void *conf_header_inherit(struct conf_parser *p, const void *outer, const void *own)
{
	if (outer == p->top_filters.own[CONF_FILTER_HEADER] ||
	    outer == p->top_filters.own[CONF_FILTER_REQUEST])
		sum_check(p, outer, own);
	struct conf_headers *headers = conf_alloc(p, sizeof(*headers));
	if (headers == NULL)
		return own;
	*headers = *(const struct conf_headers *)own;
	headers->outer = outer;
	return headers;
}

/* --- the canonical text ----------------------------------------------------------------------- */

static void rule_write(const struct conf_header_rule *rule, const char *word, const char *indent,
		       FILE *out)
{
	(void)fprintf(out, "%s%s %s", indent, word, conf_header_operations[rule->operation]);
	conf_put(out, " ", rule->name);
	if (rule->operation != CONF_HEADER_REMOVE)
		conf_put(out, " ", rule->value);
	if (rule->always)
		fputs(" always", out);
	for (uint32_t i = 0; i < rule->statuses_count; i++)
		(void)fprintf(out, "%s %u", i == 0 ? " on" : "", rule->statuses[i]);
	fputc('\n', out);
}

/* What its own statements say has nothing around it, except in a port: there the top level is. */
void conf_header_write(const void *own, const char *word, const char *indent, FILE *out)
{
	const struct conf_headers *headers = own;
	if (headers->outer != NULL)
		conf_header_write(headers->outer, word, indent, out);
	for (uint32_t i = 0; i < headers->rules_count; i++)
		rule_write(&headers->rules[i], word, indent, out);
}

uint64_t conf_header_size(const void *own)
{
	const struct conf_headers *headers = own;
	uint64_t sum = sizeof(struct header_draft);
	for (uint32_t i = 0; i < headers->rules_count; i++) {
		const struct conf_header_rule *rule = &headers->rules[i];
		sum += 2 * sizeof(*rule) + sizeof(struct conf_where) + strlen(rule->name) +
		       rule->statuses_count * sizeof(*rule->statuses) +
		       (rule->value != NULL ? 2 * strlen(rule->value) : 0);
	}
	return sum + (headers->outer != NULL ? conf_header_size(headers->outer) : 0);
}

/*
 * Runs in the workers: `header`, the rules of the configuration for the heads of responses. Must
 * never let a part of a request make a second field of one, nor change what the body is framed by.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "filter/kinds.h"
#include "filter/variable.h"

#define VALUE_MAX 8192 /* bytes of a value with its parts; a longer one is answered with 414 */

struct header_rule {
	const struct conf_header_rule *conf;
	struct http_header field; /* its value is that of the rule, unless parts_count is not 0 */
	bool is_type;             /* Content-Type */
	bool is_encoding;         /* Content-Encoding */
	bool is_cache;            /* Cache-Control */
	bool says_so; /* its value keeps the body as it is: what exchange_stays() is for */
	uint32_t parts_count;
	const struct variable_part *parts;
};

struct headers {
	uint16_t port;
	bool says_so;                /* a rule does */
	struct variable_part *parts; /* owned: of all rules */
	size_t count;
	struct header_rule rules[];
};

/* --- for a response --------------------------------------------------------------------------- */

/* Without a word for it, a rule is for what went well: 200 to 399. */
static bool rule_applies(const struct conf_header_rule *rule, unsigned status)
{
	if (rule->always)
		return true;
	for (uint32_t i = 0; i < rule->statuses_count; i++)
		if (rule->statuses[i] == status)
			return true;
	return rule->statuses_count == 0 && status >= 200 && status <= 399;
}

/* The type of a body of several ranges says where each of them begins (RFC 9110, 14.6). */
static bool is_ranges(const struct exchange *ex)
{
	static const char ranges[] = "multipart/byteranges";
	struct http_fields_walk walk = {0};
	const struct http_header *f;
	while (ex->status == 206 && (f = exchange_next_field(ex, &walk)) != NULL)
		if (f->name_len == 12 && strncasecmp(f->name, "Content-Type", 12) == 0 &&
		    f->value_len >= sizeof(ranges) - 1 &&
		    strncasecmp(f->value, ranges, sizeof(ranges) - 1) == 0)
			return true;
	return false;
}

/* Without what it is made of there is no field, rather than an empty one. */
static void rule_add_varied(struct exchange *ex, const struct headers *h,
			    const struct header_rule *rule)
{
	char value[VALUE_MAX];
	const size_t len =
	    variable_expand(rule->parts, rule->parts_count, ex, h->port, value, sizeof(value));
	if (len == SIZE_MAX || !exchange_field_fits(ex, rule->field.name_len, len))
		exchange_fail_field(ex);
	else if (len > 0)
		(void)exchange_add_field(ex, rule->field.name, rule->field.name_len, value, len);
}

static void rule_apply(struct exchange *ex, const struct headers *h, const struct header_rule *rule)
{
	if (rule->is_type && is_ranges(ex))
		return;
	if (rule->conf->operation != CONF_HEADER_ADD)
		(void)exchange_remove_field(ex, rule->field.name, rule->field.name_len);
	if (rule->conf->operation == CONF_HEADER_REMOVE)
		return;
	if (rule->parts_count > 0)
		rule_add_varied(ex, h, rule);
	else
		exchange_borrow_field(ex, &rule->field);
}

static void headers_finish(struct exchange *ex, const void *config)
{
	const struct headers *h = config;
	for (size_t i = 0; i < h->count; i++)
		if (rule_applies(h->rules[i].conf, ex->status))
			rule_apply(ex, h, &h->rules[i]);
}

/* What the last rules say of the two fields that keep a body as it is. What the handler says of
 * them is not seen here. */
static bool headers_stay(const struct exchange *ex, const void *config)
{
	const struct headers *h = config;
	bool encoded = false, kept = false;
	for (size_t i = 0; h->says_so && i < h->count; i++) {
		const struct header_rule *rule = &h->rules[i];
		const bool adds = rule->conf->operation == CONF_HEADER_ADD;
		if ((!rule->is_encoding && !rule->is_cache) ||
		    !rule_applies(rule->conf, ex->status))
			continue;
		if (rule->is_encoding)
			encoded = rule->says_so || (adds && encoded);
		else
			kept = rule->says_so || (adds && kept);
	}
	return encoded || kept;
}

/* --- at the start ----------------------------------------------------------------------------- */

static size_t rules_count(const struct conf_headers *conf)
{
	return conf == NULL ? 0 : conf->rules_count + rules_count(conf->outer);
}

static size_t parts_most(const struct conf_headers *conf)
{
	size_t sum = conf == NULL ? 0 : parts_most(conf->outer);
	for (uint32_t i = 0; conf != NULL && i < conf->rules_count; i++)
		if (conf->rules[i].value != NULL)
			sum += variable_parts_most(conf->rules[i].value);
	return sum;
}

static void rule_init(struct headers *h, const struct conf_header_rule *conf,
		      struct variable_part **parts)
{
	struct header_rule *rule = &h->rules[h->count++];
	const char *value = conf->value != NULL ? conf->value : "";
	*rule = (struct header_rule){
	    .conf = conf,
	    .field = {conf->name, value, (uint32_t)strlen(conf->name), (uint32_t)strlen(value)},
	    .is_type = strcasecmp(conf->name, "Content-Type") == 0,
	    .is_encoding = strcasecmp(conf->name, "Content-Encoding") == 0,
	    .is_cache = strcasecmp(conf->name, "Cache-Control") == 0,
	    .parts = *parts,
	};
	rule->says_so = (rule->is_encoding && value[0] != '\0') ||
			(rule->is_cache && http_list_has(&rule->field, "no-transform"));
	h->says_so = h->says_so || rule->says_so;
	const size_t count = variable_parts(value, *parts);
	if (count > 1 || (count == 1 && rule->parts[0].variable != CONF_NO_VARIABLE)) {
		rule->parts_count = (uint32_t)count;
		*parts += count;
	}
}

/* Those of outer places first. */
static void rules_init(struct headers *h, const struct conf_headers *conf,
		       struct variable_part **parts)
{
	if (conf->outer != NULL)
		rules_init(h, conf->outer, parts);
	for (uint32_t i = 0; i < conf->rules_count; i++)
		rule_init(h, &conf->rules[i], parts);
}

static void headers_release(void *made)
{
	struct headers *h = made;
	free(h->parts);
	free(h);
}

static void *headers_make(const void *options, const struct filter_means *means)
{
	const struct conf_headers *conf = options;
	struct headers *h = calloc(1, sizeof(*h) + rules_count(conf) * sizeof(h->rules[0]));
	struct variable_part *parts = calloc(parts_most(conf) + 1, sizeof(*parts));
	if (h == NULL || parts == NULL) {
		free(h);
		free(parts);
		return NULL;
	}
	h->port = means->port;
	h->parts = parts;
	rules_init(h, conf, &parts);
	return h;
}

const struct filter_kind filter_kind_header = {
    .finish = headers_finish,
    .stays = headers_stay,
    .make = headers_make,
    .release = headers_release,
};

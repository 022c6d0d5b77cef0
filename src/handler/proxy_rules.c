/*
 * Runs in the workers: `request header`, the rules of the configuration for the heads of requests
 * that go upstream. Must never let a part of a request make a second field of one.
 */
#include <stdlib.h>
#include <string.h>

#include "filter/variable.h"
#include "proxy.h"

#define VALUE_MAX 8192 /* bytes of a value with its parts */

struct proxy_rule {
	struct http_header field; /* its value is that of the rule, unless parts_count is not 0 */
	bool replaces;            /* what came, and what other rules have added */
	bool adds;                /* it does, and no later rule takes its place */
	uint32_t parts_count;
	const struct variable_part *parts;
};

struct proxy_rules {
	uint16_t port;
	struct variable_part *parts; /* owned: of all rules */
	size_t count;
	struct proxy_rule list[];
};

/* --- for a request ---------------------------------------------------------------------------- */

bool proxy_rules_replace(const struct proxy_rules *rules, const char *name, size_t len)
{
	for (size_t i = 0; i < rules->count; i++)
		if (rules->list[i].replaces &&
		    upstream_names_alike(rules->list[i].field.name, rules->list[i].field.name_len,
					 name, len))
			return true;
	return false;
}

/* Without what it is made of there is no field, rather than an empty one. */
static unsigned rule_add(const struct proxy_rule *rule, uint16_t port, struct proxy_request *q)
{
	struct http_header *to = &q->added[q->added_count];
	*to = rule->field;
	if (rule->parts_count > 0) {
		char value[VALUE_MAX];
		const size_t len = variable_expand(rule->parts, rule->parts_count, q->ex, port,
						   value, sizeof(value));
		if (len == SIZE_MAX)
			return 431;
		if (len == 0)
			return 0;
		char *copy = arena_take(&q->ex->arena, len);
		if (copy == NULL)
			return 500;
		to->value = memcpy(copy, value, len);
		to->value_len = (uint32_t)len;
	}
	q->added_count++;
	q->added_bytes += to->name_len + to->value_len + 4;
	return 0;
}

unsigned proxy_rules_add(const struct proxy_rules *rules, struct proxy_request *q)
{
	unsigned status = 0;
	if (rules->count == 0)
		return 0;
	q->added = arena_take(&q->ex->arena, rules->count * sizeof(*q->added));
	if (q->added == NULL)
		return 500;
	for (size_t i = 0; i < rules->count && status == 0; i++)
		if (rules->list[i].adds)
			status = rule_add(&rules->list[i], rules->port, q);
	return status;
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

/* The configuration has refused rules for what frames a request, or says where it goes. */
static bool name_is_allowed(const char *name)
{
	bool alike;
	const enum upstream_field kind = upstream_field_find(name, strlen(name), &alike);
	return !upstream_field_is_hop(kind) && kind != UPSTREAM_HOST && kind != UPSTREAM_EXPECT &&
	       kind != UPSTREAM_TRAILER;
}

static void rule_init(struct proxy_rules *rules, const struct conf_header_rule *conf,
		      struct variable_part **parts)
{
	struct proxy_rule *rule = &rules->list[rules->count];
	const char *value = conf->value != NULL ? conf->value : "";
	*rule = (struct proxy_rule){
	    .field = {conf->name, value, (uint32_t)strlen(conf->name), (uint32_t)strlen(value)},
	    .replaces = conf->operation != CONF_HEADER_ADD,
	    .adds = conf->operation != CONF_HEADER_REMOVE,
	    .parts = *parts,
	};
	for (size_t i = 0; rule->replaces && i < rules->count; i++) /* the earlier ones */
		if (upstream_names_alike(rules->list[i].field.name, rules->list[i].field.name_len,
					 rule->field.name, rule->field.name_len))
			rules->list[i].adds = false;
	const size_t count = variable_parts(value, *parts);
	if (count > 1 || (count == 1 && rule->parts[0].variable != CONF_NO_VARIABLE)) {
		rule->parts_count = (uint32_t)count;
		*parts += count;
	}
	rules->count++;
}

/* Those of outer places first. */
static void rules_init(struct proxy_rules *rules, const struct conf_headers *conf,
		       struct variable_part **parts)
{
	if (conf == NULL)
		return;
	rules_init(rules, conf->outer, parts);
	for (uint32_t i = 0; i < conf->rules_count; i++)
		if (name_is_allowed(conf->rules[i].name))
			rule_init(rules, &conf->rules[i], parts);
}

void proxy_rules_free(struct proxy_rules *rules)
{
	if (rules == NULL)
		return;
	free(rules->parts);
	free(rules);
}

struct proxy_rules *proxy_rules_make(const struct conf_headers *conf, uint16_t port)
{
	struct proxy_rules *rules =
	    calloc(1, sizeof(*rules) + rules_count(conf) * sizeof(rules->list[0]));
	struct variable_part *parts = calloc(parts_most(conf) + 1, sizeof(*parts));
	if (rules == NULL || parts == NULL) {
		free(rules);
		free(parts);
		return NULL;
	}
	rules->port = port;
	rules->parts = parts;
	rules_init(rules, conf, &parts);
	return rules;
}

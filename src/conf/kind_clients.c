/*
 * The filter clients: `allow` and `deny`, which clients may come in by their addresses. Runs in the
 * master and in the child of the port. Must never let a list seem to keep out whom it lets in: a
 * rule that has no effect is reported.
 */
#include <string.h>

#include "parser.h"

#define RULES_MAX 65536 /* of a place */

/* The rules with what only the configuration needs. */
struct clients_draft {
	struct conf_clients clients;
	struct conf_where *at; /* of clients.rules */
	bool damaged;          /* a rule had a mistake: what the others do is not known */
};

/* `all` of other servers. */
static bool all_tell(struct conf_parser *p, const struct conf_value *value,
		     const struct conf_where *at)
{
	const bool is_all = strcmp(value->data, "all") == 0;
	if (is_all)
		conf_error(p, at, "for all addresses write `*` in place of `all`");
	return is_all;
}

static void clients_take(struct conf_parser *p, const struct conf_group *given)
{
	struct clients_draft *draft = conf_filter_here(p, CONF_FILTER_CLIENTS, sizeof(*draft));
	struct network network;
	if (draft == NULL)
		return;
	if (all_tell(p, &given->values[0], &given->at[0]) ||
	    !conf_network(p, &given->values[0], &given->at[0], &network)) {
		draft->damaged = true;
		return;
	}
	struct conf_clients *clients = &draft->clients;
	if (clients->rules_count == RULES_MAX) {
		conf_error(p, &given->at[0],
			   "a place has at most %d networks that are allowed or denied", RULES_MAX);
		p->stop = true;
		return;
	}
	struct conf_clients_rule *rules =
	    conf_grow(p, clients->rules, clients->rules_count, sizeof(*rules));
	struct conf_where *at = conf_grow(p, draft->at, clients->rules_count, sizeof(*at));
	if (rules == NULL || at == NULL)
		return;
	clients->rules = rules;
	draft->at = at;
	at[clients->rules_count] = given->at[0];
	rules[clients->rules_count++] = (struct conf_clients_rule){
	    .network = network,
	    .deny = strcmp(p->statement->word, "deny") == 0,
	};
}

/* --- when all rules are known ----------------------------------------------------------------- */

static const char *rule_word(const struct conf_clients_rule *rule)
{
	return rule->deny ? "deny" : "allow";
}

/* Warns of rules that no address reaches: an address of theirs is in one before them. */
static void unreached_tell(struct conf_parser *p, const struct clients_draft *draft,
			   const struct network *networks, const struct network_table *table)
{
	const struct conf_clients *clients = &draft->clients;
	bool *reached = conf_alloc(p, clients->rules_count * sizeof(*reached));
	for (size_t i = 0; reached != NULL && i < table->count; i++)
		if (table->spans[i].index != NETWORK_NONE)
			reached[table->spans[i].index] = true;
	for (uint32_t i = 0; reached != NULL && i < clients->rules_count; i++) {
		char text[NETWORK_TEXT_MAX], first_text[NETWORK_TEXT_MAX], place[CONF_PLACE_MAX];
		const uint32_t first = network_table_find(table, &networks[i].first);
		if (reached[i] || first == NETWORK_NONE)
			continue;
		conf_warning(p, &draft->at[i], "`%s %s` has no effect: `%s %s` at %s comes first",
			     rule_word(&clients->rules[i]), network_format(&networks[i], text),
			     rule_word(&clients->rules[first]),
			     network_format(&networks[first], first_text),
			     conf_place(&draft->at[first], &draft->at[i], place));
	}
}

/* `allow *` is meant: it takes the place of an outer list. */
static void only_allows_tell(struct conf_parser *p, const struct clients_draft *draft)
{
	for (uint32_t i = 0; i < draft->clients.rules_count; i++)
		if (draft->clients.rules[i].deny || draft->clients.rules[i].network.bits == 0)
			return;
	if (draft->clients.rules_count > 0)
		conf_warning(p, &draft->at[0],
			     "`allow` keeps nobody out by itself: end the list with `deny *`");
}

static void clients_finish(struct conf_parser *p, void *own)
{
	const struct clients_draft *draft = own;
	const struct conf_clients *clients = &draft->clients;
	struct network_table table;
	struct network *networks = conf_alloc(p, clients->rules_count * sizeof(*networks));
	for (uint32_t i = 0; networks != NULL && i < clients->rules_count; i++)
		networks[i] = clients->rules[i].network;
	if (networks == NULL || network_table_init(&table, networks, clients->rules_count) < 0) {
		conf_out_of_memory(p);
		return;
	}
	unreached_tell(p, draft, networks, &table);
	if (!draft->damaged)
		only_allows_tell(p, draft);
	network_table_release(&table);
}

/* --- the canonical text ----------------------------------------------------------------------- */

/* A line for all that follow each other and say the same. */
static void clients_write(const void *own, const char *indent, FILE *out)
{
	const struct conf_clients *clients = own;
	char text[NETWORK_TEXT_MAX];
	for (uint32_t i = 0; i < clients->rules_count; i++) {
		const struct conf_clients_rule *rule = &clients->rules[i];
		if (i == 0 || rule->deny != rule[-1].deny)
			(void)fprintf(out, "%s%s%s", i == 0 ? "" : "\n", indent, rule_word(rule));
		(void)fprintf(out, " %s", network_format(&rule->network, text));
	}
	if (clients->rules_count > 0)
		fputc('\n', out);
}

/* Each rule, and its part of the table of a worker. */
static uint64_t clients_size(const void *own)
{
	const struct conf_clients *clients = own;
	return clients->rules_count * (sizeof(*clients->rules) + sizeof(struct conf_where) +
				       2 * sizeof(struct network_span));
}

#define NETWORKS                                                     \
	.pieces = {                                                  \
	    {CONF_WORD, .noun = "network", .example = "10.0.0.0/8"}, \
	    {CONF_WORD, CONF_MAY, .noun = "network", .example = "10.0.0.0/8", .many = true}}

static const struct conf_statement clients_statements[] = {
    {.word = "allow", .blocks = CONF_FILTER_BLOCKS, .take = clients_take, NETWORKS},
    {.word = "deny", .blocks = CONF_FILTER_BLOCKS, .take = clients_take, NETWORKS},
    {.word = NULL},
};

/* The list of an inner place takes the place of the outer one. */
const struct conf_kind conf_kind_clients = {
    .statements = clients_statements,
    .finish = clients_finish,
    .write = clients_write,
    .size = clients_size,
};

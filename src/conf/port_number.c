/*
 * The numbers of a port block: `port 443`, `port 80 8080`, `port 9000-9010`. Each number is a port
 * of its own with the same content. Runs in the master and in every child. Must never make a port
 * for a number twice, nor more of them than there are.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "parser.h"

#define NUMBER_MAX 65535
#define DIGITS     "0123456789"

const char *conf_port_in(const char *address)
{
	const char *colon = strrchr(address, ':'), *number = colon != NULL ? colon + 1 : address;
	uint64_t port;
	/* If there are several colons, the last one separates a port only after a bracket. */
	if (colon != NULL && strchr(address, ':') != colon &&
	    (colon == address || colon[-1] != ']'))
		return NULL;
	return num_parse(number, strlen(number), 1, 65535, &port) == 0 ? number : NULL;
}

/* --- one of them ------------------------------------------------------------------------------ */

static bool number_read(struct conf_parser *p, const char *text, size_t len,
			const struct conf_where *at, unsigned *ret)
{
	const char *copy = conf_copy(p, text, len);
	const struct conf_value value = {.data = copy != NULL ? copy : "", .len = len};
	uint64_t number = 0;
	if (copy == NULL ||
	    !conf_quantity(p, "port", CONF_NUMBER, 1, NUMBER_MAX, &value, at, &number))
		return false;
	*ret = (unsigned)number;
	return true;
}

/* 9000..9010, 9000:9010 */
static const char *range_elsewhere(const char *text, size_t *ret_digits)
{
	static const char *const signs[] = {"..", "...", ":", "~", "\xe2\x80\x93", "\xe2\x80\x94"};
	*ret_digits = strspn(text, DIGITS);
	for (size_t i = 0; i < CONF_COUNT(signs) && *ret_digits > 0; i++) {
		const size_t len = strlen(signs[i]);
		const char *rest = text + *ret_digits;
		if (strncmp(rest, signs[i], len) == 0 && rest[len] != '\0' &&
		    rest[len + strspn(rest + len, DIGITS)] == '\0')
			return rest + len;
	}
	return NULL;
}

/* What is not even a number or a range; true: it was reported. */
static bool other_tell(struct conf_parser *p, const struct conf_value *value,
		       const struct conf_where *at)
{
	char shown[CONF_SHOWN_MAX];
	size_t digits = 0;
	const char *second = range_elsewhere(value->data, &digits);
	const char *in_address =
	    strchr(value->data, ':') != NULL ? conf_port_in(value->data) : NULL;
	(void)conf_show(value, shown);
	if (second != NULL)
		conf_error(p, at, "a range of ports is written `%.*s-%s`", (int)digits, value->data,
			   second);
	else if (in_address != NULL)
		conf_error(
		    p, at,
		    "a port is a number: `port %s { ... }`; `listen on` in it has the address",
		    in_address);
	else if (value->len > 1 && value->data[value->len - 1] == ',')
		conf_error(p, at, "blanks separate the numbers of a port block: write `%.*s`",
			   (int)strlen(shown) - 1, shown);
	else if (digits > 0 && strchr(value->data, ',') != NULL)
		conf_error(p, at, "blanks separate the numbers of a port block: `%s`", shown);
	else
		return false;
	return true;
}

/* Is it a range, or at least meant as one? */
static bool is_range(const struct conf_value *value)
{
	return strchr(value->data, '-') != NULL &&
	       strspn(value->data, DIGITS "-") == strlen(value->data);
}

static bool range_read(struct conf_parser *p, const struct conf_value *value,
		       const struct conf_where *at, struct conf_port_item *item)
{
	const char *dash = strchr(value->data, '-');
	const size_t first_len = (size_t)(dash - value->data), last_len = strlen(dash + 1);
	char shown[CONF_SHOWN_MAX];
	if (first_len == 0 || last_len == 0 || strchr(dash + 1, '-') != NULL) {
		conf_error(p, at, "`%s` is no range of ports, which is one word: `9000-9010`",
			   conf_show(value, shown));
		return false;
	}
	if (!number_read(p, value->data, first_len, at, &item->first) ||
	    !number_read(p, dash + 1, last_len, at, &item->last))
		return false;
	if (item->first <= item->last)
		return true;
	conf_error(p, at, "a range goes from the smaller number to the greater: write `%u-%u`",
		   item->last, item->first);
	return false;
}

static bool item_read(struct conf_parser *p, const struct conf_value *value,
		      const struct conf_where *at, struct conf_port_item *item)
{
	if (value->broken || other_tell(p, value, at))
		return false;
	if (is_range(value))
		return range_read(p, value, at, item);
	if (!number_read(p, value->data, value->len, at, &item->first))
		return false;
	item->last = item->first;
	return true;
}

static unsigned item_count(const struct conf_port_item *item)
{
	return item->last - item->first + 1;
}

unsigned conf_port_numbers(const struct conf_port_draft *port)
{
	unsigned count = 0;
	for (size_t i = 0; i < port->items_count; i++)
		count += item_count(&port->items[i]);
	return count;
}

bool conf_port_has(const struct conf_port_draft *port, unsigned number)
{
	for (size_t i = 0; i < port->items_count; i++)
		if (number >= port->items[i].first && number <= port->items[i].last)
			return true;
	return false;
}

/* Are there too many? Then that was reported. */
static bool bounds_check(struct conf_parser *p, const struct conf_port_draft *port,
			 const struct conf_port_item *item, const struct conf_where *at)
{
	const unsigned count = conf_port_numbers(port) + item_count(item);
	if (count > CONF_PORT_NUMBERS_MAX && item->first != item->last)
		conf_error(p, at,
			   "a port block is for at most %d ports, this one for %u; the two ports "
			   "alone are `port %u %u { ... }`",
			   CONF_PORT_NUMBERS_MAX, count, item->first, item->last);
	else if (count > CONF_PORT_NUMBERS_MAX)
		conf_error(p, at, "a port block is for at most %d ports", CONF_PORT_NUMBERS_MAX);
	else if (p->ports_all + item_count(item) > 2 * NUMBER_MAX) {
		conf_error(p, at, "there are more ports than numbers");
		p->stop = true;
	} else
		return true;
	return false;
}

/* A wrong number becomes 0: its block is still checked. */
static void item_add(struct conf_parser *p, const struct conf_value *value,
		     const struct conf_where *at)
{
	struct conf_port_draft *port = p->port_next;
	struct conf_port_item item = {.first = 0};
	struct conf_port_item *items =
	    port != NULL ? conf_grow(p, port->items, port->items_count, sizeof(item)) : NULL;
	if (items == NULL)
		return;
	port->items = items;
	if (!item_read(p, value, at, &item) || !bounds_check(p, port, &item, at))
		item = (struct conf_port_item){.first = 0};
	item.at = *at;
	items[port->items_count++] = item;
	p->ports_all += item_count(&item);
}

void conf_port_begin(struct conf_parser *p, const struct conf_value *value,
		     const struct conf_where *at)
{
	p->port_next = conf_alloc(p, sizeof(*p->port_next));
	item_add(p, value, at);
}

void conf_port_number(struct conf_parser *p, const struct conf_value *value,
		      const struct conf_where *at)
{
	item_add(p, value, at);
}

const char *conf_port_name(const struct conf_port_draft *port, char out[CONF_PORT_NAME_MAX])
{
	const struct conf_port_item *item = port->items;
	if (port->items_count != 1)
		return "each of these ports";
	if (item->first == 0)
		return "the port";
	if (item->first == item->last)
		(void)snprintf(out, CONF_PORT_NAME_MAX, "port %u", item->first);
	else
		(void)snprintf(out, CONF_PORT_NAME_MAX, "port %u-%u", item->first, item->last);
	return out;
}

/* --- the same number twice -------------------------------------------------------------------- */

struct port_number {
	unsigned number;
	size_t sequence; /* of the text */
	const struct conf_port_draft *port;
	struct conf_port_item *item;
};

static int port_numbers_compare(const void *a, const void *b)
{
	const struct port_number *n = a, *m = b;
	if (n->number != m->number)
		return n->number < m->number ? -1 : 1;
	return n->sequence < m->sequence ? -1 : 1;
}

static size_t port_numbers_gather(const struct conf_parser *p, struct port_number *list)
{
	size_t count = 0;
	for (size_t i = 0; i < p->ports_count; i++)
		for (size_t k = 0; k < p->ports[i]->items_count; k++) {
			struct conf_port_item *item = &p->ports[i]->items[k];
			for (unsigned n = item->first; n <= item->last && n != 0; n++) {
				list[count] = (struct port_number){.number = n,
								   .sequence = count,
								   .port = p->ports[i],
								   .item = item};
				count++;
			}
		}
	return count;
}

/* Of a number alone the statement is shown, of others the number in it. */
static const struct conf_where *port_number_where(const struct port_number *n)
{
	const bool alone = n->port->items_count == 1 && n->item->first == n->item->last;
	return alone ? &n->port->port.where : &n->item->at;
}

/* Ranges that overlap in many numbers are one mistake. */
static void port_number_tell(struct conf_parser *p, const struct port_number *here,
			     const struct port_number *there)
{
	const struct conf_where *where = port_number_where(here);
	const struct conf_port_item *a = here->item, *b = there->item;
	const unsigned last = a->last < b->last ? a->last : b->last;
	char place[CONF_PLACE_MAX];
	if (a->told == b)
		return;
	here->item->told = b;
	(void)conf_place(port_number_where(there), where, place);
	if (last > here->number)
		conf_error(p, where, "duplicate ports %u to %u; the first ones are at %s",
			   here->number, last, place);
	else
		conf_error(p, where, "duplicate port %u; the first one is at %s", here->number,
			   place);
}

void conf_port_numbers_check(struct conf_parser *p)
{
	struct port_number *list = calloc(p->ports_all + 1, sizeof(*list));
	size_t first = 0;
	if (list == NULL) {
		conf_out_of_memory(p);
		return;
	}
	const size_t count = port_numbers_gather(p, list);
	qsort(list, count, sizeof(*list), port_numbers_compare);
	for (size_t i = 1; i < count; i++)
		if (list[i].number != list[first].number)
			first = i;
		else
			port_number_tell(p, &list[i], &list[first]);
	free(list);
}

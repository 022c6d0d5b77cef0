/* bulkheadctl: compares two texts of a configuration, statement by statement. Pure. */
#include "ctl/differ.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "ctl/words.h"

#define BLOCK_MAX 256

/* The parts are slices of the text. */
struct statement {
	const char *at;
	size_t len;
	char *block; /* owned: "location "/a": "; "": directly in the port */
	/* of the other text: an equal one, or one that has taken its place; NULL: none */
	const struct statement *other;
	bool equal;
};

struct statements {
	struct statement *list;
	size_t count, room;
};

static void statements_release(struct statements *s)
{
	for (size_t i = 0; i < s->count; i++)
		free(s->list[i].block);
	free(s->list);
}

static int statement_add(struct statements *s, const char *at, size_t len, const char *block)
{
	if (s->count == s->room) {
		const size_t room = s->room > 0 ? 2 * s->room : 64;
		struct statement *more = reallocarray(s->list, room, sizeof(*more));
		if (more == NULL)
			return -1;
		s->list = more;
		s->room = room;
	}
	char *own = strdup(block);
	if (own == NULL)
		return -1;
	s->list[s->count++] = (struct statement){.at = at, .len = len, .block = own};
	return 0;
}

/* The line of a block ends in " {"; nested blocks are named one after the other. "port N {" is the
 * port and does not count as a block. */
static int statements_read(struct statements *s, const char *text)
{
	char block[BLOCK_MAX] = "";
	size_t ends[8], depth = 0;
	while (*text != '\0') {
		const size_t whole = strcspn(text, "\n"), blanks = strspn(text, "\t ");
		const char *at = text + blanks;
		size_t len = whole > blanks ? whole - blanks : 0;
		text += whole + (text[whole] == '\n');
		if (len == 0)
			continue;
		if (len == 1 && at[0] == '}') {
			if (depth > 0 && --depth < sizeof(ends) / sizeof(ends[0]))
				block[ends[depth]] = '\0';
			continue;
		}
		if (len > 2 && at[len - 1] == '{' && at[len - 2] == ' ') {
			struct text t = {
			    .data = block, .size = sizeof(block), .len = strlen(block)};
			if (depth < sizeof(ends) / sizeof(ends[0]))
				ends[depth] = t.len;
			depth++;
			if (len < 5 || strncmp(at, "port ", 5) != 0) {
				text_add(&t, at, len - 2);
				text_add_str(&t, ": ");
			}
			continue;
		}
		if (statement_add(s, at, len, block) < 0)
			return -1;
	}
	return 0;
}

/* --- pairs of statements ---------------------------------------------------------------------- */

static int statement_order(const struct statement *a, const struct statement *b)
{
	int order = strcmp(a->block, b->block);
	if (order == 0)
		order = memcmp(a->at, b->at, a->len < b->len ? a->len : b->len);
	return order != 0 ? order : a->len < b->len ? -1 : a->len > b->len;
}

static size_t subject_len(const struct statement *s)
{
	const size_t len = strcspn(s->at, " \n");
	return len < s->len ? len : s->len;
}

/* The first word names the subject. */
static int subject_order(const struct statement *a, const struct statement *b)
{
	const size_t a_len = subject_len(a), b_len = subject_len(b);
	int order = strcmp(a->block, b->block);
	if (order == 0)
		order = memcmp(a->at, b->at, a_len < b_len ? a_len : b_len);
	return order != 0 ? order : a_len < b_len ? -1 : a_len > b_len;
}

typedef int order_fn(const struct statement *, const struct statement *);

/* Those of the same order stay in the order of the text. */
static int statements_compare(const void *a, const void *b, void *arg)
{
	const struct statement *const *s = a, *const *t = b;
	order_fn *const *order = arg;
	const int n = (*order)(*s, *t);
	return n != 0 ? n : *s < *t ? -1 : *s > *t;
}

/* Pointers to the statements that have no other one yet, sorted. NULL: no memory. */
static struct statement **statements_left(const struct statements *s, order_fn *order,
					  size_t *ret_count)
{
	struct statement **left = calloc(s->count + 1, sizeof(*left));
	size_t count = 0;
	for (size_t i = 0; left != NULL && i < s->count; i++)
		if (s->list[i].other == NULL)
			left[count++] = &s->list[i];
	if (left != NULL)
		qsort_r(left, count, sizeof(*left), statements_compare, &order);
	*ret_count = count;
	return left;
}

/* Pairs the first, the second, ... of each text that have the same order. */
static int statements_pair(const struct statements *now, const struct statements *wanted,
			   order_fn *order, bool equal)
{
	size_t a_count, b_count, i = 0, k = 0;
	struct statement **a = statements_left(now, order, &a_count);
	struct statement **b = statements_left(wanted, order, &b_count);
	while (a != NULL && b != NULL && i < a_count && k < b_count) {
		const int n = order(a[i], b[k]);
		if (n == 0) {
			a[i]->other = b[k];
			b[k]->other = a[i];
			a[i]->equal = b[k]->equal = equal;
		}
		i += n <= 0;
		k += n >= 0;
	}
	const int error = a == NULL || b == NULL ? -1 : 0;
	free(a);
	free(b);
	return error;
}

/* --- lines ------------------------------------------------------------------------------------ */

/* How much of their common beginning to skip, so that the difference is shown and not cut off. */
static size_t shown_from(const struct statement *a, const struct statement *b)
{
	size_t same = 0;
	while (same < a->len && same < b->len && a->at[same] == b->at[same])
		same++;
	return same > DIFFER_SHOWN / 2 ? same - DIFFER_SHOWN / 4 : 0;
}

static void statement_show(struct text *t, const struct statement *s, size_t from)
{
	char cut[DIFFER_SHOWN + 1];
	const size_t left = s->len - from;
	const size_t len = left < DIFFER_SHOWN ? left : DIFFER_SHOWN;
	memcpy(cut, s->at + from, len);
	cut[len] = '\0';
	text_add_str(t, from > 0 ? "..." : "");
	words_safe(t, cut);
	text_add_str(t, len < left ? "..." : "");
}

typedef void tell_fn(void *arg, const char *line);

/* It is in one of the texts alone: sign says in which. */
static void one_tell(const char *sign, const struct statement *s, tell_fn *tell, void *arg)
{
	char line[DIFFER_LINE_MAX];
	struct text t;
	text_init(&t, line, sizeof(line));
	text_add_str(&t, sign);
	words_safe(&t, s->block);
	statement_show(&t, s, 0);
	tell(arg, line);
}

static void change_tell(const struct statement *now, const struct statement *wanted, tell_fn *tell,
			void *arg)
{
	const size_t from = shown_from(now, wanted);
	char line[DIFFER_LINE_MAX];
	struct text t;
	text_init(&t, line, sizeof(line));
	words_safe(&t, now->block);
	statement_show(&t, now, from);
	text_add_str(&t, " -> ");
	statement_show(&t, wanted, from);
	tell(arg, line);
}

static void differences_tell(const struct statements *now, const struct statements *wanted,
			     tell_fn *tell, void *arg)
{
	bool any = false;
	for (size_t i = 0; i < now->count; i++) {
		const struct statement *old = &now->list[i];
		any = any || !old->equal;
		if (old->other == NULL)
			one_tell("- ", old, tell, arg);
		else if (!old->equal)
			change_tell(old, old->other, tell, arg);
	}
	for (size_t i = 0; i < wanted->count; i++) {
		any = any || !wanted->list[i].equal;
		if (wanted->list[i].other == NULL)
			one_tell("+ ", &wanted->list[i], tell, arg);
	}
	if (!any)
		tell(arg, "the same statements in another order");
}

int statements_differ(const char *now, const char *wanted,
		      void (*tell)(void *arg, const char *line), void *arg)
{
	struct statements a = {.count = 0}, b = {.count = 0};
	int error = statements_read(&a, now) < 0 || statements_read(&b, wanted) < 0 ? -1 : 0;
	if (error == 0)
		error = statements_pair(&a, &b, statement_order, true);
	if (error == 0)
		error = statements_pair(&a, &b, subject_order, false);
	if (error == 0)
		differences_tell(&a, &b, tell, arg);
	statements_release(&a);
	statements_release(&b);
	return error;
}

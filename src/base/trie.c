/* Runs everywhere. Must never change a trie once it is finished: all threads read it. */
#include "base/trie.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int trie_init(struct trie *t, size_t room)
{
	*t = (struct trie){.root = TRIE_NONE};
	if (room >= TRIE_NONE / 2)
		return -ENOMEM;
	t->texts = calloc(room + 1, sizeof(*t->texts));
	t->nodes = calloc(room + 1, sizeof(*t->nodes));
	t->room = (uint32_t)room;
	if (t->texts != NULL && t->nodes != NULL)
		return 0;
	trie_release(t);
	return -ENOMEM;
}

void trie_release(struct trie *t)
{
	free(t->texts);
	free(t->nodes);
	*t = (struct trie){.root = TRIE_NONE};
}

static uint32_t trie_byte(const char *text, size_t len, size_t at)
{
	return at < len ? (unsigned char)text[at] : 0;
}

/* The first byte in which they differ; SIZE_MAX: they are equal. */
static size_t trie_difference(const struct trie_text *a, const char *text, size_t len)
{
	const size_t most = a->len > len ? a->len : len;
	for (size_t i = 0; i < most; i++)
		if (trie_byte(a->text, a->len, i) != trie_byte(text, len, i))
			return i;
	return SIZE_MAX;
}

static uint32_t highest_bit(uint32_t bits)
{
	uint32_t bit = 0x80;
	while ((bits & bit) == 0)
		bit >>= 1;
	return bit;
}

/* Does the node decide before this bit? */
static int trie_is_before(const struct trie_node *n, uint32_t byte, uint32_t mask)
{
	return n->byte < byte || (n->byte == byte && n->mask > mask);
}

struct trie_text *trie_add(struct trie *t, const char *text, size_t len, uint32_t value)
{
	struct trie_text *near = (struct trie_text *)trie_nearest(t, text, len);
	const uint32_t leaf = t->count;
	uint32_t *at = &t->root;
	if (near != NULL) {
		const size_t byte = trie_difference(near, text, len);
		if (byte == SIZE_MAX)
			return near;
		const uint32_t mine = trie_byte(text, len, byte);
		const uint32_t mask = highest_bit(mine ^ trie_byte(near->text, near->len, byte));
		while (*at >= t->room &&
		       trie_is_before(&t->nodes[*at - t->room], (uint32_t)byte, mask)) {
			struct trie_node *n = &t->nodes[*at - t->room];
			at = &n->next[(trie_byte(text, len, n->byte) & n->mask) != 0];
		}
		struct trie_node *made = &t->nodes[leaf - 1];
		const unsigned side = (mine & mask) != 0;
		*made = (struct trie_node){.byte = (uint32_t)byte, .mask = mask};
		made->next[side] = leaf;
		made->next[!side] = *at;
		*at = t->room + leaf - 1;
	} else {
		*at = leaf;
	}
	t->texts[leaf] = (struct trie_text){
	    .text = text, .len = (uint32_t)len, .value = value, .shorter = TRIE_NONE};
	t->count++;
	return NULL;
}

/* --- which text begins with which ------------------------------------------------------------- */

static int trie_compare(const void *a, const void *b)
{
	const struct trie_text *x = *(const struct trie_text *const *)a;
	const struct trie_text *y = *(const struct trie_text *const *)b;
	const uint32_t least = x->len < y->len ? x->len : y->len;
	const int order = memcmp(x->text, y->text, least);
	return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

/* In their order, a text comes after all that it begins with, and between them come only texts that
 * begin with the same. */
int trie_finish(struct trie *t)
{
	struct trie_text **sorted = calloc((size_t)t->count + 1, sizeof(struct trie_text *));
	if (sorted == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < t->count; i++)
		sorted[i] = &t->texts[i];
	qsort(sorted, t->count, sizeof(struct trie_text *), trie_compare);
	uint32_t before = TRIE_NONE;
	for (uint32_t i = 0; i < t->count; i++) {
		struct trie_text *text = sorted[i];
		while (before != TRIE_NONE &&
		       (t->texts[before].len > text->len ||
			memcmp(t->texts[before].text, text->text, t->texts[before].len) != 0))
			before = t->texts[before].shorter;
		text->shorter = before;
		before = (uint32_t)(text - t->texts);
	}
	free(sorted);
	return 0;
}

const struct trie_text *trie_get(const struct trie *t, const char *text, size_t len)
{
	const struct trie_text *near = trie_nearest(t, text, len);
	return near != NULL && near->len == len && memcmp(near->text, text, len) == 0 ? near : NULL;
}

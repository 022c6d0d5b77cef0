/*
 * A set of texts that is made once and then only read: finds the one that has the most in common
 * with a given text, from its first byte on.
 *
 * It is a crit-bit tree: each node names the first bit in which the texts of its two sides differ.
 * A search looks at one byte of the given text per level and compares it with one text at the end.
 * So its cost grows with the logarithm of the set where the texts are ordinary, and never beyond
 * the length of the text that is sought, whatever texts somebody chooses.
 *
 * Texts have no NUL byte: past its end a text reads as zeros.
 */
#ifndef BASE_TRIE_H
#define BASE_TRIE_H

#include <stddef.h>
#include <stdint.h>

#define TRIE_NONE UINT32_MAX

struct trie_text {
	const char *text; /* borrowed; outlives the trie */
	uint32_t len;
	uint32_t value;   /* the caller's */
	uint32_t shorter; /* the longest other text that this one begins with, or TRIE_NONE; set by
			     trie_finish() */
};

struct trie_node {
	uint32_t byte;
	uint32_t mask;    /* one bit of that byte */
	uint32_t next[2]; /* where it is clear, and where it is set */
};

struct trie {
	struct trie_text *texts; /* owned */
	struct trie_node *nodes; /* owned; one fewer than texts */
	uint32_t count;
	uint32_t room;
	uint32_t root;
};

/* Makes room for so many texts; 0 or -ENOMEM. */
int trie_init(struct trie *, size_t room);
/* An empty one, of zeros, may be released, too. */
void trie_release(struct trie *);

/* Adds a text for which there is room, of at most UINT32_MAX / 2 bytes. Returns NULL, or the same
 * text if it is there already: then nothing was added. */
struct trie_text *trie_add(struct trie *, const char *text, size_t len, uint32_t value);
/* After the last one. 0 or -ENOMEM. */
int trie_finish(struct trie *);

/* The text that has the most leading bytes in common with this one (any of them, if several have);
 * NULL: the trie is empty. Each text that the given one begins with is found from there by shorter.
 */
static inline const struct trie_text *trie_nearest(const struct trie *t, const char *text,
						   size_t len)
{
	/* texts have the numbers below room, nodes those from there on */
	if (t->count == 0)
		return NULL;
	uint32_t at = t->root;
	while (at >= t->room) {
		const struct trie_node *n = &t->nodes[at - t->room];
		const uint32_t byte = n->byte < len ? (unsigned char)text[n->byte] : 0;
		at = n->next[(byte & n->mask) != 0];
	}
	return &t->texts[at];
}

/* The same text; NULL: it is not there. */
const struct trie_text *trie_get(const struct trie *, const char *text, size_t len);

#endif

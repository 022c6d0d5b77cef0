/*
 * Finds the word that was probably meant. Runs in the master and in every child, on words of any
 * length and content. Must never take long: words longer than all words of the language get no
 * suggestion.
 */
#include <string.h>

#include "parser.h"

#define WORD_MAX 32

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Optimal string alignment: insert, delete, replace, swap neighbours; each costs 1. */
static unsigned distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	unsigned rows[3][WORD_MAX + 1];
	for (size_t j = 0; j <= b_len; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned *row = rows[i % 3];
		const unsigned *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b_len; j++) {
			row[j] = least(least(above[j], row[j - 1]) + 1,
				       above[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least(row[j], above2[j - 2] + 1);
		}
	}
	return rows[a_len % 3][b_len];
}

const char *conf_suggest(const char *word, size_t len, const char *const *names, size_t count)
{
	if (len < 2 || len > WORD_MAX)
		return NULL;
	const char *best = NULL;
	/* the most differences that are accepted */
	unsigned best_distance = len < 6 ? 1 : (unsigned)len / 3;
	for (size_t i = 0; i < count; i++) {
		size_t name_len = names[i] == NULL ? 0 : strlen(names[i]);
		if (name_len == 0 || name_len > WORD_MAX)
			continue;
		unsigned d = distance(word, len, names[i], name_len);
		/* of two that are as near the longer one: letters are left out more often than
		 * added */
		if (d < best_distance ||
		    (d == best_distance && (best == NULL || name_len > strlen(best)))) {
			best = names[i];
			best_distance = d;
		}
	}
	return best;
}

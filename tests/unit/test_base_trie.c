/* The trie, against a list that is walked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/trie.h"

static size_t common(const struct trie_text *t, const char *text, size_t len)
{
	size_t n = 0;
	while (n < t->len && n < len && t->text[n] == text[n])
		n++;
	return n;
}

static void check(const struct trie *t, const char *text, size_t len)
{
	const struct trie_text *near = trie_nearest(t, text, len), *longest = NULL;
	size_t most = 0;
	for (uint32_t i = 0; i < t->count; i++) {
		const struct trie_text *one = &t->texts[i];
		const size_t n = common(one, text, len);
		most = n > most ? n : most;
		if (n == one->len && (longest == NULL || one->len > longest->len))
			longest = one;
	}
	assert_non_null(near);
	assert_int_equal(common(near, text, len), most);
	/* the longest that it begins with is found from there */
	const struct trie_text *at = near;
	while (at != NULL && at->len > most)
		at = at->shorter != TRIE_NONE ? &t->texts[at->shorter] : NULL;
	assert_ptr_equal(at, longest);
	assert_ptr_equal(trie_get(t, text, len),
			 longest != NULL && longest->len == len ? longest : NULL);
}

static void it_finds_what_a_list_finds(void **state)
{
	enum { TEXTS = 300, ASKED = 3000, LEN = 8 };
	static char texts[TEXTS][LEN + 1];
	(void)state;
	srand(14);
	for (unsigned letters = 1; letters <= 4; letters++) {
		struct trie t;
		uint32_t twice = 0;
		assert_int_equal(trie_init(&t, TEXTS), 0);
		for (size_t i = 0; i < TEXTS; i++) {
			const size_t len = (size_t)rand() % LEN;
			memset(texts[i], 0, sizeof(texts[i]));
			for (size_t k = 0; k < len; k++)
				texts[i][k] = "a/b\xff"[(unsigned)rand() % letters];
			const struct trie_text *same = trie_add(&t, texts[i], len, (uint32_t)i);
			twice += same != NULL;
			assert_true(same == NULL || strcmp(same->text, texts[i]) == 0);
		}
		assert_int_equal(t.count + twice, TEXTS);
		assert_int_equal(trie_finish(&t), 0);
		for (size_t i = 0; i < ASKED; i++) {
			char asked[2 * LEN];
			const size_t len = (size_t)rand() % sizeof(asked);
			for (size_t k = 0; k < len; k++)
				asked[k] = "a/b\xff"[(unsigned)rand() % (letters + (letters < 4))];
			check(&t, asked, len);
		}
		trie_release(&t);
	}
}

static void one_text_and_none(void **state)
{
	struct trie t;
	(void)state;
	assert_int_equal(trie_init(&t, 0), 0);
	assert_null(trie_nearest(&t, "a", 1));
	assert_null(trie_get(&t, "", 0));
	assert_int_equal(trie_finish(&t), 0);
	trie_release(&t);

	assert_int_equal(trie_init(&t, 1), 0);
	assert_null(trie_add(&t, "/", 1, 7));
	assert_int_equal(trie_finish(&t), 0);
	assert_int_equal(trie_nearest(&t, "abc", 3)->value, 7);
	assert_null(trie_get(&t, "", 0));
	assert_non_null(trie_get(&t, "/", 1));
	trie_release(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_finds_what_a_list_finds),
	    cmocka_unit_test(one_text_and_none),
	};
	return cmocka_run_group_tests_name("trie", tests, NULL, NULL);
}

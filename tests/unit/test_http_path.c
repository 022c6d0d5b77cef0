/* The path of an exchange: made once, matched by a location, and what is left of it for files and
 * for a proxy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../http_path.h"
#include "../http_peer.h"

#define PATHS 200000

static struct exchange *exchange_of(struct http_loop *loop, const char *path, size_t len)
{
	struct exchange *ex = exchange_acquire(loop, NULL, NULL);
	assert_non_null(ex);
	ex->request.head = path;
	ex->request.path = (struct http_slice){0, (uint32_t)len};
	return ex;
}

static void assert_rest(const char *path, size_t matched, const char *decoded, const char *spelled)
{
	struct http_loop loop = {0};
	struct exchange *ex = exchange_of(&loop, path, strlen(path));
	char out[64];
	assert_int_equal(exchange_path_make(ex), 0);
	assert_int_equal(ex->path.len - matched, strlen(decoded));
	assert_memory_equal(ex->path.text + matched, decoded, strlen(decoded));
	size_t n = exchange_path_spell(ex, matched, out, sizeof(out));
	assert_int_equal(n, strlen(spelled));
	assert_memory_equal(out, spelled, n);
	exchange_drop(ex);
	http_loop_release(&loop);
}

static void the_rest_is_there_decoded_and_as_it_was_sent(void **state)
{
	static const struct {
		const char *path;
		size_t matched;
		const char *decoded, *spelled;
	} cases[] = {
	    {"/a/b", 2, "/b", "/b"},
	    {"/a", 2, "", ""},
	    {"/", 1, "", ""},
	    {"", 1, "", ""},
	    {"/a/b%20c", 2, "/b c", "/b%20c"},
	    {"/a/b%2Fc", 2, "/b/c", "/b%2Fc"},
	    {"/a%2fb%2fc", 2, "/b/c", "/b%2fc"}, /* the location's separator is plain */
	    {"/admin%2f..%2fx", 1, "x", "x"},
	    {"/pub//../admin", 4, "/admin", "/admin"}, /* dots first (RFC 3986), then slashes */
	    {"/a/./b/../c", 2, "/c", "/c"},
	    {"/a/b/..", 2, "/", "/"},
	    {"/a/%2e%2E/b/%63", 2, "/c", "/%63"},
	    {"/%61/x", 2, "/x", "/x"},
	    {"/a/%252e%252e/b", 2, "/%2e%2e/b", "/%252e%252e/b"},
	    {"/.well-known/x", 12, "/x", "/x"},
	    {"/a//b", 2, "/b", "/b"},
	    {"//a%2f/b//", 2, "/b/", "/b/"},
	    {"/a/b%2F/c%20d", 2, "/b/c d", "/b%2Fc%20d"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_rest(cases[i].path, cases[i].matched, cases[i].decoded, cases[i].spelled);
}

static uint32_t draw(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 16;
}

static size_t path_draw(uint32_t *seed, char *out)
{
	static const char *const pieces[] = {"/",   "/",  "..",  ".",   "%2e", "%2E", "%2f",
					     "%2F", "a",  "b",   "%61", "//",  "/.",  "/..",
					     "%",   "%%", "%00", "%25", "2e",  "\\",  ";"};
	const unsigned count = draw(seed) % 14;
	size_t n = 0;
	out[n++] = '/';
	for (unsigned i = 0; i < count; i++) {
		/* mostly pieces that are accepted */
		const unsigned which = draw(seed) % (draw(seed) % 8 == 0 ? 21 : 14);
		const size_t len = strlen(pieces[which]);
		memcpy(out + n, pieces[which], len);
		n += len;
	}
	return n;
}

static void whatever_matched_the_rest_means_the_same(void **state)
{
	struct http_loop loop = {0};
	uint32_t seed = 1;
	unsigned good = 0;
	(void)state;
	for (unsigned i = 0; i < PATHS; i++) {
		char path[64];
		struct exchange *ex = exchange_of(&loop, path, path_draw(&seed, path));
		good += path_check(ex);
		exchange_drop(ex);
	}
	assert_true(good > PATHS / 4);
	http_loop_release(&loop);
}

static void a_long_path_has_room(void **state)
{
	static char path[65000];
	struct http_loop loop = {0};
	(void)state;
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	memcpy(path + sizeof(path) - 3, "%61", 3);
	struct exchange *ex = exchange_of(&loop, path, sizeof(path));
	assert_int_equal(exchange_path_make(ex), 0);
	assert_int_equal(ex->path.len, sizeof(path) - 2);
	assert_int_equal(ex->path.map[ex->path.len], sizeof(path));
	exchange_drop(ex);
	http_loop_release(&loop);
}

/* What a location covers is the handler's to know. */
static size_t seen_matched;
static char seen_rest[32];

static void see(struct exchange *ex)
{
	seen_matched = ex->path.matched;
	size_t n = exchange_path_spell(ex, ex->path.matched, seen_rest, sizeof(seen_rest) - 1);
	assert_true(n < sizeof(seen_rest));
	seen_rest[n] = '\0';
	exchange_respond(ex, 204, 0, NULL, 0);
}

static void a_handler_sees_what_its_location_left(void **state)
{
	static const struct handler seer = {.methods = UINT32_MAX, .begin = see};
	struct peer *p = peer_new();
	(void)state;
	p->location = (struct http_location){.handler = &seer, .path_len = 5};
	peer_send(p, "GET /x/..%2ftest/%2e/a%20b?c HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_int_equal(p->status, 204);
	assert_int_equal(seen_matched, 5);
	assert_string_equal(seen_rest, "/a%20b");
	peer_send(p, "GET /test HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_string_equal(seen_rest, "");
	peer_free(p);
}

static void an_arena_never_moves_what_was_taken(void **state)
{
	_Alignas(16) char room[256];
	struct arena a;
	char *taken[200];
	(void)state;
	arena_init(&a, room, sizeof(room));
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 200; i++) {
			taken[i] = arena_take(&a, i * 7 % 300);
			assert_non_null(taken[i]);
			assert_int_equal((uintptr_t)taken[i] % 8, 0);
			memset(taken[i], (int)i, i * 7 % 300);
		}
		for (unsigned i = 0; i < 200; i++)
			for (unsigned k = 0; k < i * 7 % 300; k++)
				assert_int_equal((unsigned char)taken[i][k], i);
		arena_reset(&a);
		assert_ptr_equal(arena_take(&a, 1), room);
		arena_reset(&a);
	}
	assert_null(arena_take(&a, SIZE_MAX));
	assert_null(arena_take(&a, SIZE_MAX / 2 + 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_rest_is_there_decoded_and_as_it_was_sent),
	    cmocka_unit_test(whatever_matched_the_rest_means_the_same),
	    cmocka_unit_test(a_long_path_has_room),
	    cmocka_unit_test(a_handler_sees_what_its_location_left),
	    cmocka_unit_test(an_arena_never_moves_what_was_taken),
	};
	return cmocka_run_group_tests_name("http path", tests, NULL, NULL);
}

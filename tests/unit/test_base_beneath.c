/* base/beneath: which files lie beneath a directory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/beneath.h"

/* Counts the calls of the library's function, which it takes the place of. */
static size_t resolved;

char *realpath(const char *path, char *buffer)
{
	static char *(*real)(const char *, char *);
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "realpath");
	resolved++;
	return real(path, buffer);
}

static char folder[PATH_MAX];

static int begin(void **state)
{
	char made[] = "/tmp/bulkhead-beneath-XXXXXX";
	(void)state;
	return mkdtemp(made) == NULL || realpath(made, folder) == NULL;
}

static int end(void **state)
{
	char command[PATH_MAX + 16];
	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command); /* NOLINT(cert-env33-c): a folder of this test */
}

static const char *in(const char *name)
{
	static char paths[64][PATH_MAX];
	static size_t next;
	char *path = paths[next++ % 64];
	(void)strlcpy(path, folder, PATH_MAX);
	(void)strlcat(path, "/", PATH_MAX);
	(void)strlcat(path, name, PATH_MAX);
	return path;
}

static const char *make(const char *name)
{
	const char *path = in(name);
	const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	return path;
}

static void directory(const char *name)
{
	assert_int_equal(mkdir(in(name), 0700), 0);
}

/* The names of all that lies there, in any order, are these. */
static void are_beneath(const struct beneath *b, const char *real, const char *const *names,
			size_t count)
{
	const struct beneath_file *f = NULL;
	assert_int_equal(beneath_find(b, real, &f), count);
	for (size_t i = 0; i < count; i++) {
		size_t found = 0;
		for (size_t k = 0; k < count; k++)
			found += strcmp(f[k].real, in(names[i])) == 0;
		assert_int_equal(found, 1);
	}
}

#define BENEATH(b, real, ...)                                                  \
	do {                                                                   \
		static const char *const names[] = {__VA_ARGS__};              \
		are_beneath(b, real, names, sizeof(names) / sizeof(names[0])); \
	} while (0)

/* Bytes that are less than a slash, such as those of "-" and ".", are in names of neighbours. */
static void a_directory_finds_what_is_beneath_it_and_no_neighbour(void **state)
{
	struct beneath b = {.files = NULL};
	(void)state;
	static const char *const folders[] = {"a", "a-b", "a.b", "a b", "ab", "a/c", "a/c-d"};
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		directory(folders[i]);
	const char *paths[] = {make("a/key"),   make("a-b/key"), make("a.b/key"),  make("ab/key"),
			       make("a/c/key"), make("a/c/aaa"), make("a/c-d/key")};
	assert_int_equal(beneath_init(&b, paths, sizeof(paths) / sizeof(paths[0])), 0);
	BENEATH(&b, in("a"), "a/key", "a/c/key", "a/c/aaa", "a/c-d/key");
	BENEATH(&b, in("a/c"), "a/c/key", "a/c/aaa");
	BENEATH(&b, in("a-b"), "a-b/key");
	BENEATH(&b, in("a/c/key"), "a/c/key");
	BENEATH(&b, "/", "a/key", "a-b/key", "a.b/key", "ab/key", "a/c/key", "a/c/aaa",
		"a/c-d/key");
	const struct beneath_file *none = NULL;
	assert_int_equal(beneath_find(&b, in("a b"), &none), 0);
	assert_int_equal(beneath_find(&b, in("a/c/ke"), &none), 0);
	assert_int_equal(beneath_find(&b, "/nowhere", &none), 0);
	assert_null(none);
	beneath_release(&b);
}

static void links_are_resolved_and_the_path_is_kept_as_given(void **state)
{
	struct beneath b = {.files = NULL};
	const struct beneath_file *f = NULL;
	(void)state;
	directory("real");
	(void)make("real/key");
	assert_int_equal(symlink("real", in("link")), 0);
	const char *paths[] = {in("link/key"), in("gone"), ""};
	assert_int_equal(beneath_init(&b, paths, 3), 0);
	assert_int_equal(b.count, 1);
	assert_int_equal(beneath_find(&b, in("real"), &f), 1);
	assert_string_equal(f->path, in("link/key"));
	assert_int_equal(beneath_find(&b, in("link"), &f), 0);
	beneath_release(&b);
}

static void an_empty_set_has_nothing(void **state)
{
	struct beneath b = {.files = NULL};
	const struct beneath_file *f = NULL;
	(void)state;
	assert_int_equal(beneath_find(&b, "/", &f), 0);
	assert_int_equal(beneath_init(&b, NULL, 0), 0);
	assert_int_equal(beneath_find(&b, "/", &f), 0);
	beneath_release(&b);
	beneath_release(&b);
}

static void each_different_path_is_resolved_once_however_many_directories_ask(void **state)
{
	enum { KEYS = 4096, DIFFERENT = 100 };
	static const char *paths[KEYS];
	static char names[DIFFERENT][PATH_MAX];
	struct beneath b = {.files = NULL};
	const struct beneath_file *f = NULL;
	(void)state;
	directory("many");
	for (size_t i = 0; i < DIFFERENT; i++) {
		char name[32];
		snprintf(name, sizeof(name), "many/%zu", i);
		(void)strlcpy(names[i], make(name), PATH_MAX);
	}
	for (size_t i = 0; i < KEYS; i++)
		paths[i] = names[i % DIFFERENT];
	resolved = 0;
	assert_int_equal(beneath_init(&b, paths, KEYS), 0);
	for (size_t i = 0; i < KEYS; i++)
		assert_int_equal(beneath_find(&b, paths[i], &f), 1);
	assert_int_equal(beneath_find(&b, in("many"), &f), DIFFERENT);
	assert_int_equal(resolved, DIFFERENT);
	beneath_release(&b);
}

static void a_path_covers_itself_and_what_is_beneath_it(void **state)
{
	(void)state;
	assert_true(beneath_covers("/srv/shop", "/srv/shop"));
	assert_true(beneath_covers("/srv/shop", "/srv/shop/current"));
	assert_false(beneath_covers("/srv/shop", "/srv/shop2"));
	assert_false(beneath_covers("/srv/shop", "/srv"));
	assert_true(beneath_covers("/", "/srv"));
	assert_true(beneath_covers("/", "/"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_path_covers_itself_and_what_is_beneath_it),
	    cmocka_unit_test(a_directory_finds_what_is_beneath_it_and_no_neighbour),
	    cmocka_unit_test(links_are_resolved_and_the_path_is_kept_as_given),
	    cmocka_unit_test(an_empty_set_has_nothing),
	    cmocka_unit_test(each_different_path_is_resolved_once_however_many_directories_ask),
	};
	return cmocka_run_group_tests_name("base beneath", tests, begin, end);
}

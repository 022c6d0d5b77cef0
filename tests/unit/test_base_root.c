/* base/root.h: what is opened beneath a document root, and what is not. */
#include "base/root.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"

static char folder[] = "/tmp/bulkhead-root-XXXXXX";
static int folder_fd;

static void file_make(const char *path, const char *text)
{
	int fd = openat(folder_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	fd_close(&fd);
}

static void folder_make(const char *path)
{
	assert_int_equal(mkdirat(folder_fd, path, 0700), 0);
}

static void link_make(const char *target, const char *path)
{
	(void)unlinkat(folder_fd, path, 0);
	assert_int_equal(symlinkat(target, folder_fd, path), 0);
}

/* Links to a path in the folder, by an absolute target. */
static void absolute_make(const char *target, const char *path)
{
	char text[PATH_MAX];
	(void)snprintf(text, sizeof(text), "%s/%s", folder, target);
	link_make(text, path);
}

/*
 * site/            the root of most tests, or its anchor
 *   current        -> releases/1, switched by tests
 *   releases/1, 2  each with index, and links
 *   shared
 * secret           a file beside it
 */
static int tree_make(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	folder_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	folder_make("site");
	folder_make("site/releases");
	folder_make("site/releases/1");
	folder_make("site/releases/1/sub");
	folder_make("site/releases/2");
	folder_make("site/shared");
	file_make("secret", "secret");
	file_make("site/shared/file", "shared");
	file_make("site/releases/1/index", "one");
	file_make("site/releases/1/sub/index", "one sub");
	file_make("site/releases/2/index", "two");
	link_make("releases/1", "site/current");
	absolute_make("site", "other"); /* another name of the anchor */
	return folder_fd < 0 ? -1 : 0;
}

static int tree_remove(void **state)
{
	char command[PATH_MAX];
	(void)state;
	fd_close(&folder_fd);
	(void)snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command) == 0 ? 0 : -1;
}

static char written[PATH_MAX], real_path[PATH_MAX];

static struct root root_at(const char *anchor, const char *rest)
{
	(void)snprintf(written, sizeof(written), "%s/%s", folder, anchor);
	assert_non_null(realpath(written, real_path));
	const int fd = openat(folder_fd, anchor, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return (struct root){.fd = fd, .rest = rest, .written = written, .real = real_path};
}

/* text NULL: error is expected. */
static void expect(struct root r, const char *path, unsigned how, const char *text, int error)
{
	char found[64] = "";
	int fd = root_open(&r, path, O_RDONLY, how);
	if (text == NULL) {
		if (fd != -error)
			print_error("%s in \"%s\": %d\n", path, r.rest, fd);
		assert_int_equal(fd, -error);
	} else {
		if (fd < 0)
			print_error("%s in \"%s\": %s\n", path, r.rest, strerror(-fd));
		assert_true(fd >= 0);
		assert_true(read(fd, found, sizeof(found) - 1) >= 0);
		assert_string_equal(found, text);
	}
	fd_close(&fd);
	fd_close(&r.fd);
}

static void a_file_beneath_is_opened(void **state)
{
	(void)state;
	expect(root_at("site", ""), "releases/1/index", 0, "one", 0);
	expect(root_at("site", "releases/1"), "sub/index", 0, "one sub", 0);
	expect(root_at("site", ""), "releases/1/none", 0, NULL, ENOENT);
	expect(root_at("site", ""), "releases/1/index/more", 0, NULL, ENOTDIR);
}

static void the_root_itself_is_opened(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct root r = root_at("site", i == 0 ? "" : "current");
		struct stat st;
		int fd = root_open(&r, "", O_RDONLY | O_DIRECTORY, ROOT_NO_LINKS);
		assert_true(fd >= 0);
		assert_int_equal(fstat(fd, &st), 0);
		assert_true(S_ISDIR(st.st_mode));
		fd_close(&fd);
		fd_close(&r.fd);
	}
}

static void nothing_outside_is_opened(void **state)
{
	(void)state;
	expect(root_at("site", ""), "../secret", 0, NULL, EXDEV);
	expect(root_at("site", ""), "releases/../../secret", 0, NULL, EXDEV);
	expect(root_at("site", ""), "/etc/passwd", 0, NULL, EXDEV);
	link_make("../../../secret", "site/releases/1/out");
	expect(root_at("site", ""), "releases/1/out", 0, NULL, EXDEV);
	expect(root_at("site", "current"), "out", 0, NULL, EXDEV);
	link_make("/etc/passwd", "site/releases/1/out");
	expect(root_at("site", ""), "releases/1/out", 0, NULL, EXDEV);
	absolute_make("secret", "site/releases/1/out");
	expect(root_at("site", ""), "releases/1/out", 0, NULL, EXDEV);
	absolute_make("site/../secret", "site/releases/1/out");
	expect(root_at("site", ""), "releases/1/out", 0, NULL, EXDEV);
	absolute_make("sitecret", "site/releases/1/out");
	expect(root_at("site", ""), "releases/1/out", 0, NULL, EXDEV);
	link_make("/proc/self/root/etc/passwd", "site/releases/1/out");
	expect(root_at("site", ""), "releases/1/out", 0, NULL, EXDEV);
}

/* Between the anchor and the root lies nothing that is served. */
static void what_lies_beside_the_root_is_not_opened(void **state)
{
	(void)state;
	link_make("../../shared/file", "site/releases/1/beside");
	expect(root_at("site", ""), "releases/1/beside", 0, "shared", 0);
	expect(root_at("site", "current"), "beside", 0, NULL, EXDEV);
	absolute_make("site/shared/file", "site/releases/1/beside");
	expect(root_at("site", ""), "releases/1/beside", 0, "shared", 0);
	expect(root_at("site", "current"), "beside", 0, NULL, EXDEV);
	folder_make("site/releases/10");
	absolute_make("site/releases/10", "site/releases/1/beside");
	expect(root_at("site", "current"), "beside", 0, NULL, EXDEV);
}

static void a_switched_link_is_seen_at_once(void **state)
{
	struct root r = root_at("site", "current");
	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		char found[8] = "";
		const bool second = (i & 1) != 0;
		if ((i & 2) != 0) {
			absolute_make(second ? "site/releases/2" : "site/releases/1", "site/next");
		} else {
			link_make(second ? "releases/2" : "releases/1", "site/next");
		}
		assert_int_equal(renameat(folder_fd, "site/next", folder_fd, "site/current"), 0);
		int fd = root_open(&r, "index", O_RDONLY, i < 4 ? 0 : ROOT_NO_LINKS);
		assert_true(fd >= 0);
		assert_true(read(fd, found, sizeof(found) - 1) > 0);
		assert_string_equal(found, second ? "two" : "one");
		fd_close(&fd);
	}
	fd_close(&r.fd);
	link_make("releases/1", "site/current");
}

static void an_absolute_link_may_use_either_name_of_the_anchor(void **state)
{
	(void)state;
	absolute_make("other/releases/1/index", "site/releases/1/other");
	expect(root_at("other", ""), "releases/1/other", 0, "one", 0);
	expect(root_at("other", "current"), "other", 0, "one", 0);
	expect(root_at("site", ""), "releases/1/other", 0, NULL, EXDEV);
	absolute_make("site/current/index", "site/releases/1/real");
	expect(root_at("other", ""), "releases/1/real", 0, "one", 0);
	expect(root_at("other", "current"), "real", 0, "one", 0);
	absolute_make("site//./releases/1/sub/../index", "site/releases/1/real");
	expect(root_at("site", "current"), "real", 0, "one", 0);
}

static void a_chain_of_links_is_followed(void **state)
{
	(void)state;
	link_make("1", "site/releases/latest");
	absolute_make("site/releases/latest", "site/chain");
	expect(root_at("site", "chain"), "index", 0, "one", 0);
	expect(root_at("site", "chain/sub"), "index", ROOT_NO_LINKS, "one sub", 0);
}

static void circles_end(void **state)
{
	(void)state;
	link_make("circle", "site/releases/1/circle");
	expect(root_at("site", ""), "releases/1/circle", 0, NULL, ELOOP);
	absolute_make("site/releases/1/circle", "site/releases/1/circle");
	expect(root_at("site", ""), "releases/1/circle", 0, NULL, ELOOP);
	expect(root_at("site", "current"), "circle", 0, NULL, ELOOP);
	absolute_make("site/ring", "site/ring");
	expect(root_at("site", "ring"), "index", 0, NULL, ELOOP);
	expect(root_at("site", "ring"), "index", ROOT_NO_LINKS, NULL, ELOOP);
}

static void links_are_refused_if_they_are_not_wanted(void **state)
{
	(void)state;
	link_make("index", "site/releases/1/link");
	link_make("sub", "site/releases/1/folder");
	expect(root_at("site", "current"), "link", 0, "one", 0);
	expect(root_at("site", "current"), "link", ROOT_NO_LINKS, NULL, ELOOP);
	expect(root_at("site", "current"), "folder/index", ROOT_NO_LINKS, NULL, ELOOP);
	expect(root_at("site", "current"), "index", ROOT_NO_LINKS, "one", 0);
	absolute_make("site/releases/1", "site/current");
	expect(root_at("site", "current"), "link", ROOT_NO_LINKS, NULL, ELOOP);
	expect(root_at("site", "current"), "index", ROOT_NO_LINKS, "one", 0);
	link_make("releases/1", "site/current");
}

static void long_names_are_refused(void **state)
{
	static char name[PATH_MAX + 10];
	(void)state;
	memset(name, 'a', 256);
	expect(root_at("site", ""), name, 0, NULL, ENAMETOOLONG);
	name[255] = '\0';
	expect(root_at("site", ""), name, 0, NULL, ENOENT);
	for (size_t i = 0; i < PATH_MAX; i++)
		name[i] = i % 2 == 0 ? 'a' : '/';
	name[PATH_MAX] = '\0';
	expect(root_at("site", ""), name, 0, NULL, ENAMETOOLONG);
	/* by way of an absolute link */
	absolute_make("site/releases", "site/long");
	(void)memcpy(name, "long/", 5);
	expect(root_at("site", ""), name, 0, NULL, ENAMETOOLONG);
	expect(root_at("site", "long"), name + 6, ROOT_NO_LINKS, NULL, ENAMETOOLONG);
}

static void a_fifo_does_not_block(void **state)
{
	struct root r = root_at("site", "");
	(void)state;
	assert_int_equal(mkfifoat(folder_fd, "site/fifo", 0600), 0);
	int fd = root_open(&r, "fifo", O_RDONLY, 0);
	assert_true(fd >= 0);
	fd_close(&fd);
	fd_close(&r.fd);
}

static void what_is_cached_is_opened_without_waiting(void **state)
{
	(void)state;
	expect(root_at("site", "current"), "index", 0, "one", 0);
	/* The kernel may say at any time that it would have to wait (openat2(2)). */
	struct root r = root_at("site", "current");
	int fd = root_open(&r, "index", O_RDONLY, ROOT_CACHED);
	assert_true(fd >= 0 || fd == -EAGAIN);
	fd_close(&fd);
	fd_close(&r.fd);
	/* this takes more than the kernel's one walk */
	absolute_make("site/releases/1/index", "site/releases/1/absolute");
	expect(root_at("site", "current"), "absolute", ROOT_CACHED, NULL, EAGAIN);
	expect(root_at("site", "current"), "absolute", 0, "one", 0);
}

struct way {
	struct root root;
	char text[512];
};

/* Adds the name, with a mark for a link. */
static int way_step(void *arg, const char *name)
{
	struct way *w = arg;
	struct stat st;
	int fd = root_open_traced(&w->root, name);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	fd_close(&fd);
	const size_t used = strlen(w->text);
	(void)snprintf(w->text + used, sizeof(w->text) - used, "%s%s ", name,
		       S_ISLNK(st.st_mode) ? "@" : "");
	return strcmp(name, "releases/1/sub/stop") == 0 ? -ECANCELED : 0;
}

/* Each folder and each link is named, by a name that no link is in. */
static void the_way_to_a_file_is_traced(void **state)
{
	static const struct {
		const char *rest, *path, *way;
		int error;
	} cases[] = {
	    {"", "shared/file", "shared shared/file ", 0},
	    {"current", "sub/index",
	     "current@ releases releases/1 releases/1/sub releases/1/sub/index ", 0},
	    {"", "current/sub/way",
	     "current@ releases releases/1 releases/1/sub releases/1/sub/way@ "
	     "shared shared/file ",
	     0},
	    {"", "current/sub/none", "current@ releases releases/1 releases/1/sub ", ENOENT},
	    {"", "current/sub/stop/x",
	     "current@ releases releases/1 releases/1/sub releases/1/sub/stop ", ECANCELED},
	    {"", "current/out", "current@ releases releases/1 releases/1/out@ ", EXDEV},
	};
	(void)state;
	link_make("releases/1", "site/current");
	link_make("../../../shared/file", "site/releases/1/sub/way");
	link_make("/etc/passwd", "site/releases/1/out");
	folder_make("site/releases/1/sub/stop");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct way w = {.root = root_at("site", cases[i].rest)};
		assert_int_equal(root_trace(&w.root, cases[i].path, way_step, &w), -cases[i].error);
		assert_string_equal(w.text, cases[i].way);
		fd_close(&w.root.fd);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_file_beneath_is_opened),
	    cmocka_unit_test(the_root_itself_is_opened),
	    cmocka_unit_test(nothing_outside_is_opened),
	    cmocka_unit_test(what_lies_beside_the_root_is_not_opened),
	    cmocka_unit_test(a_switched_link_is_seen_at_once),
	    cmocka_unit_test(an_absolute_link_may_use_either_name_of_the_anchor),
	    cmocka_unit_test(a_chain_of_links_is_followed),
	    cmocka_unit_test(circles_end),
	    cmocka_unit_test(links_are_refused_if_they_are_not_wanted),
	    cmocka_unit_test(long_names_are_refused),
	    cmocka_unit_test(a_fifo_does_not_block),
	    cmocka_unit_test(what_is_cached_is_opened_without_waiting),
	    cmocka_unit_test(the_way_to_a_file_is_traced),
	};
	return cmocka_run_group_tests(tests, tree_make, tree_remove);
}

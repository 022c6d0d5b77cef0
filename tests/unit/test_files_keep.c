/* What the handler files keeps open: nothing that has changed is given out, and nothing is kept
 * that is not asked for. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "files_site.h"
#include "skip.h"

#define BASE "/tmp/test_files_keep.XXXXXX"

static const char *indexes[] = {"first.html", "index.html"};

/* --- the folder ------------------------------------------------------------------------------- */

static void site_rename(const struct site *s, const char *from, const char *to)
{
	char a[SITE_PATH_MAX], b[SITE_PATH_MAX];
	path_of(s, from, a);
	path_of(s, to, b);
	assert_int_equal(rename(a, b), 0);
}

/* --- serving ---------------------------------------------------------------------------------- */

/* The clock of files is a minute ahead: what was made just now has not changed for long. */
static int64_t later(void)
{
	return (int64_t)time(NULL) + 60;
}

static void site_serve(struct site *s)
{
	site_prepare(s);
	s->peer->loop.events = &s->events;
	s->peer->loop.holdings = &s->holdings;
	s->peer->loop.date_seconds = later();
	assert_int_equal(loop_init(&s->events), 0);
	s->events.now_ms = 1000000;
	site_open(s);
}

static void site_begin(struct site *s)
{
	site_make_empty(s, BASE);
	s->conf = (struct conf_files){.index = indexes, .index_count = 2};
	site_write(s, "a.txt", "0123456789");
	site_write(s, "other.txt", "another one");
	site_folder(s, "sub");
	site_folder(s, "sub/deep");
	site_write(s, "sub/deep/b.txt", "old");
	site_write(s, "sub/index.html", "old index");
	site_folder(s, "new");
	site_folder(s, "new/deep");
	site_write(s, "new/deep/b.txt", "new");
	site_write(s, "new/index.html", "new index");
	site_link(s, "sub", "current");
	site_link(s, "a.txt", "link.txt");
}

static void site_end(struct site *s)
{
	if (s->peer != NULL) {
		site_stop(s);
		loop_release(&s->events);
		s->events.epoll_fd = -1;
	}
	site_remove(s);
}

static uint64_t held(const struct site *s)
{
	struct holding sum = {0};
	holdings_add_up(&s->holdings, &sum);
	return sum.descriptors;
}

/* What was put off to the end of the turn, like opening what is not cached. */
static void site_run(struct site *s)
{
	struct loop_task *t;
	while ((t = TAILQ_FIRST(&s->events.soon)) != NULL) {
		loop_soon_cancel(&s->events, t);
		t->run(&s->events, t);
	}
	peer_run(s->peer);
}

/* In a turn of its own, a few milliseconds after the last one. */
static const char *site_ask(struct site *s, const char *method, const char *name,
			    const char *fields)
{
	char request[1024];
	s->events.turn++;
	s->events.now_ms += 5;
	peer_out_clear(s->peer);
	(void)snprintf(request, sizeof(request), "%s /test/%s HTTP/1.1\r\nHost: a\r\n%s\r\n",
		       method, name, fields);
	peer_send(s->peer, request);
	site_run(s);
	return peer_out(s->peer);
}

static const char *site_get(struct site *s, const char *name)
{
	const char *out = site_ask(s, "GET", name, "");
	const char *end = strstr(out, "\r\n\r\n");
	if (strncmp(out, "HTTP/1.1 200 ", 13) != 0)
		return strncmp(out, "HTTP/1.1 404 ", 13) == 0 ? "404" : "no 200";
	return end != NULL ? end + 4 : "";
}

/* Asks until the file is kept, which takes two requests. */
static void site_keep(struct site *s, const char *name, const char *content)
{
	assert_string_equal(site_get(s, name), content);
	const uint64_t before = held(s);
	assert_string_equal(site_get(s, name), content);
	assert_true(held(s) > before);
	assert_string_equal(site_get(s, name), content);
}

static void expire(struct site *s, uint64_t ms)
{
	s->events.now_ms += ms;
	assert_true(s->events.heap_len > 0);
	struct loop_timer *t = s->events.heap[0];
	loop_timer_cancel(&s->events, t);
	t->expired(&s->events, t);
}

/* --- changes ---------------------------------------------------------------------------------- */

static void change_write(const struct site *s)
{
	site_write(s, "a.txt", "9876543210");
}

/* All that a program can put back is as it was. */
static void change_write_unseen(const struct site *s)
{
	char path[SITE_PATH_MAX];
	struct stat st;
	path_of(s, "a.txt", path);
	assert_int_equal(stat(path, &st), 0);
	site_write(s, "a.txt", "9876543210");
	const struct timespec times[2] = {st.st_atim, st.st_mtim};
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void change_shorten(const struct site *s)
{
	char path[SITE_PATH_MAX];
	path_of(s, "a.txt", path);
	assert_int_equal(truncate(path, 4), 0);
}

static void change_append(const struct site *s)
{
	char path[SITE_PATH_MAX];
	path_of(s, "a.txt", path);
	FILE *f = fopen(path, "a");
	assert_non_null(f);
	(void)fputs("more", f);
	(void)fclose(f);
}

static void change_replace(const struct site *s)
{
	site_rename(s, "other.txt", "a.txt");
}

static void change_remove(const struct site *s)
{
	char path[SITE_PATH_MAX];
	path_of(s, "a.txt", path);
	assert_int_equal(unlink(path), 0);
}

static void change_remove_one_of_two_names(const struct site *s)
{
	char a[SITE_PATH_MAX], b[SITE_PATH_MAX];
	path_of(s, "a.txt", a);
	path_of(s, "second.txt", b);
	assert_int_equal(link(a, b), 0);
	assert_int_equal(unlink(a), 0);
}

static void change_move(const struct site *s)
{
	site_rename(s, "a.txt", "moved.txt");
}

static void change_exchange(const struct site *s)
{
	char a[SITE_PATH_MAX], b[SITE_PATH_MAX];
	path_of(s, "a.txt", a);
	path_of(s, "other.txt", b);
	assert_int_equal(syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, 2 /* exchange */), 0);
}

static void change_into_link(const struct site *s)
{
	site_link(s, "other.txt", "a.txt");
}

static void change_folder(const struct site *s)
{
	site_rename(s, "sub", "old");
	site_rename(s, "new", "sub");
}

static void change_inner_folder(const struct site *s)
{
	site_rename(s, "sub/deep", "sub/old");
	site_rename(s, "new/deep", "sub/deep");
}

static void change_folder_into_link(const struct site *s)
{
	site_rename(s, "sub", "old");
	site_link(s, "new", "sub");
}

static void change_link(const struct site *s)
{
	site_link(s, "new", "current");
}

static void change_link_by_rename(const struct site *s)
{
	site_link(s, "new", "next");
	site_rename(s, "next", "current");
}

static void change_target_of_link(const struct site *s)
{
	site_write(s, "a.txt", "9876543210");
}

static void change_earlier_index(const struct site *s)
{
	site_write(s, "sub/first.html", "first index");
}

static void change_first_index_of_root(const struct site *s)
{
	site_write(s, "first.html", "first index");
}

static void change_second_index_of_root(const struct site *s)
{
	site_write(s, "ready.html", "second index");
	site_rename(s, "ready.html", "index.html");
}

static void every_change_shows_at_once(void **state)
{
	static const struct {
		const char *name, *before, *after;
		void (*change)(const struct site *);
	} cases[] = {
	    {"a.txt", "0123456789", "9876543210", change_write},
	    {"a.txt", "0123456789", "9876543210", change_write_unseen},
	    {"a.txt", "0123456789", "0123", change_shorten},
	    {"a.txt", "0123456789", "0123456789more", change_append},
	    {"a.txt", "0123456789", "another one", change_replace},
	    {"a.txt", "0123456789", "404", change_remove},
	    {"a.txt", "0123456789", "404", change_remove_one_of_two_names},
	    {"a.txt", "0123456789", "404", change_move},
	    {"a.txt", "0123456789", "another one", change_exchange},
	    {"a.txt", "0123456789", "another one", change_into_link},
	    {"link.txt", "0123456789", "9876543210", change_target_of_link},
	    {"link.txt", "0123456789", "404", change_remove},
	    {"link.txt", "0123456789", "another one", change_replace},
	    {"sub/deep/b.txt", "old", "new", change_folder},
	    {"sub/deep/b.txt", "old", "new", change_inner_folder},
	    {"sub/deep/b.txt", "old", "new", change_folder_into_link},
	    {"current/deep/b.txt", "old", "new", change_link},
	    {"current/deep/b.txt", "old", "new", change_link_by_rename},
	    {"current/deep/b.txt", "old", "new", change_folder},
	    {"sub/", "old index", "first index", change_earlier_index},
	    {"sub/", "old index", "new index", change_folder},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct site s;
		site_begin(&s);
		site_serve(&s);
		site_keep(&s, cases[i].name, cases[i].before);
		cases[i].change(&s);
		const char *after = site_get(&s, cases[i].name);
		if (strcmp(after, cases[i].after) != 0)
			fail_msg("%zu: %s is \"%s\", expected \"%s\"", i, cases[i].name, after,
				 cases[i].after);
		site_end(&s);
	}
}

/* The root is named through a link, as a deploy switches it. */
static void a_switched_root_shows_at_once(void **state)
{
	static void (*const changes[])(const struct site *) = {change_link, change_link_by_rename,
							       change_folder};
	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct site s;
		site_begin(&s);
		s.root.rest = "current";
		site_serve(&s);
		site_keep(&s, "deep/b.txt", "old");
		changes[i](&s);
		assert_string_equal(site_get(&s, "deep/b.txt"), "new");
		site_end(&s);
	}
}

/* overlayfs does not follow links without waiting, and tmpfs does not remember what is not there.
 */
static bool is_found_without_waiting(int root, const char *name)
{
	const struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_CACHED};
	struct stat st;
	(void)fstatat(root, name, &st, 0);
	int fd = (int)syscall(SYS_openat2, root, name, &how, sizeof(how));
	const bool found = fd >= 0 || errno != EAGAIN;
	fd_close(&fd);
	return found;
}

/* Of a name directly in the root, the root is the only folder that shows it. */
static void an_index_of_the_root_shows_at_once(void **state)
{
	static const char *const rests[] = {"", "itself"};
	(void)state;
	for (size_t i = 0; i < sizeof(rests) / sizeof(rests[0]); i++) {
		struct site s;
		site_begin(&s);
		site_link(&s, ".", "itself");
		if (!is_found_without_waiting(s.root.fd, "itself") ||
		    !is_found_without_waiting(s.root.fd, "missing")) {
			site_end(&s);
			skip_because("needs a file system that finds names without waiting");
		}
		s.root.rest = rests[i];
		site_serve(&s);
		for (int n = 0; n < 4; n++)
			assert_string_equal(site_get(&s, ""), "no 200");
		assert_true(held(&s) > 0);
		change_second_index_of_root(&s);
		assert_string_equal(site_get(&s, ""), "second index");
		s.peer->loop.date_seconds += 60;
		for (int n = 0; n < 4; n++)
			assert_string_equal(site_get(&s, ""), "second index");
		change_first_index_of_root(&s);
		assert_string_equal(site_get(&s, ""), "first index");
		site_end(&s);
	}
}

/* --- encoded siblings ------------------------------------------------------------------------- */

static void an_encoded_sibling_shows_at_once(void **state)
{
	static const char *const names[][2] = {{"sub/deep/b.txt", "sub/deep/b.txt.gz"},
					       {"a.txt", "a.txt.gz"}};
	static const char *const fields = "Accept-Encoding: br, gzip\r\n";
	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct site s;
		site_begin(&s);
		s.conf.precompressed[0] = CONF_BR;
		s.conf.precompressed[1] = CONF_GZIP;
		s.conf.precompressed_count = 2;
		site_serve(&s);
		for (int n = 0; n < 4; n++)
			assert_null(
			    strstr(site_ask(&s, "GET", names[i][0], fields), "Content-Encoding"));
		site_write(&s, names[i][1], "gz");
		assert_non_null(
		    strstr(site_ask(&s, "GET", names[i][0], fields), "Content-Encoding: gzip"));
		site_end(&s);
	}
}

/* --- what is kept ----------------------------------------------------------------------------- */

static void a_file_is_kept_if_it_is_asked_for_again(void **state)
{
	struct site s;
	(void)state;
	site_begin(&s);
	site_serve(&s);
	assert_string_equal(site_get(&s, "a.txt"), "0123456789");
	assert_int_equal(held(&s), 0);
	s.events.now_ms += 1500; /* not soon */
	assert_string_equal(site_get(&s, "a.txt"), "0123456789");
	assert_int_equal(held(&s), 0);
	assert_string_equal(site_get(&s, "a.txt"), "0123456789");
	assert_int_equal(held(&s), 1);
	site_keep(&s, "sub/deep/b.txt", "old"); /* two folders, and the file */
	assert_int_equal(held(&s), 4);
	site_end(&s);
}

static void a_file_that_is_not_asked_for_is_closed(void **state)
{
	struct site s;
	(void)state;
	site_begin(&s);
	site_serve(&s);
	site_keep(&s, "a.txt", "0123456789");
	expire(&s, 1000);
	assert_int_equal(held(&s), 1);
	site_keep(&s, "link.txt", "0123456789"); /* the link, and the file */
	assert_int_equal(held(&s), 3);
	expire(&s, 1000);
	assert_int_equal(held(&s), 2);
	expire(&s, 1000);
	assert_int_equal(held(&s), 0);
	assert_int_equal(s.events.heap_len, 0);
	site_end(&s);
}

static void what_has_changed_a_moment_ago_is_not_kept(void **state)
{
	struct site s;
	(void)state;
	site_begin(&s);
	site_serve(&s);
	s.peer->loop.date_seconds = (int64_t)time(NULL);
	for (int i = 0; i < 4; i++)
		assert_string_equal(site_get(&s, "a.txt"), "0123456789");
	assert_int_equal(held(&s), 0);
	s.peer->loop.date_seconds = later();
	s.events.now_ms += 500;
	assert_string_equal(site_get(&s, "a.txt"), "0123456789");
	assert_int_equal(held(&s), 1);
	site_end(&s);
}

static void nothing_is_kept_where_the_location_says_so(void **state)
{
	struct site s;
	(void)state;
	site_begin(&s);
	s.conf.unkept = true;
	site_serve(&s);
	for (int i = 0; i < 4; i++)
		assert_string_equal(site_get(&s, "a.txt"), "0123456789");
	assert_int_equal(held(&s), 0);
	site_end(&s);
}

static void names_that_only_a_client_knows_are_not_kept(void **state)
{
	struct site s;
	(void)state;
	site_begin(&s);
	site_serve(&s);
	struct holding before = {0}, after = {0};
	holdings_add_up(&s.holdings, &before);
	for (int i = 0; i < 4; i++)
		assert_string_equal(site_get(&s, "sub/missing"), "404");
	holdings_add_up(&s.holdings, &after);
	assert_int_equal(after.memory_bytes, before.memory_bytes);
	site_end(&s);
}

static void what_is_kept_is_bounded(void **state)
{
	struct site s;
	char name[32], content[4096];
	(void)state;
	memset(content, 'x', sizeof(content) - 1);
	content[sizeof(content) - 1] = '\0';
	site_begin(&s);
	for (int i = 0; i < 600; i++) {
		(void)snprintf(name, sizeof(name), "sub/f%d", i);
		site_write(&s, name, content);
	}
	site_serve(&s);
	for (int i = 0; i < 600; i++) {
		struct holding sum = {0};
		(void)snprintf(name, sizeof(name), "sub/f%d", i);
		for (int k = 0; k < 3; k++)
			assert_string_equal(site_get(&s, name), content);
		holdings_add_up(&s.holdings, &sum);
		assert_true(sum.descriptors > 0 && sum.descriptors <= FILES_KEPT_DESCRIPTORS);
		assert_true(sum.memory_bytes <= FILES_KEPT_BYTES);
	}
	assert_int_equal(held(&s), FILES_KEPT_MAX + 1); /* and their folder */
	s.peer->loop.spare(&s.peer->loop);
	assert_int_equal(held(&s), 0);
	assert_string_equal(site_get(&s, "sub/f0"), content);
	site_end(&s);
}

/* --- answers ---------------------------------------------------------------------------------- */

/* All but Date, which does not change here either. */
static void a_kept_file_is_answered_as_others_are(void **state)
{
	static const char *const fields[] = {
	    "",
	    "Range: bytes=2-4\r\n",
	    "Range: bytes=-3\r\n",
	    "Range: bytes=10-\r\n",
	    "If-None-Match: *\r\n",
	    "If-Match: \"x\"\r\n",
	    "If-Modified-Since: Sun, 06 Nov 2094 08:49:37 GMT\r\n",
	    "If-Range: \"x\"\r\nRange: bytes=2-4\r\n",
	};
	static const char *const methods[] = {"GET", "HEAD"};
	char first[2][8][2048];
	struct site s;
	(void)state;
	site_begin(&s);
	site_serve(&s);
	for (size_t i = 0; i < 16; i++) {
		s.events.now_ms += 2000;
		(void)snprintf(first[i / 8][i % 8], sizeof(first[0][0]), "%s",
			       site_ask(&s, methods[i / 8], "a.txt", fields[i % 8]));
	}
	assert_int_equal(held(&s), 0);
	s.events.now_ms += 2000;
	site_keep(&s, "a.txt", "0123456789");
	for (size_t i = 0; i < 16; i++)
		assert_string_equal(site_ask(&s, methods[i / 8], "a.txt", fields[i % 8]),
				    first[i / 8][i % 8]);
	assert_int_equal(held(&s), 1);
	site_end(&s);
}

/* Names that are asked for in turn, whatever places their hashes give them. */
static void names_in_turn_do_not_keep_each_other_out(void **state)
{
	static const char *const names[] = {"a.txt", "other.txt", "sub/deep/b.txt",
					    "sub/index.html"};
	uint64_t all = 0;
	(void)state;
	for (unsigned i = 0; i < 60; i++) {
		struct site s;
		site_begin(&s);
		site_serve(&s);
		for (unsigned k = 0; i == 0 && k < 4; k++) {
			(void)site_get(&s, names[k]);
			(void)site_get(&s, names[k]);
		}
		for (unsigned k = 0; i > 0 && k < 12; k++)
			(void)site_get(&s, names[k % 4]);
		if (i == 0)
			all = held(&s);
		assert_true(all > 4);
		assert_int_equal(held(&s), all);
		site_end(&s);
	}
}

/* A list that needs the last descriptor gets it. */
static void a_list_takes_the_descriptors_of_kept_files(void **state)
{
	struct site s;
	struct rlimit limit;
	(void)state;
	site_begin(&s);
	s.conf.listing = true;
	s.conf.index_count = 0;
	site_serve(&s);
	site_keep(&s, "a.txt", "0123456789");
	const int next = dup(s.root.fd);
	assert_true(next >= 0);
	(void)close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	const struct rlimit low = {.rlim_cur = (rlim_t)next + 1, .rlim_max = limit.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	const char *out = site_ask(&s, "GET", "sub/", "Accept: application/json\r\n");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_non_null(strstr(out, "./index.html"));
	assert_non_null(strstr(out, "\"complete\":true"));
	assert_int_equal(held(&s), 0);
	site_end(&s);
}

/* Its bytes are those of its tag, whatever happens to it meanwhile. */
static void a_file_that_is_being_sent_stays_as_it_was(void **state)
{
	struct site s;
	(void)state;
	site_begin(&s);
	site_serve(&s);
	site_keep(&s, "a.txt", "0123456789");
	struct peer *p = s.peer;
	s.events.turn++;
	peer_out_clear(p);
	peer_add(p, "GET /test/a.txt HTTP/1.1\r\nHost: a\r\n\r\n"); /* nothing is pulled yet */
	change_shorten(&s);
	p->loop.spare(&p->loop);
	assert_int_equal(held(&s), 1);
	peer_run(p);
	assert_non_null(strstr(peer_out(p), "\r\n\r\n0123456789"));
	assert_int_equal(held(&s), 0);
	assert_string_equal(site_get(&s, "a.txt"), "0123");
	site_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_change_shows_at_once),
	    cmocka_unit_test(names_in_turn_do_not_keep_each_other_out),
	    cmocka_unit_test(a_switched_root_shows_at_once),
	    cmocka_unit_test(an_index_of_the_root_shows_at_once),
	    cmocka_unit_test(an_encoded_sibling_shows_at_once),
	    cmocka_unit_test(a_file_is_kept_if_it_is_asked_for_again),
	    cmocka_unit_test(a_file_that_is_not_asked_for_is_closed),
	    cmocka_unit_test(what_has_changed_a_moment_ago_is_not_kept),
	    cmocka_unit_test(nothing_is_kept_where_the_location_says_so),
	    cmocka_unit_test(names_that_only_a_client_knows_are_not_kept),
	    cmocka_unit_test(what_is_kept_is_bounded),
	    cmocka_unit_test(a_kept_file_is_answered_as_others_are),
	    cmocka_unit_test(a_list_takes_the_descriptors_of_kept_files),
	    cmocka_unit_test(a_file_that_is_being_sent_stays_as_it_was),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

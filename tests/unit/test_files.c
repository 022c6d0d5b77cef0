/* The handler files, through the protocol, from a folder that is made for each test. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "../json_check.h"
#include "files_site.h"
#include "http/internal.h"
#include "skip.h"

#define BASE     "/tmp/test_files.XXXXXX"
#define MODIFIED 700000000 /* Sat, 07 Mar 1992 20:26:40 GMT, before PEER_DATE */
#define LAST     "Sat, 07 Mar 1992 20:26:40 GMT"

static const char *indexes[] = {"index.html", "index.htm"};

/* It has not changed for long. */
static void site_make(struct site *s, const char *name, const char *content)
{
	const struct timespec times[2] = {{MODIFIED, 0}, {MODIFIED, 0}};
	char path[SITE_PATH_MAX];
	path_of(s, name, path);
	site_write(s, name, content);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void site_serve(struct site *s)
{
	site_prepare(s);
	site_open(s);
}

static void site_begin(struct site *s)
{
	site_make_empty(s, BASE);
	s->conf = (struct conf_files){.index = indexes, .index_count = 2, .charset = "utf-8"};
	site_make(s, "a.txt", "0123456789");
	site_make(s, "empty.txt", "");
	site_make(s, "index.html", "<p>index");
	site_make(s, "noext", "x");
	site_make(s, "a b&c.txt", "blank");
	site_make(s, "back\\slash", "backslash");
	site_make(s, "\xff\xfe.txt", "no UTF-8");
	site_make(s, ".hidden", "hidden");
	site_folder(s, ".git");
	site_make(s, ".git/config", "hidden, too");
	site_folder(s, "sub");
	site_make(s, "sub/b.css", "body{}");
	site_folder(s, "web");
	site_make(s, "web/index.htm", "second");
	site_folder(s, "index");
	site_folder(s, "index/index.html");
	site_link(s, "a.txt", "link.txt");
	site_link(s, "sub", "linked");
	site_link(s, "../../../../../../etc/passwd", "out");
	site_link(s, "/etc/passwd", "outside");
	site_link(s, "loop2", "loop1");
	site_link(s, "loop1", "loop2");
	char path[128];
	(void)snprintf(path, sizeof(path), "%s/fifo", s->path);
	assert_int_equal(mkfifo(path, 0644), 0);
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	(void)snprintf(name.sun_path, sizeof(name.sun_path), "%s/socket", s->path);
	const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	(void)close(fd);
}

static const char *site_get(struct site *s, const char *method, const char *target,
			    const char *fields)
{
	char request[8192];
	peer_out_clear(s->peer);
	(void)snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\nHost: a\r\n%s\r\n", method,
		       target, fields);
	peer_send(s->peer, request);
	return peer_out(s->peer);
}

static const char *body_of(const char *response)
{
	const char *end = strstr(response, "\r\n\r\n");
	return end != NULL ? end + 4 : "";
}

static void assert_has(const char *response, const char *line)
{
	if (strstr(response, line) == NULL)
		fail_msg("no \"%s\" in: %s", line, response);
}

static void assert_has_not(const char *response, const char *line)
{
	if (strstr(response, line) != NULL)
		fail_msg("\"%s\" in: %s", line, response);
}

/* The status line, and what the body is; then the same connection answers another request. */
static void assert_answer(struct site *s, const char *method, const char *target,
			  const char *fields, unsigned status, const char *body)
{
	char start[32];
	const char *out = site_get(s, method, target, fields);
	(void)snprintf(start, sizeof(start), "HTTP/1.1 %u ", status);
	if (strncmp(out, start, strlen(start)) != 0)
		fail_msg("%s %s %s: %.40s, expected %u", method, target, fields, out, status);
	if (body != NULL && strcmp(body_of(out), body) != 0)
		fail_msg("%s %s %s: \"%s\", expected \"%s\"", method, target, fields, body_of(out),
			 body);
	out = site_get(s, "GET", "/test/a.txt", "");
	if (strcmp(body_of(out), "0123456789") != 0)
		fail_msg("%s %s %s: after it: %s", method, target, fields, out);
}

/* --- paths ------------------------------------------------------------------------------------ */

#define NOT_FOUND "404 Not Found\n"
#define LONG_255                                                                                 \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"  \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void every_path_has_its_answer(void **state)
{
	static const struct {
		const char *target;
		unsigned status;
		const char *body;
	} cases[] = {
	    {"/test/a.txt", 200, "0123456789"},
	    {"/test/a.txt?x=y", 200, "0123456789"},
	    {"/test/empty.txt", 200, ""},
	    {"/test/", 200, "<p>index"},
	    {"/test/index.html", 200, "<p>index"},
	    {"/test/noext", 200, "x"},
	    {"/test/a%20b&c.txt", 200, "blank"},
	    {"/test/back%5Cslash", 200, "backslash"},
	    {"/test/back\\slash", 200, "backslash"},
	    {"/test/%ff%fe.txt", 200, "no UTF-8"},
	    {"/test/sub/b.css", 200, "body{}"},
	    {"/test/sub//b.css", 200, "body{}"},
	    {"//test//sub/b.css", 200, "body{}"},
	    {"/test/sub//", 403, "403 Forbidden\n"},
	    {"/test//", 200, "<p>index"},
	    {"/test//.hidden", 404, NOT_FOUND},
	    {"/test/./sub/../a.txt", 200, "0123456789"},
	    {"/test/%2e/sub/%2E./a.txt", 200, "0123456789"},
	    {"/test/%61.txt", 200, "0123456789"},
	    {"/test/web/", 200, "second"},
	    {"/test/link.txt", 200, "0123456789"},
	    {"/test/linked/b.css", 200, "body{}"},
	    /* folders without a slash, with none in the index */
	    {"/test", 301, ""},
	    {"/test/sub", 301, ""},
	    {"/test/linked", 301, ""},
	    {"/test/sub/", 403, "403 Forbidden\n"},
	    {"/test/index/", 403, "403 Forbidden\n"},
	    /* not found */
	    {"/test/none", 404, NOT_FOUND},
	    {"/test/none/", 404, NOT_FOUND},
	    {"/test/a.txt/", 404, NOT_FOUND},
	    {"/test/a.txt/b", 404, NOT_FOUND},
	    {"/test/A.TXT", 404, NOT_FOUND},
	    {"/test/sub%2fb.css", 404, NOT_FOUND},
	    {"/test/sub%2Fb.css", 404, NOT_FOUND},
	    {"/test/sub%2f", 404, NOT_FOUND},
	    {"/test%2fa.txt", 404, NOT_FOUND},
	    {"/test/sub/..%2fa.txt", 404, NOT_FOUND},
	    {"/test/sub/.%2Fb.css", 404, NOT_FOUND},
	    {"/test/x%2f../a.txt", 404, NOT_FOUND},
	    {"/test/sub/%2fb.css", 404, NOT_FOUND},
	    {"/test/sub%2f/b.css", 404, NOT_FOUND},
	    {"/test/a.txt%20", 404, NOT_FOUND},
	    {"/test/%0a", 404, NOT_FOUND},
	    {"/test/a.txt%252e", 404, NOT_FOUND},
	    {"/test/.hidden", 404, NOT_FOUND},
	    {"/test/%2ehidden", 404, NOT_FOUND},
	    {"/test/.git/config", 404, NOT_FOUND},
	    {"/test/.git", 404, NOT_FOUND},
	    {"/test/.git/", 404, NOT_FOUND},
	    {"/test/...", 404, NOT_FOUND},
	    {"/test/out", 404, NOT_FOUND},
	    {"/test/outside", 404, NOT_FOUND},
	    {"/test/loop1", 404, NOT_FOUND},
	    {"/test/loop1/x", 404, NOT_FOUND},
	    {"/test/fifo", 404, NOT_FOUND},
	    {"/test/fifo/", 404, NOT_FOUND},
	    {"/test/socket", 404, NOT_FOUND},
	    {"/test/" LONG_255, 404, NOT_FOUND},
	    {"/test/" LONG_255 "a", 404, NOT_FOUND},
	    {"/test/" LONG_255 "/" LONG_255, 404, NOT_FOUND},
	};
	struct site s;
	(void)state;
	site_begin(&s);
	site_serve(&s);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_answer(&s, "GET", cases[i].target, "", cases[i].status, cases[i].body);
		assert_answer(&s, "HEAD", cases[i].target, "", cases[i].status, "");
	}
	site_stop(&s);
	site_remove(&s);
}

static void options_change_what_is_found(void **state)
{
	struct site s;
	(void)state;
	site_begin(&s);
	site_make(&s, LONG_255, "long");
	s.conf.hidden = true;
	s.conf.no_symlinks = true;
	s.conf.fallback = "/web/index.htm";
	site_serve(&s);
	assert_answer(&s, "GET", "/test/.hidden", "", 200, "hidden");
	assert_answer(&s, "GET", "/test/.git/config", "", 200, "hidden, too");
	assert_answer(&s, "GET", "/test/" LONG_255, "", 200, "long");
	static const char *const missing[] = {"none", "none/", "sub/",   "link.txt", "linked/",
					      "fifo", "a%2fb", "loop1/", "a.txt/x",  "outside"};
	for (size_t i = 0; i < sizeof(missing) / sizeof(missing[0]); i++) {
		char target[64];
		(void)snprintf(target, sizeof(target), "/test/%s", missing[i]);
		assert_answer(&s, "GET", target, "", 200, "second");
		assert_answer(&s, "GET", target, "Range: bytes=1-2\r\n", 206, "ec");
	}
	assert_has(site_get(&s, "GET", "/test/none", ""), "Content-Type: text/html; charset=utf-8");
	assert_answer(&s, "GET", "/test/sub", "", 301, "");
	site_stop(&s);
	s.conf.hidden = false;
	s.conf.fallback = "none";
	site_serve(&s);
	assert_answer(&s, "GET", "/test/none", "", 404, NOT_FOUND);
	assert_answer(&s, "GET", "/test/.hidden", "", 404, NOT_FOUND);
	site_stop(&s);
	site_remove(&s);
}

static void a_redirect_keeps_the_path_and_the_query(void **state)
{
	static const struct {
		const char *target, *location;
	} cases[] = {
	    {"/test", "/test/"},
	    {"/test?a=b&c", "/test/?a=b&c"},
	    {"/test/sub?", "/test/sub/?"},
	    {"/test/sub?/%2f%zz%4", "/test/sub/?/%2f%25zz%254"},
	    {"/test/sub?<a>=\"[b]\"|{c}^`\\",
	     "/test/sub/?%3Ca%3E=%22%5Bb%5D%22%7C%7Bc%7D%5E%60%5C"},
	    {"/test/sub", "/test/sub/"},
	    {"/test/./x/../sub", "/test/sub/"},
	    {"/test/a%20%0d%0Ab\"<%5c:;%3f%23", "/test/a%20%0D%0Ab%22%3C%5C:;%3F%23/"},
	    {"http://evil.example/test/sub", "/test/sub/"},
	};
	struct site s;
	(void)state;
	site_begin(&s);
	site_folder(&s, "a \r\nb\"<\\:;?#");
	site_serve(&s);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char line[128];
		(void)snprintf(line, sizeof(line), "\r\nLocation: %s\r\n", cases[i].location);
		const char *out = site_get(&s, "GET", cases[i].target, "If-Match: \"x\"\r\n");
		assert_memory_equal(out, "HTTP/1.1 301 ", 13);
		assert_has(out, line);
	}
	site_stop(&s);
	site_remove(&s);
}

/* --- what a response has ---------------------------------------------------------------------- */

static void a_response_says_what_the_file_is(void **state)
{
	struct site s;
	(void)state;
	site_begin(&s);
	site_make(&s, "page.own", "x");
	const char *own[] = {"mine", "own"}, *css[] = {"css"};
	struct conf_media_type types[] = {
	    {"text/x-own", own, 2}, {"text/x-css; a=b", css, 1}, {"text/x-others", NULL, 0}};
	s.conf.types = types;
	s.conf.types_count = 3;
	s.conf.cache = "public, max-age=3600";
	site_serve(&s);
	const char *out = site_get(&s, "GET", "/test/a.txt", "");
	assert_has(out, "HTTP/1.1 200 OK\r\n");
	assert_has(out, "\r\nContent-Type: text/plain; charset=utf-8\r\n");
	assert_has(out, "\r\nContent-Length: 10\r\n");
	assert_has(out, "\r\nLast-Modified: " LAST "\r\n");
	assert_has(out, "\r\nAccept-Ranges: bytes\r\n");
	assert_has(out, "\r\nCache-Control: public, max-age=3600\r\n");
	assert_has(out, "\r\nETag: \"");
	assert_has_not(out, "Vary");
	assert_has(site_get(&s, "GET", "/test/noext", ""),
		   "\r\nContent-Type: text/x-others; charset=utf-8\r\n");
	assert_has(site_get(&s, "GET", "/test/sub/b.css", ""),
		   "\r\nContent-Type: text/x-css; a=b\r\n");
	assert_has(site_get(&s, "GET", "/test/page.own", ""),
		   "\r\nContent-Type: text/x-own; charset=utf-8\r\n");
	assert_has_not(site_get(&s, "GET", "/test/none", ""), "Cache-Control");
	site_stop(&s);
	s.conf.charset = NULL;
	s.conf.types_count = 0;
	site_serve(&s);
	assert_has(site_get(&s, "GET", "/test/noext", ""),
		   "\r\nContent-Type: application/octet-stream\r\n");
	assert_has(site_get(&s, "GET", "/test/a.txt", ""), "\r\nContent-Type: text/plain\r\n");
	site_stop(&s);
	site_remove(&s);
}

static void head_has_the_head_of_get(void **state)
{
	static const char *const targets[] = {"/test/a.txt", "/test/empty.txt", "/test",
					      "/test/none",  "/test/",          "/test/sub/"};
	struct site s;
	(void)state;
	site_begin(&s);
	site_serve(&s);
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		char get[4096];
		const char *out = site_get(&s, "GET", targets[i], "");
		const size_t len = (size_t)(body_of(out) - out);
		memcpy(get, out, len);
		out = site_get(&s, "HEAD", targets[i], "");
		assert_int_equal(s.peer->out_len, len);
		assert_memory_equal(out, get, len);
	}
	site_stop(&s);
	site_remove(&s);
}

static void a_time_in_the_future_is_the_present(void **state)
{
	const struct timespec times[2] = {{4000000000, 0}, {4000000000, 0}};
	struct site s;
	char path[128];
	(void)state;
	site_begin(&s);
	(void)snprintf(path, sizeof(path), "%s/a.txt", s.path);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
	site_serve(&s);
	assert_has(site_get(&s, "GET", "/test/a.txt", ""), "\r\nLast-Modified: " PEER_DATE "\r\n");
	site_stop(&s);
	site_remove(&s);
}

static void other_methods_are_not_allowed(void **state)
{
	static const char *const methods[] = {"POST", "PUT", "DELETE", "PATCH", "TRACE"};
	struct site s;
	(void)state;
	site_begin(&s);
	for (unsigned any = 0; any < 2; any++) {
		site_serve(&s);
		s.peer->location.methods = any ? UINT32_MAX & ~HTTP_METHOD_BIT(HTTP_OPTIONS) : 0;
		for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
			assert_answer(&s, methods[i], "/test/a.txt", "Content-Length: 0\r\n", 405,
				      "405 Method Not Allowed\n");
			assert_has(site_get(&s, methods[i], "/test/a.txt", "If-Match: \"x\"\r\n"),
				   "\r\nAllow: GET, HEAD, OPTIONS\r\n");
		}
		site_stop(&s);
	}
	for (unsigned any = 0; any < 2; any++) {
		site_serve(&s);
		s.peer->location.methods = any ? UINT32_MAX : 0;
		assert_answer(&s, "OPTIONS", "/test/a.txt", "", 204, "");
		assert_has(site_get(&s, "OPTIONS", "/test/none", ""),
			   "\r\nAllow: GET, HEAD, OPTIONS\r\n");
		site_stop(&s);
	}
	site_remove(&s);
}

/* --- conditions and ranges -------------------------------------------------------------------- */

static void tag_of(struct site *s, const char *target, const char *fields, char out[64])
{
	const char *tag = strstr(site_get(s, "GET", target, fields), "\r\nETag: ");
	assert_non_null(tag);
	tag += 8;
	const size_t len = strcspn(tag, "\r");
	memcpy(out, tag, len);
	out[len] = '\0';
}

static void conditions_come_before_ranges(void **state)
{
	static const struct {
		const char *fields; /* %s: the tag */
		unsigned status;
		const char *body;
	} cases[] = {
	    {"If-None-Match: %s\r\n", 304, ""},
	    {"If-None-Match: %s\r\nRange: bytes=0-1\r\n", 304, ""},
	    {"If-None-Match: %s\r\nRange: bytes=50-\r\n", 304, ""},
	    {"If-None-Match: \"x\"\r\nRange: bytes=0-1\r\n", 206, "01"},
	    {"If-Modified-Since: " LAST "\r\n", 304, ""},
	    {"If-Modified-Since: " LAST "\r\nIf-None-Match: \"x\"\r\n", 200, "0123456789"},
	    {"If-Match: %s\r\n", 200, "0123456789"},
	    {"If-Match: \"x\"\r\n", 412, "412 Precondition Failed\n"},
	    {"If-Match: \"x\"\r\nRange: bytes=0-1\r\n", 412, "412 Precondition Failed\n"},
	    {"If-Unmodified-Since: Fri, 06 Mar 1992 20:26:40 GMT\r\n", 412,
	     "412 Precondition Failed\n"},
	    {"If-Range: %s\r\nRange: bytes=0-1\r\n", 206, "01"},
	    {"If-Range: W/%s\r\nRange: bytes=0-1\r\n", 200, "0123456789"},
	    {"If-Range: \"x\"\r\nRange: bytes=0-1\r\n", 200, "0123456789"},
	    {"If-Range: \"x\"\r\nRange: bytes=50-\r\n", 200, "0123456789"},
	    {"If-Range: " LAST "\r\nRange: bytes=0-1\r\n", 206, "01"},
	    {"If-Range: Sun, 08 Mar 1992 20:26:40 GMT\r\nRange: bytes=0-1\r\n", 200, "0123456789"},
	    {"If-Range: %s\r\n", 200, "0123456789"},
	    {"Range: bytes=0-1\r\nRange: bytes=2-3\r\n", 200, "0123456789"},
	    {"Range: bytes=-3\r\n", 206, "789"},
	    {"Range: bytes=0-\r\n", 206, "0123456789"},
	    {"Range: bytes=10-\r\n", 416, "416 Range Not Satisfiable\n"},
	    {"Range: lines=0-1\r\n", 200, "0123456789"},
	    {"Range: bytes=5-2\r\n", 200, "0123456789"},
	    {"Range: bytes=0-4,3-6\r\n", 206, "0123456"},
	};
	char tag[64], fields[256];
	struct site s;
	(void)state;
	site_begin(&s);
	site_serve(&s);
	tag_of(&s, "/test/a.txt", "", tag);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		(void)snprintf(fields, sizeof(fields), cases[i].fields, tag);
#pragma GCC diagnostic pop
		assert_answer(&s, "GET", "/test/a.txt", fields, cases[i].status, cases[i].body);
	}
	assert_answer(&s, "HEAD", "/test/a.txt", "Range: bytes=0-1\r\n", 200, "");
	assert_has(site_get(&s, "HEAD", "/test/a.txt", "Range: bytes=50-\r\n"),
		   "\r\nContent-Length: 10\r\n");
	assert_has(site_get(&s, "GET", "/test/a.txt", "Range: bytes=2-3\r\n"),
		   "\r\nContent-Range: bytes 2-3/10\r\n");
	assert_has(site_get(&s, "GET", "/test/a.txt", "Range: bytes=10-\r\n"),
		   "\r\nContent-Range: bytes */10\r\n");
	assert_has(site_get(&s, "GET", "/test/empty.txt", "Range: bytes=0-\r\n"),
		   "\r\nContent-Range: bytes */0\r\n");
	assert_answer(&s, "GET", "/test/empty.txt", "Range: bytes=-5\r\n", 200, "");
	/* missing files and redirects have no conditions (RFC 9110, 13.2.1) */
	assert_answer(&s, "GET", "/test/none", "If-None-Match: *\r\n", 404, NOT_FOUND);
	assert_answer(&s, "GET", "/test/none", "If-Match: *\r\n", 404, NOT_FOUND);
	site_stop(&s);
	site_remove(&s);
}

static void not_modified_has_what_a_cache_needs(void **state)
{
	char tag[64], fields[128], line[128];
	struct site s;
	(void)state;
	site_begin(&s);
	s.conf.cache = "no-cache";
	s.conf.precompressed_count = 1;
	s.conf.precompressed[0] = CONF_GZIP;
	site_serve(&s);
	tag_of(&s, "/test/a.txt", "", tag);
	(void)snprintf(fields, sizeof(fields), "If-None-Match: %s\r\n", tag);
	(void)snprintf(line, sizeof(line), "\r\nETag: %s\r\n", tag);
	const char *out = site_get(&s, "GET", "/test/a.txt", fields);
	assert_has(out, line);
	assert_has(out, "\r\nCache-Control: no-cache\r\n");
	assert_has(out, "\r\nVary: Accept-Encoding\r\n");
	assert_has(out, "\r\nDate: ");
	assert_has_not(out, "Content-");
	assert_has_not(out, "Last-Modified");
	assert_has_not(out, "Transfer-Encoding");
	site_stop(&s);
	site_remove(&s);
}

/* Content-Length is that of the body, whatever the room of one output is. */
static void several_ranges_are_parts(void **state)
{
	struct site s;
	(void)state;
	site_begin(&s);
	site_serve(&s);
	for (size_t pull = 600; pull < 800; pull += 7) {
		s.peer->pull = pull;
		const char *out =
		    site_get(&s, "GET", "/test/a.txt", "Range: bytes=8-9,0-0,2-3,3-4\r\n");
		char boundary[33] = "", expected[1024], length[64];
		assert_memory_equal(out, "HTTP/1.1 206 ", 13);
		const char *at = strstr(out, "\r\nContent-Type: multipart/byteranges; boundary=");
		assert_non_null(at);
		memcpy(boundary, strchr(at + 40, '=') + 1, 32);
		(void)snprintf(
		    expected, sizeof(expected),
		    "--%s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes "
		    "8-9/10\r\n\r\n89\r\n--%s\r\nContent-Type: text/plain; "
		    "charset=utf-8\r\nContent-Range: bytes "
		    "0-0/10\r\n\r\n0\r\n--%s\r\nContent-Type: "
		    "text/plain; charset=utf-8\r\nContent-Range: bytes "
		    "2-4/10\r\n\r\n234\r\n--%s--\r\n",
		    boundary, boundary, boundary, boundary);
		assert_string_equal(body_of(out), expected);
		(void)snprintf(length, sizeof(length), "\r\nContent-Length: %zu\r\n",
			       strlen(expected));
		assert_has(out, length);
		*(char *)(uintptr_t)(body_of(out) - 1) = '\0';
		assert_has_not(out, "Content-Range");
	}
	site_stop(&s);
	site_remove(&s);
}

/* --- encodings -------------------------------------------------------------------------------- */

static void the_encoding_is_the_one_that_is_wanted_most(void **state)
{
	static const struct {
		const char *accept;
		unsigned status;
		const char *body, *encoding;
	} cases[] = {
	    {"", 200, "0123456789", NULL},
	    {"Accept-Encoding: gzip\r\n", 200, "gzip!", "gzip"},
	    {"Accept-Encoding: x-gzip\r\n", 200, "gzip!", "gzip"},
	    {"Accept-Encoding: gzip, br\r\n", 200, "brotli!", "br"},
	    {"Accept-Encoding: gzip, br, zstd\r\n", 200, "brotli!", "br"},
	    {"Accept-Encoding: gzip, br;q=0.9\r\n", 200, "gzip!", "gzip"},
	    {"Accept-Encoding: zstd, gzip;q=0.1\r\n", 200, "gzip!", "gzip"},
	    {"Accept-Encoding: zstd\r\n", 200, "0123456789", NULL},
	    {"Accept-Encoding: gzip;q=0\r\n", 200, "0123456789", NULL},
	    {"Accept-Encoding: *\r\n", 200, "brotli!", "br"},
	    {"Accept-Encoding: *;q=0.5, br;q=0\r\n", 200, "gzip!", "gzip"},
	    {"Accept-Encoding: identity, gzip;q=0.5\r\n", 200, "0123456789", NULL},
	    {"Accept-Encoding: identity;q=0, gzip\r\n", 200, "gzip!", "gzip"},
	    {"Accept-Encoding: identity;q=0\r\n", 406, "406 Not Acceptable\n", NULL},
	    {"Accept-Encoding: identity;q=0, zstd\r\n", 406, "406 Not Acceptable\n", NULL},
	    {"Accept-Encoding: *;q=0\r\n", 406, "406 Not Acceptable\n", NULL},
	    {"Accept-Encoding: gzip\r\nRange: bytes=1-2\r\n", 206, "zi", "gzip"},
	    /* parts would have to say that each is gzip, and no client would read them */
	    {"Accept-Encoding: gzip\r\nRange: bytes=0-1,4-4\r\n", 200, "gzip!", "gzip"},
	    {"Accept-Encoding: gzip\r\nRange: bytes=0-1,2-3\r\n", 206, "gzip", "gzip"},
	    {"Accept-Encoding: gzip\r\nRange: bytes=5-,7-\r\n", 416, "416 Range Not Satisfiable\n",
	     NULL},
	    {"Accept-Encoding: gzip\r\nRange: bytes=5-\r\n", 416, "416 Range Not Satisfiable\n",
	     NULL},
	};
	char tags[3][64], fields[256];
	struct site s;
	(void)state;
	site_begin(&s);
	site_make(&s, "a.txt.gz", "gzip!");
	site_make(&s, "a.txt.br", "brotli!");
	site_folder(&s, "noext.gz");
	s.conf.precompressed_count = 3;
	s.conf.precompressed[0] = CONF_BR;
	s.conf.precompressed[1] = CONF_ZSTD;
	s.conf.precompressed[2] = CONF_GZIP;
	site_serve(&s);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char line[64];
		assert_answer(&s, "GET", "/test/a.txt", cases[i].accept, cases[i].status,
			      cases[i].body);
		const char *out = site_get(&s, "GET", "/test/a.txt", cases[i].accept);
		assert_has(out, "\r\nVary: Accept-Encoding\r\n");
		(void)snprintf(line, sizeof(line), "\r\nContent-Encoding: %s\r\n",
			       cases[i].encoding != NULL ? cases[i].encoding : "");
		if (cases[i].encoding != NULL)
			assert_has(out, line);
		else
			assert_has_not(out, "Content-Encoding");
		if (cases[i].status < 300)
			assert_has(out, "\r\nContent-Type: text/plain; charset=utf-8\r\n");
	}
	/* each has a tag of its own, and is not modified under it alone */
	tag_of(&s, "/test/a.txt", "", tags[0]);
	tag_of(&s, "/test/a.txt", "Accept-Encoding: gzip\r\n", tags[1]);
	tag_of(&s, "/test/a.txt", "Accept-Encoding: br\r\n", tags[2]);
	for (size_t i = 0; i < 3; i++) {
		assert_string_not_equal(tags[i], tags[(i + 1) % 3]);
		(void)snprintf(fields, sizeof(fields),
			       "Accept-Encoding: gzip\r\nIf-None-Match: %s\r\n", tags[i]);
		assert_answer(&s, "GET", "/test/a.txt", fields, i == 1 ? 304 : 200, NULL);
	}
	/* a folder is no sibling, and none is older than its file */
	assert_answer(&s, "GET", "/test/noext", "Accept-Encoding: gzip\r\n", 200, "x");
	const struct timespec times[2] = {{MODIFIED - 1, 0}, {MODIFIED - 1, 0}};
	char path[128];
	(void)snprintf(path, sizeof(path), "%s/a.txt.gz", s.path);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
	assert_answer(&s, "GET", "/test/a.txt", "Accept-Encoding: gzip\r\n", 200, "0123456789");
	/* by its own name it is a file like any other */
	const char *out = site_get(&s, "GET", "/test/a.txt.gz", "");
	assert_has(out, "\r\nContent-Type: application/gzip\r\n");
	assert_has_not(out, "Content-Encoding");
	site_stop(&s);
	site_remove(&s);
}

static void time_set(struct site *s, const char *name, int64_t seconds, long ns)
{
	const struct timespec times[2] = {{seconds, ns}, {seconds, ns}};
	char path[128];
	(void)snprintf(path, sizeof(path), "%s/%s", s->path, name);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* Also by a part of a second, except that some tools keep whole seconds. */
static void an_older_encoding_is_not_sent(void **state)
{
	static const struct {
		long file, sibling;
		int64_t seconds; /* of the sibling, from those of the file on */
		bool sent;
	} cases[] = {
	    {0, 0, 0, true},           {0, 0, -1, false},          {0, 999999999, -1, false},
	    {900, 900, 0, true},       {900, 899, 0, false},       {900, 901, 0, true},
	    {900, 100, 1, true},       {900000000, 200, 0, false}, {900000000, 0, 0, true},
	    {900000000, 0, -1, false},
	};
	struct site s;
	(void)state;
	site_begin(&s);
	site_make(&s, "a.txt.gz", "gzip!");
	s.conf.precompressed_count = 1;
	s.conf.precompressed[0] = CONF_GZIP;
	site_serve(&s);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		time_set(&s, "a.txt", MODIFIED, cases[i].file);
		time_set(&s, "a.txt.gz", MODIFIED + cases[i].seconds, cases[i].sibling);
		const char *out = site_get(&s, "GET", "/test/a.txt", "Accept-Encoding: gzip\r\n");
		assert_string_equal(body_of(out), cases[i].sent ? "gzip!" : "0123456789");
	}
	site_stop(&s);
	site_remove(&s);
}

static void without_precompressed_encodings_are_not_negotiated(void **state)
{
	struct site s;
	(void)state;
	site_begin(&s);
	site_make(&s, "a.txt.gz", "gzip!");
	site_serve(&s);
	assert_answer(&s, "GET", "/test/a.txt", "Accept-Encoding: gzip\r\n", 200, "0123456789");
	assert_answer(&s, "GET", "/test/a.txt", "Accept-Encoding: identity;q=0\r\n", 200,
		      "0123456789");
	assert_has_not(site_get(&s, "GET", "/test/a.txt", "Accept-Encoding: gzip\r\n"), "Vary");
	site_stop(&s);
	site_remove(&s);
}

/* --- files that change ------------------------------------------------------------------------ */

#define BIG ((size_t)200000)

static void big_make(struct site *s, char *path, size_t size)
{
	char *content = malloc(BIG + 1);
	for (size_t i = 0; i < BIG; i++)
		content[i] = (char)('a' + i % 26);
	content[BIG] = '\0';
	site_make(s, "big", content);
	free(content);
	(void)snprintf(path, size, "%s/big", s->path);
}

static void a_file_that_shrinks_ends_the_connection(void **state)
{
	struct site s;
	char path[128];
	(void)state;
	site_begin(&s);
	big_make(&s, path, sizeof(path));
	site_serve(&s);
	peer_add(s.peer, "GET /test/big HTTP/1.1\r\nHost: a\r\n\r\n");
	(void)peer_pull(s.peer);
	assert_int_equal(truncate(path, 20000), 0);
	peer_run(s.peer);
	assert_int_equal(peer_phase(s.peer), PROTO_ABORTED);
	assert_true(s.peer->out_len < 33000);
	const char *body = body_of(peer_out(s.peer));
	for (size_t i = 0; body + i < peer_out(s.peer) + s.peer->out_len; i++)
		assert_int_equal(body[i], 'a' + i % 26);
	site_stop(&s);
	site_remove(&s);
}

static void a_file_that_grows_is_sent_up_to_its_length(void **state)
{
	struct site s;
	char path[128];
	(void)state;
	site_begin(&s);
	big_make(&s, path, sizeof(path));
	site_serve(&s);
	peer_add(s.peer, "GET /test/big HTTP/1.1\r\nHost: a\r\n\r\n");
	(void)peer_pull(s.peer);
	FILE *f = fopen(path, "a");
	(void)fputs("more", f);
	(void)fclose(f);
	peer_run(s.peer);
	assert_int_equal(peer_phase(s.peer), PROTO_IDLE);
	assert_int_equal(strlen(body_of(peer_out(s.peer))), BIG);
	assert_answer(&s, "GET", "/test/a.txt", "", 200, "0123456789");
	site_stop(&s);
	site_remove(&s);
}

static void a_file_that_is_overwritten_ends_the_connection(void **state)
{
	static const char *const fields[] = {"", "Range: bytes=0-199990\r\n",
					     "Range: bytes=0-9,100-199999\r\n"};
	struct site s;
	char path[128], request[128];
	(void)state;
	site_begin(&s);
	for (size_t i = 0; i < 3; i++) {
		site_serve(&s);
		big_make(&s, path, sizeof(path));
		(void)snprintf(request, sizeof(request),
			       "GET /test/big HTTP/1.1\r\nHost: a\r\n%s\r\n", fields[i]);
		peer_add(s.peer, request);
		(void)peer_pull(s.peer);
		FILE *f = fopen(path, "r+");
		(void)fputs("other bytes", f);
		(void)fclose(f);
		peer_run(s.peer);
		assert_int_equal(peer_phase(s.peer), PROTO_ABORTED);
		assert_true(s.peer->out_len < BIG);
		site_stop(&s);
	}
	site_remove(&s);
}

/* A small one, too, whose response waits for its turn on the connection. */
static void a_file_that_is_overwritten_before_it_is_read_ends_the_connection(void **state)
{
	static const char *const fields[] = {"", "Range: bytes=2-4\r\n",
					     "Range: bytes=0-1,5-6\r\n"};
	char path[128], request[128];
	struct site s;
	struct loop loop;
	(void)state;
	site_begin(&s);
	(void)snprintf(path, sizeof(path), "%s/a.txt", s.path);
	assert_int_equal(loop_init(&loop), 0);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		site_make(&s, "a.txt", "0123456789");
		site_serve(&s);
		s.peer->loop.events = &loop;
		(void)snprintf(request, sizeof(request),
			       "GET /test/a.txt HTTP/1.1\r\nHost: a\r\n%s\r\n", fields[i]);
		peer_add(s.peer, request); /* nothing is pulled yet */
		assert_int_equal(peer_phase(s.peer), PROTO_BUSY);
		FILE *f = fopen(path, "r+");
		(void)fputs("other one!", f);
		(void)fclose(f);
		loop.turn++;
		peer_run(s.peer);
		assert_int_equal(peer_phase(s.peer), PROTO_ABORTED);
		assert_null(strstr(peer_out(s.peer), "other"));
		site_stop(&s);
	}
	loop_release(&loop);
	site_remove(&s);
}

static void a_file_that_is_replaced_is_sent_whole(void **state)
{
	struct site s;
	char path[128], other[128];
	(void)state;
	site_begin(&s);
	big_make(&s, path, sizeof(path));
	site_serve(&s);
	peer_add(s.peer, "GET /test/big HTTP/1.1\r\nHost: a\r\n\r\n");
	(void)peer_pull(s.peer);
	site_make(&s, "other", "other");
	(void)snprintf(other, sizeof(other), "%s/other", s.path);
	assert_int_equal(rename(other, path), 0);
	peer_run(s.peer);
	const char *body = body_of(peer_out(s.peer));
	assert_int_equal(strlen(body), BIG);
	for (size_t i = 0; i < BIG; i++)
		assert_int_equal(body[i], 'a' + i % 26);
	assert_answer(&s, "GET", "/test/big", "", 200, "other");
	site_stop(&s);
	site_remove(&s);
}

static void a_tag_changes_with_its_file(void **state)
{
	char before[64], after[64];
	struct site s;
	(void)state;
	site_begin(&s);
	site_serve(&s);
	tag_of(&s, "/test/a.txt", "", before);
	tag_of(&s, "/test/a.txt", "", after);
	assert_string_equal(before, after);
	assert_int_equal(strlen(before), FILES_ETAG_MAX - 2);
	const struct files_file file = {.device = 1, .inode = 2, .size = 3, .modified = 4};
	struct files_file others[] = {file, file, file, file, file, file, file, file};
	others[0].device = 2;
	others[1].inode = 1;
	others[2].size = 2;
	others[3].modified = 5;
	others[4].modified_ns = 1;
	others[5].coding = HTTP_BR;
	others[6].changed = 1;
	others[7].changed_ns = 1;
	const size_t len = files_etag(&file, true, before);
	assert_int_equal(len, FILES_ETAG_MAX - 2);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		assert_int_equal(files_etag(&others[i], true, after), len);
		assert_memory_not_equal(before, after, len);
	}
	/* a weak one is not the strong one of the same file */
	assert_int_equal(files_etag(&file, false, after), FILES_ETAG_MAX);
	assert_memory_equal(after, "W/\"", 3);
	assert_memory_not_equal(after + 2, before, len);
	site_stop(&s);
	site_remove(&s);
}

/* RFC 9110, 8.8.1: a file that could change once more and keep its times has no strong tag. */
static void a_file_is_settled_when_its_next_change_has_another_time(void **state)
{
	static const uint64_t ms = 1000000, grain = 10 * 1000000;
	static const struct {
		int64_t changed;
		uint64_t changed_ns;
		int64_t now;
		uint64_t now_ns, grain;
		bool settled;
	} cases[] = {
	    {1000, 500 * ms, 1000, 509 * ms, grain, false},
	    {1000, 500 * ms, 1000, 511 * ms, grain, true},
	    {1000, 999 * ms, 1001, 1 * ms, grain, false},
	    {1000, 999 * ms, 1001, 10 * ms, grain, true},
	    {1000, 500 * ms, 1000, 500 * ms, 0, true}, /* each change has a time of its own */
	    {1000, 500 * ms, 999, 0, 0, true},
	    {1000, 500 * ms, 1000, 400 * ms, grain, false}, /* the clock of another machine */
	    {2000, 500 * ms, 1000, 0, grain, false},
	    {1000, 0, 1001, 999 * ms, 0, false}, /* a file system that keeps whole seconds */
	    {1000, 0, 1002, 1, 0, true},
	    {1000, 0, 9000, 0, grain, true},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct files_file file = {.changed = cases[i].changed,
						.changed_ns = (uint32_t)cases[i].changed_ns};
		const struct timespec now = {cases[i].now, (long)cases[i].now_ns};
		if (files_settled(&file, &now, cases[i].grain) != cases[i].settled)
			fail_msg("case %zu", i);
	}
}

static void a_new_file_has_a_weak_tag_on_a_coarse_clock(void **state)
{
	char before[64], after[64], fields[128];
	struct site s;
	(void)state;
	site_begin(&s);
	s.means.file_grain_ns = UINT64_C(2000000000);
	site_serve(&s);
	site_make(&s, "a.txt", "0123456789"); /* just now */
	tag_of(&s, "/test/a.txt", "", before);
	assert_memory_equal(before, "W/\"", 3);
	(void)snprintf(fields, sizeof(fields), "If-None-Match: %s\r\n", before);
	assert_answer(&s, "GET", "/test/a.txt", fields, 304, "");
	(void)snprintf(fields, sizeof(fields), "If-Range: %s\r\nRange: bytes=0-1\r\n", before);
	assert_answer(&s, "GET", "/test/a.txt", fields, 200, "0123456789");
	(void)snprintf(fields, sizeof(fields), "If-Match: %s\r\n", before);
	assert_answer(&s, "GET", "/test/a.txt", fields, 412, NULL);
	site_stop(&s);
	/* later: what changed meanwhile would not have been seen, so that tag is none of it */
	s.means.file_grain_ns = 0;
	site_serve(&s);
	tag_of(&s, "/test/a.txt", "", after);
	assert_int_equal(after[0], '"');
	(void)snprintf(fields, sizeof(fields), "If-None-Match: %s\r\n", before);
	assert_answer(&s, "GET", "/test/a.txt", fields, 200, "0123456789");
	site_stop(&s);
	site_remove(&s);
}

/* --- folders ---------------------------------------------------------------------------------- */

static void a_folder_is_listed(void **state)
{
	struct site s;
	(void)state;
	site_begin(&s);
	s.conf.listing = true;
	s.conf.index_count = 0;
	site_make(&s, "<b>\"'&.txt", "escaped");
	site_make(&s, "a:b", "colon");
	site_serve(&s);
	const char *out = site_get(&s, "GET", "/test/", "");
	assert_has(out, "HTTP/1.1 200 OK\r\n");
	assert_has(out, "\r\nContent-Type: text/html; charset=utf-8\r\n");
	assert_has(out, "\r\nVary: Accept\r\n");
	assert_has(out, "<a href=\"./a.txt\">a.txt</a>");
	assert_has(out, "<a href=\"./a%20b&amp;c.txt\">a b&amp;c.txt</a>");
	assert_has(out, "<a href=\"./%3Cb%3E%22&#39;&amp;.txt\">&lt;b&gt;&quot;&#39;&amp;.txt</a>");
	assert_has(out, "<a href=\"./a:b\">a:b</a>");
	assert_has(out, "<a href=\"./%FF%FE.txt\">\xef\xbf\xbd\xef\xbf\xbd.txt</a>");
	assert_has(out, "<a href=\"./back%5Cslash\">back\\slash</a>");
	assert_has(out, "<a href=\"./sub/\">sub/</a>");
	assert_has(out, "<a href=\"./linked/\">linked/</a>");
	assert_has(out, "<a href=\"./link.txt\">link.txt</a>");
	assert_has(out, "<a href=\"../\">../</a>");
	assert_has(out, "<td>1992-03-07 20:26</td>");
	assert_has_not(out, "hidden");
	assert_has_not(out, ".git");
	assert_has_not(out, "fifo");
	assert_has_not(out, "socket");
	assert_has_not(out, "outside");
	assert_has_not(out, "loop1");
	assert_has_not(out, "<script");
	assert_true(strstr(out, "./sub/") < strstr(out, "./a.txt")); /* folders first */
	out = site_get(&s, "GET", "/test/?sort=size&order=desc", "");
	assert_true(strstr(out, "./a.txt") < strstr(out, "./empty.txt"));
	out = site_get(&s, "GET", "/test/?sort=size&order=asc", "");
	assert_true(strstr(out, "./a.txt") > strstr(out, "./empty.txt"));
	out = site_get(&s, "GET", "/test/", "Accept: application/json\r\n");
	assert_has(out, "\r\nContent-Type: application/json\r\n");
	assert_has(out, "{\"name\":\"a.txt\",\"href\":\"./a.txt\",\"type\":\"file\",\"size\":10,"
			"\"modified\":\"1992-03-07T20:26:40Z\"}");
	assert_has(out, "\"complete\":true}");
	assert_answer(&s, "HEAD", "/test/", "", 200, "");
	assert_answer(&s, "GET", "/test/", "If-Match: \"x\"\r\n", 412, NULL);
	assert_answer(&s, "GET", "/test/", "If-None-Match: *\r\n", 304, "");
	assert_answer(&s, "GET", "/test/", "Range: bytes=0-1\r\n", 200, NULL);
	assert_answer(&s, "GET", "/test/none/", "", 404, NOT_FOUND);
	site_stop(&s);
	site_remove(&s);
}

/* Without descriptors there is no list, rather than one that lacks entries. */
static void a_list_without_descriptors_is_refused(void **state)
{
	struct site s;
	struct rlimit limit;
	(void)state;
	site_begin(&s);
	s.conf.listing = true;
	s.conf.index_count = 0;
	site_serve(&s);
	const int next = dup(s.root.fd);
	assert_true(next >= 0);
	(void)close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	const struct rlimit low = {.rlim_cur = (rlim_t)next + 1, .rlim_max = limit.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0); /* the folder has the last one */
	const char *out = site_get(&s, "GET", "/test/", "");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_memory_equal(out, "HTTP/1.1 503 ", 13);
	assert_answer(&s, "GET", "/test/", "", 200, NULL);
	site_stop(&s);
	site_remove(&s);
}

static void a_list_is_bounded(void **state)
{
	struct files_page page;
	const struct files_file file = {.size = 1536, .is_regular = true};
	char name[32];
	uint8_t out[1024];
	long n;
	bool cut_is_said = false;
	(void)state;
	files_page_init(&page, "/", 1, true);
	for (unsigned i = 0; i < FILES_LISTED_MAX; i++) {
		const int len = snprintf(name, sizeof(name), "%u", i);
		assert_int_equal(files_page_add(&page, name, (size_t)len, &file), 0);
	}
	assert_int_equal(files_page_add(&page, "x", 1, &file), -ENOSPC);
	files_page_sort(&page);
	while ((n = files_page_give(&page, out, sizeof(out) - 1)) > 0) {
		out[n] = '\0';
		cut_is_said |= strstr((char *)out, "\"complete\":false") != NULL;
	}
	assert_int_equal(n, GIVE_END);
	assert_true(cut_is_said);
	files_page_release(&page);
}

/* Gives the whole page in pieces; the caller frees it. */
static char *page_text(struct files_page *page)
{
	char *text = NULL;
	size_t len = 0;
	uint8_t out[1000];
	long n;
	FILE *f = open_memstream(&text, &len);
	while ((n = files_page_give(page, out, sizeof(out))) > 0)
		assert_int_equal(fwrite(out, 1, (size_t)n, f), n);
	(void)fclose(f);
	assert_int_equal(n, GIVE_END);
	return text;
}

/* Its lines end between values alone. */
static void assert_json(char *text)
{
	char *to = text;
	for (const char *from = text; *from != '\0'; from++)
		if (*from != '\n' || from[1] == '\0')
			*to++ = *from;
	*to = '\0';
	assert_true(json_check(text, strlen(text)));
}

/* Other file systems have names of up to 255 characters of up to four bytes. */
static void names_of_other_file_systems_are_listed(void **state)
{
	static char names[3][2000];
	const struct files_file file = {.size = 1, .is_regular = true};
	(void)state;
	memset(names[0], '"', 1020);
	memset(names[1], '\xff', 300);
	memset(names[2], 'x', 1999); /* no file system has it */
	for (unsigned json = 0; json < 2; json++) {
		struct files_page page;
		files_page_init(&page, "/", 1, json);
		for (size_t i = 0; i < 3; i++)
			assert_int_equal(files_page_add(&page, names[i], strlen(names[i]), &file),
					 0);
		assert_true(page.cut);
		assert_int_equal(files_page_add(&page, "z", 1, &file), 0);
		files_page_sort(&page);
		char *text = page_text(&page);
		if (json)
			assert_json(text);
		assert_non_null(strstr(text, "\"./%22%22"));
		assert_non_null(strstr(text, "\"./%FF%FF"));
		assert_non_null(strstr(text, "\"./z\""));
		assert_null(strstr(text, "xxxx"));
		free(text);
		files_page_release(&page);
	}
}

static void the_longest_path_is_shown(void **state)
{
	static char path[8192];
	struct files_page page;
	(void)state;
	memset(path, '"', sizeof(path));
	for (size_t i = 0; i < sizeof(path); i += 256)
		path[i] = '/';
	for (unsigned json = 0; json < 2; json++) {
		files_page_init(&page, path, sizeof(path), json);
		char *text = page_text(&page);
		assert_non_null(strstr(text, json ? "\"complete\":true}" : "</html>"));
		free(text);
		files_page_release(&page);
	}
}

static void sizes_are_rounded_down(void **state)
{
	static const struct {
		uint64_t size;
		const char *shown;
	} cases[] = {
	    {0, ">0<"},
	    {1023, ">1023<"},
	    {1024, ">1.0 K<"},
	    {1536, ">1.5 K<"},
	    {10239, ">9.9 K<"},
	    {10240, ">10 K<"},
	    {1048575, ">1023 K<"},
	    {1048576, ">1.0 M<"},
	    {UINT64_C(5) << 30, ">5.0 G<"},
	    {UINT64_C(1) << 60, ">1.0 E<"},
	    {UINT64_C(3) << 61, ">6.0 E<"},
	    {INT64_MAX, ">7.9 E<"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct files_file file = {.size = cases[i].size, .is_regular = true};
		struct files_page page;
		files_page_init(&page, "/", 1, false);
		assert_int_equal(files_page_add(&page, "a", 1, &file), 0);
		char *text = page_text(&page);
		assert_has(text, cases[i].shown);
		free(text);
		files_page_release(&page);
	}
}

/* Not under names that are too long with an index: shorter ones are tried, and the name is as it
 * was. */
static void an_index_that_is_too_long_is_none(void **state)
{
	const char *long_first[] = {LONG_255, "index.html"};
	char folder[4096] = "", path[4200], target[4200];
	size_t len = 0;
	struct site s;
	(void)state;
	site_begin(&s);
	s.conf.index = long_first;
	site_serve(&s);
	assert_answer(&s, "GET", "/test/", "", 200, "<p>index");
	assert_answer(&s, "GET", "/test/sub/", "", 403, NULL);
	for (unsigned i = 0; i < 15; i++) {
		len += (size_t)snprintf(folder + len, sizeof(folder) - len, "%s" LONG_255,
					i > 0 ? "/" : "");
		site_folder(&s, folder);
	}
	(void)snprintf(folder + len, sizeof(folder) - len, "/deep");
	site_folder(&s, folder);
	(void)snprintf(path, sizeof(path), "%s/index.html", folder);
	site_make(&s, path, "deep");
	(void)snprintf(target, sizeof(target), "/test/%s/", folder);
	assert_answer(&s, "GET", target, "", 200, "deep");
	site_stop(&s);
	site_remove(&s);
}

static void a_packed_picture_says_so(void **state)
{
	struct site s;
	const char *own[] = {"svgz"};
	struct conf_media_type type = {"application/x-own", own, 1};
	(void)state;
	site_begin(&s);
	site_make(&s, "a.svgz", "packed");
	site_make(&s, "a.svgz.gz", "twice");
	site_make(&s, "b.SVGZ", "packed");
	site_make(&s, "svgz", "plain");
	for (unsigned precompressed = 0; precompressed < 2; precompressed++) {
		s.conf.precompressed_count = precompressed;
		s.conf.precompressed[0] = CONF_GZIP;
		site_serve(&s);
		static const char *const targets[] = {"/test/a.svgz", "/test/b.SVGZ"};
		for (size_t i = 0; i < 2; i++) {
			const char *out =
			    site_get(&s, "GET", targets[i], "Accept-Encoding: gzip\r\n");
			assert_has(out, "\r\nContent-Type: image/svg+xml\r\n");
			assert_has(out, "\r\nContent-Encoding: gzip\r\n");
			assert_string_equal(body_of(out), "packed");
		}
		assert_answer(&s, "GET", "/test/a.svgz", "Range: bytes=1-2\r\n", 206, "ac");
		assert_answer(&s, "GET", "/test/a.svgz", "Range: bytes=0-0,2-2\r\n", 200, "packed");
		assert_has_not(site_get(&s, "GET", "/test/svgz", ""), "Content-Encoding");
		site_stop(&s);
	}
	s.conf.types = &type;
	s.conf.types_count = 1;
	site_serve(&s);
	assert_has_not(site_get(&s, "GET", "/test/a.svgz", ""), "Content-Encoding");
	site_stop(&s);
	site_remove(&s);
}

/* --- file systems ------------------------------------------------------------------------------
 */

/* Reads the first bytes of an open file of another file system as if it were of the site. */
static void other_read(struct site *s, struct loop *loop, int fd, uint64_t device)
{
	struct exchange *ex = exchange_acquire(&s->peer->loop, NULL, NULL);
	struct files_reading reading = {
	    .fd = fd, .end = 5, .device = device, .local = s->locals[1]};
	uint8_t out[5];
	s->peer->loop.events = loop;
	assert_int_equal(files_read(&reading, ex, out, sizeof(out)), 5);
	assert_memory_equal(out, "Linux", 5);
	exchange_drop(ex);
}

/* A client that asks for a file of a mount beneath the root makes the others no slower. */
static void one_file_system_that_waits_is_not_all(void **state)
{
	struct site s;
	struct loop loop;
	struct stat proc, own;
	struct iovec vector = {.iov_base = &proc, .iov_len = 5};
	(void)state;
	site_begin(&s);
	assert_int_equal(loop_init(&loop), 0);
	const int fd = open("/proc/version", O_RDONLY);
	assert_int_equal(preadv2(fd, &vector, 1, 0, RWF_NOWAIT), -1);
	assert_int_equal(fstat(fd, &proc), 0);
	assert_int_equal(fstatat(s.root.fd, "a.txt", &own, 0), 0);
	site_serve(&s);
	const struct files_local *local = s.locals[1];
	s.peer->loop.events = &loop;
	assert_answer(&s, "GET", "/test/a.txt", "", 200, "0123456789");
	const uint64_t before = local->waits_on;
	assert_int_not_equal(before, proc.st_dev);
	other_read(&s, &loop, fd, proc.st_dev);
	assert_int_equal(local->waits_on, proc.st_dev);
	other_read(&s, &loop, fd, proc.st_dev); /* without asking again */
	assert_answer(&s, "GET", "/test/a.txt", "", 200, "0123456789");
	/* where the site's own file system waits, it is the one that is known again */
	assert_true(local->waits_on == proc.st_dev || local->waits_on == own.st_dev);
	(void)close(fd);
	site_stop(&s);
	loop_release(&loop);
	site_remove(&s);
}

/* --- with an event loop ----------------------------------------------------------------------- */

/* Runs until the present request is answered. */
static void site_finish(struct site *s, struct loop *loop)
{
	peer_run(s->peer);
	for (unsigned i = 0; i < 10000 && peer_phase(s->peer) == PROTO_BUSY; i++) {
		assert_int_equal(loop_turn(loop, 1000), 0);
		peer_run(s->peer);
	}
	assert_int_equal(peer_phase(s->peer), PROTO_IDLE);
}

/* Drops the file from the page cache, where the file system lets it. */
static void file_cool(const char *path)
{
	const int fd = open(path, O_RDONLY);
	assert_int_equal(fsync(fd), 0);
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	(void)close(fd);
}

static void a_cold_file_is_sent_when_the_disk_has_it(void **state)
{
	struct site s;
	struct loop loop;
	char path[128];
	(void)state;
	site_begin(&s);
	big_make(&s, path, sizeof(path));
	assert_int_equal(loop_init(&loop), 0);
	site_serve(&s);
	s.peer->loop.events = &loop;
	for (unsigned round = 0; round < 3; round++) {
		file_cool(path);
		peer_out_clear(s.peer);
		peer_add(s.peer, "GET /test/big HTTP/1.1\r\nHost: a\r\n\r\n");
		site_finish(&s, &loop);
		const char *body = body_of(peer_out(s.peer));
		assert_int_equal(strlen(body), BIG);
		for (size_t i = 0; i < BIG; i++)
			assert_int_equal(body[i], 'a' + i % 26);
	}
	file_cool(path);
	peer_out_clear(s.peer);
	peer_add(s.peer, "GET /test/big HTTP/1.1\r\nHost: a\r\n"
			 "Range: bytes=150000-199999,0-9,50000-59999\r\n\r\n");
	site_finish(&s, &loop);
	assert_has(peer_out(s.peer), "Content-Range: bytes 0-9/200000\r\n\r\nabcdefghij\r\n--");
	/* the client leaves while the disk is read */
	file_cool(path);
	peer_add(s.peer, "GET /test/big HTTP/1.1\r\nHost: a\r\n\r\n");
	(void)peer_pull(s.peer);
	site_stop(&s);
	assert_int_equal(loop.timers, 0);
	loop_release(&loop);
	site_remove(&s);
}

/* It was opened, and is removed before it is read: there is no such folder. */
/* The path with a slash is not the location's, so it is no help to redirect there. */
static void a_folder_at_an_exact_location_is_answered_there(void **state)
{
	struct site s;
	(void)state;
	site_begin(&s);
	site_prepare(&s);
	struct files_config *config = (void *)(uintptr_t)s.peer->location.config;
	config->exact = true;
	site_open(&s);
	assert_answer(&s, "GET", "/test", "", 200, "<p>index");
	assert_answer(&s, "GET", "/test/web", "", 200, "second");
	assert_answer(&s, "GET", "/test/sub", "", 403, "403 Forbidden\n");
	site_stop(&s);
	site_remove(&s);
}

static void a_folder_that_goes_is_not_found(void **state)
{
	struct site s;
	struct loop loop;
	char path[128];
	(void)state;
	site_begin(&s);
	s.conf.listing = true;
	site_folder(&s, "gone");
	assert_int_equal(loop_init(&loop), 0);
	site_serve(&s);
	s.peer->loop.events = &loop;
	peer_add(s.peer, "GET /test/gone/ HTTP/1.1\r\nHost: a\r\n\r\n");
	(void)snprintf(path, sizeof(path), "%s/gone", s.path);
	assert_int_equal(rmdir(path), 0);
	site_finish(&s, &loop);
	const char *out = peer_out(s.peer);
	assert_has(out, "HTTP/1.1 404 Not Found\r\n");
	assert_string_equal(body_of(out), NOT_FOUND);
	assert_int_equal(((struct files_local *)s.locals[1])->common->lists.bytes, 0);
	assert_answer(&s, "GET", "/test/a.txt", "", 200, "0123456789");
	site_stop(&s);
	loop_release(&loop);
	site_remove(&s);
}

static void a_large_folder_is_read_in_several_turns(void **state)
{
	struct site s;
	struct loop loop;
	char name[32];
	(void)state;
	site_begin(&s);
	s.conf.listing = true;
	s.conf.index_count = 0;
	for (unsigned i = 0; i < 3000; i++) {
		(void)snprintf(name, sizeof(name), "sub/%04u", i);
		site_make(&s, name, "");
	}
	assert_int_equal(loop_init(&loop), 0);
	site_serve(&s);
	s.peer->loop.events = &loop;
	peer_add(s.peer, "GET /test/sub/ HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\n\r\n");
	site_finish(&s, &loop);
	assert_has(peer_out(s.peer), "\"./0000\"");
	assert_has(peer_out(s.peer), "\"./2999\"");
	assert_has(peer_out(s.peer), "\"complete\":true");
	/* no more than so many at a time, and the client leaves while they are read */
	struct files_lists *lists = &((struct files_local *)s.locals[1])->common->lists;
	assert_int_equal(lists->count, 0);
	lists->count = FILES_LISTS_MAX;
	const char *out = site_get(&s, "GET", "/test/sub/", "");
	assert_memory_equal(out, "HTTP/1.1 503 ", 13);
	assert_has(out, "\r\nRetry-After: 1\r\n");
	lists->count = 0;
	peer_add(s.peer, "GET /test/sub/ HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_int_equal(lists->count, 1);
	struct peer *p = s.peer;
	p->http1.proto.ops->release(&p->http1.proto);
	assert_int_equal(lists->count, 0);
	assert_int_equal(lists->bytes, 0);
	site_stop(&s);
	loop_release(&loop);
	site_remove(&s);
}

/* A place is for reading: a client that does not take its list keeps only memory, which it loses
 * when others want it. */
static void a_client_that_does_not_read_its_list_keeps_nobody_out(void **state)
{
	struct site s;
	struct loop loop;
	char name[300];
	(void)state;
	site_begin(&s);
	s.conf.listing = true;
	for (unsigned i = 0; i < 1000; i++) {
		(void)snprintf(name, sizeof(name), "sub/%0200u", i);
		site_make(&s, name, "");
	}
	assert_int_equal(loop_init(&loop), 0);
	site_serve(&s);
	s.peer->loop.events = &loop;
	struct files_lists *lists = &((struct files_local *)s.locals[1])->common->lists;
	peer_add(s.peer, "GET /test/sub/ HTTP/1.1\r\nHost: a\r\n\r\n");
	while (lists->bytes == 0 || lists->count > 0)
		assert_int_equal(loop_turn(&loop, 1000), 0);
	assert_in_range(lists->bytes, 200000, 300000); /* 200 bytes each, and no room for more */
	assert_true(peer_pull(s.peer) > 0);
	/* now others want all of it */
	const size_t others = FILES_LISTS_BYTES;
	lists->bytes += others;
	assert_false(files_lists_make_room(lists, loop.now_ms));
	assert_in_range(lists->bytes, others + 200000, others + 300000);
	loop.now_ms += 2000;
	assert_false(files_lists_make_room(lists, loop.now_ms));
	assert_in_range(lists->bytes, others, others + 8192);
	lists->bytes -= others;
	peer_run(s.peer);
	assert_int_equal(peer_phase(s.peer), PROTO_ABORTED);
	site_stop(&s);
	loop_release(&loop);
	site_remove(&s);
}

/* An absolute link takes a walk, for which the disk may be needed, like a name that is not cached.
 */
static void a_file_that_is_not_cached_is_opened_in_a_later_turn(void **state)
{
	struct site s;
	struct loop loop;
	char target[128];
	(void)state;
	site_begin(&s);
	(void)snprintf(target, sizeof(target), "%s/a.txt", s.path);
	site_link(&s, target, "walk.txt");
	site_link(&s, "/etc/passwd", "away");
	assert_int_equal(loop_init(&loop), 0);
	site_serve(&s);
	s.peer->loop.events = &loop;
	const struct files_queue *cold = &((struct files_local *)s.locals[1])->common->cold;
	assert_string_equal(site_get(&s, "GET", "/test/walk.txt", ""), "");
	assert_false(TAILQ_EMPTY(&cold->waiters));
	site_finish(&s, &loop);
	assert_string_equal(body_of(peer_out(s.peer)), "0123456789");
	assert_true(TAILQ_EMPTY(&cold->waiters));
	/* an answer without a handler's end, and a client that leaves */
	assert_string_equal(site_get(&s, "GET", "/test/away", ""), "");
	site_finish(&s, &loop);
	assert_memory_equal(peer_out(s.peer), "HTTP/1.1 404 ", 13);
	assert_string_equal(site_get(&s, "GET", "/test/walk.txt", ""), "");
	struct peer *p = s.peer;
	p->http1.proto.ops->release(&p->http1.proto);
	assert_true(TAILQ_EMPTY(&cold->waiters));
	assert_int_equal(loop_turn(&loop, 0), 0);
	site_stop(&s);
	loop_release(&loop);
	site_remove(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_path_has_its_answer),
	    cmocka_unit_test(options_change_what_is_found),
	    cmocka_unit_test(a_redirect_keeps_the_path_and_the_query),
	    cmocka_unit_test(a_response_says_what_the_file_is),
	    cmocka_unit_test(head_has_the_head_of_get),
	    cmocka_unit_test(a_time_in_the_future_is_the_present),
	    cmocka_unit_test(other_methods_are_not_allowed),
	    cmocka_unit_test(conditions_come_before_ranges),
	    cmocka_unit_test(not_modified_has_what_a_cache_needs),
	    cmocka_unit_test(several_ranges_are_parts),
	    cmocka_unit_test(the_encoding_is_the_one_that_is_wanted_most),
	    cmocka_unit_test(an_older_encoding_is_not_sent),
	    cmocka_unit_test(without_precompressed_encodings_are_not_negotiated),
	    cmocka_unit_test(a_file_that_shrinks_ends_the_connection),
	    cmocka_unit_test(a_file_that_grows_is_sent_up_to_its_length),
	    cmocka_unit_test(a_file_that_is_overwritten_before_it_is_read_ends_the_connection),
	    cmocka_unit_test(a_file_that_is_replaced_is_sent_whole),
	    cmocka_unit_test(a_file_that_is_overwritten_ends_the_connection),
	    cmocka_unit_test(a_tag_changes_with_its_file),
	    cmocka_unit_test(a_file_is_settled_when_its_next_change_has_another_time),
	    cmocka_unit_test(a_new_file_has_a_weak_tag_on_a_coarse_clock),
	    cmocka_unit_test(a_folder_is_listed),
	    cmocka_unit_test(a_list_without_descriptors_is_refused),
	    cmocka_unit_test(a_list_is_bounded),
	    cmocka_unit_test(names_of_other_file_systems_are_listed),
	    cmocka_unit_test(the_longest_path_is_shown),
	    cmocka_unit_test(sizes_are_rounded_down),
	    cmocka_unit_test(an_index_that_is_too_long_is_none),
	    cmocka_unit_test(a_packed_picture_says_so),
	    cmocka_unit_test(a_folder_at_an_exact_location_is_answered_there),
	    cmocka_unit_test(a_folder_that_goes_is_not_found),
	    cmocka_unit_test(one_file_system_that_waits_is_not_all),
	    cmocka_unit_test(a_cold_file_is_sent_when_the_disk_has_it),
	    cmocka_unit_test(a_large_folder_is_read_in_several_turns),
	    cmocka_unit_test(a_client_that_does_not_read_its_list_keeps_nobody_out),
	    cmocka_unit_test(a_file_that_is_not_cached_is_opened_in_a_later_turn),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

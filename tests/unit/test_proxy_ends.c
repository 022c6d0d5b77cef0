/* Whatever a request through the handler `proxy` is doing, either side may end it: nothing is left
 * then, no descriptor, no memory (a sanitizer looks), and no count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>

#include "proxied.h"

#define OK "HTTP/1.1 200 OK\r\n"

/* Steps begin with who says something, ">" the client, "<" the upstream, "!" nobody: a turn. */
static const char *const plain[] = {">GET / HTT",
				    ">P/1.1\r\n" H "\r\n",
				    "!",
				    "!",
				    "<HTTP/1.1 20",
				    "<0 OK\r\nContent-Length: 5\r\n\r\nhe",
				    "!",
				    "<llo",
				    "!",
				    NULL};
static const char *const upload[] = {">POST / HTTP/1.1\r\n" H "Content-Length: 6\r\n\r\n",
				     "!",
				     ">abc",
				     "!",
				     ">def",
				     "!",
				     "<" OK "Content-Length: 0\r\n\r\n",
				     "!",
				     NULL};
static const char *const chunks[] = {
    ">POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    "!",
    "<" OK "Transfer-Encoding: chunked\r\nTrailer: A\r\n\r\n3\r\nxyz\r\n",
    ">2\r\nde\r\n",
    "<2\r\nuv\r\n",
    ">0\r\nA: b\r\n",
    "<0\r\nA: b\r\n",
    ">\r\n",
    "<\r\n",
    "!",
    NULL};
static const char *const expects[] = {">POST / HTTP/1.1\r\n" H
				      "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n",
				      "!",
				      "<HTTP/1.1 100 Continue\r\n\r\n",
				      "!",
				      ">abc",
				      "!",
				      "<HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
				      "!",
				      "<" OK "Content-Length: 0\r\n\r\n",
				      "!",
				      NULL};
static const char *const early[] = {">POST / HTTP/1.1\r\n" H "Content-Length: 6\r\n\r\nabc",
				    "!",
				    "<HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nn",
				    "!",
				    "<o",
				    "!",
				    ">def",
				    "!",
				    NULL};
static const char *const closing[] = {
    ">GET / HTTP/1.1\r\n" H "\r\n", "!", "<HTTP/1.0 200 OK\r\n\r\nabc", "!", "<def", "!", NULL};
static const char *const tunnel[] = {
    ">GET / HTTP/1.1\r\n" H "Upgrade: x\r\nConnection: upgrade\r\n\r\n",
    "!",
    "<HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nhi",
    "!",
    ">you",
    "<me",
    "!",
    NULL};
static const char *const wrong[] = {">GET / HTTP/1.1\r\n" H "\r\n", "!",
				    "<" OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabcX", "!",
				    NULL};

static const char *const *const scripts[] = {plain, upload,  chunks, expects,
					     early, closing, tunnel, wrong};

/* How a run ends after its last step. */
enum ending {
	CLIENT_CLOSES,
	CLIENT_HALF_CLOSES,
	UPSTREAM_CLOSES,
	UPSTREAM_HALF_CLOSES,
	BOTH_CLOSE,
	WORKER_DRAINS,
	NOTHING,
	ENDINGS
};

static unsigned descriptors(void)
{
	unsigned count = 0;
	DIR *d = opendir("/proc/self/fd");
	assert_non_null(d);
	while (readdir(d) != NULL)
		count++;
	closedir(d);
	return count;
}

static void try_say(int fd, const char *text)
{
	if (fd >= 0)
		(void)send(fd, text, strlen(text), MSG_NOSIGNAL);
}

static void swallow(int fd)
{
	char bytes[4096];
	while (fd >= 0 && read(fd, bytes, sizeof(bytes)) > 0)
		;
}

static void finish(enum ending ending, int *client)
{
	const unsigned last = g.links_count - 1;
	switch (ending) {
	case CLIENT_CLOSES:
	case BOTH_CLOSE:
		fd_close(client);
		if (ending == BOTH_CLOSE && g.links_count > 0)
			far_end(last);
		break;
	case CLIENT_HALF_CLOSES:
		(void)shutdown(*client, SHUT_WR);
		break;
	case UPSTREAM_CLOSES:
		if (g.links_count > 0)
			far_end(last);
		break;
	case UPSTREAM_HALF_CLOSES:
		if (g.links_count > 0)
			(void)shutdown(g.links[last], SHUT_WR);
		break;
	case WORKER_DRAINS:
		g.loop->http.drain_ms = 2;
		g.worker.phase = WORKER_DRAINING;
		worker_loop_follow(g.loop);
		break;
	case NOTHING:
	case ENDINGS:
		break;
	}
}

static void run(const char *const *script, unsigned steps, enum ending ending, bool silent)
{
	void *state = NULL;
	(void)gateway_prepare(&state);
	g.silent = silent;
	gateway_open();
	int client = client_new();
	for (unsigned i = 0; i < steps; i++) {
		if (script[i][0] == '>')
			try_say(client, script[i] + 1);
		if (script[i][0] == '<' && g.links_count > 0)
			try_say(g.links[g.links_count - 1], script[i] + 1);
		gateway_turns(1);
	}
	finish(ending, &client);
	for (int i = 0; i < 4; i++) {
		gateway_turns(2);
		swallow(client);
		for (unsigned k = 0; k < g.links_count; k++)
			swallow(g.links[k]);
	}
	fd_close(&client);
	(void)gateway_close(&state);
}

static void whoever_ends_it_nothing_is_left(void **state)
{
	const unsigned before = descriptors();
	(void)state;
	for (size_t s = 0; s < sizeof(scripts) / sizeof(scripts[0]); s++)
		for (unsigned steps = 0; steps == 0 || scripts[s][steps - 1] != NULL; steps++)
			for (enum ending e = 0; e < ENDINGS; e++) {
				run(scripts[s], steps, e, false);
				assert_int_equal(descriptors(), before);
			}
}

static void nor_while_a_connection_is_awaited(void **state)
{
	const unsigned before = descriptors();
	(void)state;
	for (unsigned steps = 0; steps < 4; steps++)
		for (enum ending e = 0; e < ENDINGS; e++) {
			run(plain, steps, e, true);
			run(upload, steps, e, true);
			assert_int_equal(descriptors(), before);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(whoever_ends_it_nothing_is_left),
	    cmocka_unit_test(nor_while_a_connection_is_awaited),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

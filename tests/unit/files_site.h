/* A folder that is made for a test, and the handler files that serves it to a peer
 * (tests/http_peer.h). */
#ifndef UNIT_FILES_SITE_H
#define UNIT_FILES_SITE_H

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../http_peer.h"
#include "base/holding.h"
#include "base/root.h"
#include "conf/conf.h"
#include "handler/files.h"

extern const struct handler_kind handler_kind_files;

#define SITE_PATH_MAX 8192

struct site {
	char path[64];
	struct root root;
	struct media_table types;
	struct conf_files conf;
	struct conf_location location;
	struct handler_means means;
	struct loop events;
	struct holdings holdings;
	struct peer *peer;
	void *locals[2];
};

/* --- the folder ------------------------------------------------------------------------------- */

/* An empty folder; the template is that of mkdtemp(3). */
static inline void site_make_empty(struct site *s, const char *template)
{
	*s = (struct site){.events.epoll_fd = -1};
	(void)snprintf(s->path, sizeof(s->path), "%s", template);
	assert_non_null(mkdtemp(s->path));
	s->root = (struct root){.fd = open(s->path, O_RDONLY | O_DIRECTORY),
				.rest = "",
				.written = s->path,
				.real = s->path};
	assert_int_equal(media_add_known(&s->types), 0);
}

static inline void site_remove(struct site *s)
{
	char command[128];
	(void)snprintf(command, sizeof(command), "rm -rf %s", s->path);
	assert_int_equal(system(command), 0);
	(void)close(s->root.fd);
	media_release(&s->types);
}

static inline void path_of(const struct site *s, const char *name, char path[SITE_PATH_MAX])
{
	(void)snprintf(path, SITE_PATH_MAX, "%s/%s", s->path, name);
}

static inline void site_write(const struct site *s, const char *name, const char *content)
{
	char path[SITE_PATH_MAX];
	path_of(s, name, path);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	(void)fputs(content, f);
	(void)fclose(f);
}

static inline void site_folder(const struct site *s, const char *name)
{
	char path[SITE_PATH_MAX];
	path_of(s, name, path);
	assert_int_equal(mkdir(path, 0755), 0);
}

static inline void site_link(const struct site *s, const char *target, const char *name)
{
	char path[SITE_PATH_MAX];
	path_of(s, name, path);
	(void)unlink(path);
	assert_int_equal(symlink(target, path), 0);
}

/* --- serving ---------------------------------------------------------------------------------- */

/* With the options that conf has by now; the test may change the loop before site_open(). */
static inline void site_prepare(struct site *s)
{
	struct peer *p = peer_new();
	s->location = (struct conf_location){.path = (char *)"/test", .options = &s->conf};
	s->means.roots = &s->root;
	s->means.types = &s->types;
	p->location = (struct http_location){
	    .path_len = 5,
	    .handler = handler_kind_files.handler,
	    .config = handler_kind_files.make(&s->location, &s->means),
	    .local = 1,
	};
	p->loop.locals = s->locals;
	s->peer = p;
}

static inline void site_open(struct site *s)
{
	const struct http_location *l = &s->peer->location;
	assert_int_equal(l->handler->open(&s->peer->loop, l->config, &s->locals[1]), 0);
}

static inline void site_stop(struct site *s)
{
	struct peer *p = s->peer;
	void *config = (void *)(uintptr_t)p->location.config;
	const struct handler *h = p->location.handler;
	/* exchanges end before the state of the loop */
	p->http1.proto.ops->release(&p->http1.proto);
	h->close(s->locals[1]);
	peer_free(p);
	free(config);
}

#endif

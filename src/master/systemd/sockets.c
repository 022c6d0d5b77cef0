/* Runs in the master. The table of sockets that were passed at the start. Must never wait on one of
 * them, nor close one before the end: the service manager has them, and clients may wait there. */
#include "master/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/num.h"
#include "net/passed.h"

#define FIRST_FD    3    /* SD_LISTEN_FDS_START */
#define SOCKETS_MAX 4096 /* more than systemd passes */

static int number(const char *text, uint64_t min, uint64_t max, const char *name, uint64_t *ret,
		  struct err *err)
{
	if (num_parse(text, strlen(text), min, max, ret) == 0)
		return 0;
	err_set(err, "%s is not a valid number", name);
	return -1;
}

/* The name up to the next colon; an invalid name in systemd's sense is not used here either. */
static void name_copy(struct socket_passed *s, const char *from, size_t len)
{
	struct text t;
	text_init(&t, s->name, sizeof(s->name));
	for (size_t i = 0; i < len; i++)
		text_add(&t, from[i] >= 0x20 && from[i] < 0x7f ? &from[i] : "?", 1);
	if (len == 0)
		text_add_str(&t, "unknown");
}

int sockets_parse(struct sockets *s, pid_t self, const char *pid, const char *fds,
		  const char *names, struct err *err)
{
	uint64_t owner, count;
	*s = (struct sockets){0};
	if (pid == NULL || fds == NULL)
		return 0;
	if (number(pid, 1, INT32_MAX, "LISTEN_PID", &owner, err) < 0)
		return -1;
	if (owner != (uint64_t)self) /* all variables are for another process */
		return 0;
	if (number(fds, 0, SOCKETS_MAX, "LISTEN_FDS", &count, err) < 0)
		return -1;
	if (count == 0)
		return 0;
	s->list = calloc(count, sizeof(*s->list));
	if (s->list == NULL) {
		err_set(err, "out of memory");
		return -1;
	}
	s->count = count;
	for (size_t i = 0; i < count; i++) {
		const size_t len = names != NULL ? strcspn(names, ":") : 0;
		s->list[i].fd = FIRST_FD + (int)i;
		name_copy(&s->list[i], names != NULL ? names : "", len);
		names = names != NULL && names[len] == ':' ? names + len + 1 : NULL;
	}
	return 0;
}

/* above: a number above all passed descriptors. */
static void socket_take(struct socket_passed *s, int above)
{
	int passed = s->fd;
	s->fd = fcntl(passed, F_DUPFD_CLOEXEC, above);
	if (s->fd < 0) {
		(void)strlcpy(s->wrong, errno == EBADF ? "not there" : "a descriptor too many",
			      sizeof(s->wrong));
		return;
	}
	fd_close(&passed);
	const char *wrong = net_take_passed(s->fd, s->address, &s->port);
	if (wrong != NULL)
		(void)strlcpy(s->wrong, wrong, sizeof(s->wrong));
}

int sockets_take(struct sockets *s, struct err *err)
{
	int error = sockets_parse(s, getpid(), getenv("LISTEN_PID"), getenv("LISTEN_FDS"),
				  getenv("LISTEN_FDNAMES"), err);
	(void)unsetenv("LISTEN_PID");
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_FDNAMES");
	const int behind = FIRST_FD + (int)s->count;
	for (size_t i = 0; i < s->count; i++)
		socket_take(&s->list[i], behind > FD_OWN_MIN ? behind : FD_OWN_MIN);
	return error;
}

void sockets_release(struct sockets *s)
{
	for (size_t i = 0; i < s->count; i++)
		fd_close(&s->list[i].fd);
	free(s->list);
	*s = (struct sockets){0};
}

const struct socket_passed *sockets_find(const struct sockets *s, const char *name, uint16_t port,
					 size_t *at)
{
	for (; *at < s->count; (*at)++) {
		const struct socket_passed *one = &s->list[*at];
		if (one->wrong[0] == '\0' && one->port == port && strcmp(one->name, name) == 0) {
			(*at)++;
			return one;
		}
	}
	return NULL;
}

const struct socket_passed *sockets_on(const struct sockets *s, const char *address, uint16_t port)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct socket_passed *one = &s->list[i];
		if (one->wrong[0] == '\0' && one->port == port &&
		    strcmp(one->address, address) == 0)
			return one;
	}
	return NULL;
}

static void names_list(const struct sockets *s, struct text *t)
{
	for (size_t i = 0; i < s->count; i++)
		text_addf(t, "%s\"%s\"", i > 0 ? ", " : "", s->list[i].name);
}

void sockets_miss(const struct sockets *s, const char *name, uint16_t port, struct err *err)
{
	char room[256];
	struct text t;
	for (size_t i = 0; i < s->count; i++) {
		const struct socket_passed *one = &s->list[i];
		if (strcmp(one->name, name) != 0)
			continue;
		if (one->wrong[0] != '\0')
			err_set(err, "the descriptor that was passed as the socket \"%s\" is %s",
				name, one->wrong);
		else
			err_set(err, "the socket \"%s\" listens on port %u, not on %u", name,
				one->port, port);
		return;
	}
	text_init(&t, room, sizeof(room));
	names_list(s, &t);
	if (s->count == 0)
		err_set(err, "there is no socket \"%s\": the service manager has passed none",
			name);
	else
		err_set(err, "there is no socket \"%s\": the service manager has passed %s%s", name,
			room, t.truncated ? "..." : "");
}

static bool is_claimed(const struct socket_passed *one, const struct conf *conf)
{
	for (size_t i = 0; i < conf->ports_count && one->wrong[0] == '\0'; i++) {
		const struct conf_port *port = &conf->ports[i];
		for (size_t k = 0; k < port->sockets_count && port->number == one->port; k++)
			if (strcmp(port->sockets[k], one->name) == 0)
				return true;
		for (size_t k = 0; k < port->addresses_count && port->number == one->port; k++)
			if (strcmp(port->addresses[k], one->address) == 0)
				return true;
	}
	return false;
}

size_t sockets_unclaimed(const struct sockets *s, const struct conf *conf, struct text *t)
{
	size_t count = 0;
	for (size_t i = 0; i < s->count; i++) {
		const struct socket_passed *one = &s->list[i];
		if (is_claimed(one, conf))
			continue;
		text_addf(t, "%ssocket \"%s\"", count++ > 0 ? ", " : "", one->name);
		if (one->wrong[0] != '\0')
			text_addf(t, " (%s)", one->wrong);
		else
			text_addf(t, " (port %u)", one->port);
	}
	return count;
}

/* Runs in the selftest, before its master. Must never open a password file of the configuration. */
#include "htpasswd.h"

#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/fd.h"

/* No path of a site is likely to be the same. */
#define HTPASSWD_LOCATION "/.bulkhead-selftest-passwords"
/* The cheapest bcrypt: the attempts are about who gets at a hash, not about what it costs. */
#define HTPASSWD_KIND "$2b$"
#define HTPASSWD_COST 4

/* --- the file --------------------------------------------------------------------------------- */

static int password_make(char ret[HTPASSWD_PASSWORD_ROOM])
{
	unsigned char random[(HTPASSWD_PASSWORD_ROOM - 1) / 2];
	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return -errno;
	for (size_t i = 0; i < sizeof(random); i++)
		(void)snprintf(ret + 2 * i, 3, "%02x", random[i]);
	return 0;
}

/* The hash is in data->output. */
static int hash_make(const char *password, struct crypt_data *data)
{
	char salt[CRYPT_GENSALT_OUTPUT_SIZE];
	/* without random bytes of the caller's, the library gets its own */
	if (crypt_gensalt_rn(HTPASSWD_KIND, HTPASSWD_COST, NULL, 0, salt, sizeof(salt)) == NULL)
		return -errno;
	const char *hash = crypt_r(password, salt, data);
	if (hash == NULL || hash[0] == '*' || strlen(hash) < NEEDLE_BYTES)
		return errno != 0 ? -errno : -ENOTSUP;
	return 0;
}

static int hash_save(const char *path, const char *hash)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	const int n = fd < 0 ? -1 : dprintf(fd, HTPASSWD_USER ":%s\n", hash);
	const int error = n < 0 ? -errno : 0;
	fd_close(&fd);
	return error;
}

/* The digest and the end of the salt. */
static void hash_needle(const char *hash, struct needles *needles)
{
	const char *end = hash + strlen(hash) - NEEDLE_BYTES;
	if (needles->count == NEEDLES_MAX)
		return;
	struct needle *n = &needles->list[needles->count++];
	for (size_t i = 0; i < NEEDLE_BYTES; i++)
		n->masked[i] = (uint8_t)end[i] ^ NEEDLE_MASK;
}

int htpasswd_make(const char *path, char ret_password[HTPASSWD_PASSWORD_ROOM],
		  struct needles *needles, struct err *err)
{
	struct crypt_data *data = calloc(1, sizeof(*data));
	int error = data == NULL ? -ENOMEM : password_make(ret_password);
	if (error == 0)
		error = hash_make(ret_password, data);
	if (error == 0)
		error = hash_save(path, data->output);
	if (error == 0)
		hash_needle(data->output, needles);
	else
		err_set(err, "cannot make the password file \"%s\": %s", path, strerror(-error));
	if (data != NULL)
		explicit_bzero(data, sizeof(*data));
	free(data);
	return error < 0 ? -1 : 0;
}

/* --- the configuration ------------------------------------------------------------------------ */

/* A port while its places get another password file. What a place has is written by what is its
 * own (conf_filters_dump()), and one without points to the place around it. */
struct putting {
	const char *path;
	struct copies *copies;
	bool failed; /* no memory */
};

static const void *putting_copy(struct putting *p, const void *data, size_t size)
{
	const void *copy = copies_add(p->copies, data, size, 0);
	p->failed = p->failed || copy == NULL;
	return copy;
}

/* f: NULL for a place that had none. With that statement, of which only what conf/kinds.h says is
 * copied. */
static const struct conf_filters *filters_with(struct putting *p, const struct conf_filters *f,
					       const struct conf_authenticate *statement)
{
	static const struct conf_filters none;
	struct conf_filters filters = f != NULL ? *f : none;
	const struct conf_authenticate own = {.realm = statement->realm, .path = p->path};
	filters.own[CONF_FILTER_AUTHENTICATE] = filters.options[CONF_FILTER_AUTHENTICATE] =
	    putting_copy(p, &own, sizeof(own));
	return putting_copy(p, &filters, sizeof(filters));
}

/* Those of a place in a place that had outer and now has inside. */
static const struct conf_filters *filters_put(struct putting *p, const struct conf_filters *f,
					      const struct conf_filters *outer,
					      const struct conf_filters *inside)
{
	if (f == outer)
		return inside;
	const struct conf_authenticate *own = f->own[CONF_FILTER_AUTHENTICATE];
	return own != NULL && own->path != NULL ? filters_with(p, f, own) : f;
}

static void host_put(struct putting *p, struct conf_host *h, const struct conf_filters *outer,
		     const struct conf_filters *inside)
{
	const struct conf_filters *own = h->filters;
	const size_t count = h->locations_count;
	struct conf_location *all = copies_add(p->copies, h->locations, count * sizeof(*all), 0);
	h->filters = filters_put(p, own, outer, inside);
	if (all == NULL) {
		p->failed = true;
		return;
	}
	for (size_t i = 0; i < count; i++)
		all[i].filters = filters_put(p, all[i].filters, own, h->filters);
	h->locations = all;
}

bool htpasswd_put(struct conf_port *port, const char *path, struct copies *copies)
{
	struct putting p = {.path = path, .copies = copies};
	const struct conf_filters *outer = port->filters;
	port->filters = filters_put(&p, outer, NULL, NULL);
	for (size_t i = 0; i < port->hosts_count; i++)
		host_put(&p, &port->hosts[i], outer, port->filters);
	return !p.failed;
}

bool htpasswd_add(struct conf_port *port, const char *path, struct copies *copies)
{
	static char location_path[] = HTPASSWD_LOCATION;
	static const struct conf_authenticate statement = {.realm = "selftest"};
	struct putting p = {.path = path, .copies = copies};
	struct conf_host *host = &port->hosts[0];
	const size_t count = host->locations_count;
	struct conf_location *all =
	    copies_add(copies, host->locations, count * sizeof(*all), sizeof(*all));
	if (all == NULL)
		return false;
	all[count] = (struct conf_location){.path = location_path,
					    .handler = CONF_ECHO,
					    .methods = CONF_METHOD_BIT(CONF_GET) |
						       CONF_METHOD_BIT(CONF_HEAD),
					    .filters = filters_with(&p, NULL, &statement)};
	host->locations = all;
	host->locations_count = count + 1;
	return !p.failed;
}

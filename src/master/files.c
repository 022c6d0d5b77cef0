/*
 * Runs in the master: opens the files of a port's certificates and keys, because only here somebody
 * may, and never reads them. Once for the life of the port: a keyholder that is replaced has the
 * key that fits the certificates of the workers which live on, whatever has happened to the files'
 * names.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/fd.h"
#include "master/state.h"

static int file_open(const char *what, const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		err_set(err, "%s \"%s\" cannot be read: %s", what, path, strerror(errno));
	return fd;
}

int port_open_files(struct port *p, struct err *err)
{
	for (size_t i = 0; i < p->conf->certificates_count; i++) {
		const struct conf_certificate *c = &p->conf->certificates[i];
		p->files_count = i + 1;
		p->key_fds[i] = -1;
		p->certificate_fds[i] = file_open("certificate", c->certificate, err);
		if (p->certificate_fds[i] >= 0)
			p->key_fds[i] = file_open("key", c->key, err);
		if (p->key_fds[i] < 0) {
			port_close_files(p);
			return -1;
		}
	}
	return 0;
}

void port_close_files(struct port *p)
{
	for (size_t i = 0; i < p->files_count; i++) {
		fd_close(&p->certificate_fds[i]);
		fd_close(&p->key_fds[i]);
	}
	p->files_count = 0;
}

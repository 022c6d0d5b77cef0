/*
 * Runs in the workers, for requests: finds the file that answers one. Must never open anything but
 * beneath the root, nor leave a descriptor open that it does not return.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "files.h"

/* By its number: the C library's fstat() may be a call that also takes a path, which the filter of
 * system calls does not allow. */
int files_stat(int fd, struct files_file *ret)
{
	struct stat st = {.st_size = 0};
	if (syscall(SYS_fstat, fd, &st) < 0)
		return -errno;
	ret->device = st.st_dev;
	ret->inode = st.st_ino;
	ret->size = st.st_size > 0 ? (uint64_t)st.st_size : 0;
	ret->modified = st.st_mtim.tv_sec;
	ret->modified_ns = (uint32_t)st.st_mtim.tv_nsec;
	ret->is_regular = S_ISREG(st.st_mode);
	ret->is_folder = S_ISDIR(st.st_mode);
	return 0;
}

/* The status for an error of opening. */
static unsigned status_of(int error)
{
	switch (-error) {
	case ENOENT:
	case ENOTDIR:
	case ENAMETOOLONG:
	case ELOOP:
	case EXDEV: /* a link that leads out of the root */
	case ENXIO: /* a socket, or a device that is not there */
	case ENODEV:
	case EINVAL: /* a name that this file system cannot have */
	case EILSEQ:
		return 404;
	case EACCES:
	case EPERM:
		return 403;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case ENOBUFS:
	case EAGAIN:
	case ESTALE:
	case ETXTBSY:
		return 503;
	}
	return 500;
}

/* Opens what has this name, of any kind. Returns 0 or the status of the error. */
static unsigned name_open(const struct files_config *c, const struct files_name *name, int flags,
			  struct files_file *ret)
{
	const int fd =
	    root_open(c->root, name->text, flags, c->conf->no_symlinks ? ROOT_NO_LINKS : 0);
	if (fd < 0)
		return status_of(fd);
	const int error = files_stat(fd, ret);
	if (error < 0) {
		(void)close(fd);
		return status_of(error);
	}
	ret->fd = fd;
	ret->coding = HTTP_IDENTITY;
	return 0;
}

/* The same, of a regular file: others are not found. */
static unsigned file_open(const struct files_config *c, const struct files_name *name,
			  struct files_file *ret)
{
	const unsigned status = name_open(c, name, O_RDONLY, ret);
	if (status != 0 || ret->is_regular)
		return status;
	fd_close(&ret->fd);
	return 404;
}

/* Opens the first index of this folder; its name is added. 404: it has none. */
static unsigned index_open(const struct files_config *c, struct files_name *name,
			   struct files_file *ret)
{
	const size_t len = name->len;
	for (uint32_t i = 0; i < c->conf->index_count; i++) {
		const char *index = c->conf->index[i];
		if (!(len == 0 || files_name_add(name, "/", 1)) ||
		    !files_name_add(name, index, strlen(index)))
			return 404;
		const unsigned status = file_open(c, name, ret);
		if (status != 404)
			return status;
		name->len = len;
		name->text[len] = '\0';
	}
	return 404;
}

/* --- encoded siblings ------------------------------------------------------------------------- */

static enum http_coding coding_of(uint8_t conf)
{
	static const enum http_coding codings[CONF_CODINGS] = {
	    [CONF_BR] = HTTP_BR, [CONF_ZSTD] = HTTP_ZSTD, [CONF_GZIP] = HTTP_GZIP};
	return codings[conf];
}

/* The most wanted coding that was not tried; of equal ones the first in the configuration, and
 * identity last. HTTP_CODINGS: there is none. */
static enum http_coding coding_choose(const struct conf_files *conf, const struct http_codings *q,
				      unsigned tried)
{
	enum http_coding best = HTTP_CODINGS;
	unsigned most = 0;
	for (uint32_t i = 0; i <= conf->precompressed_count; i++) {
		const enum http_coding coding = i < conf->precompressed_count
						    ? coding_of(conf->precompressed[i])
						    : HTTP_IDENTITY;
		if ((tried & 1U << coding) != 0 || q->quality[coding] <= most)
			continue;
		best = coding;
		most = q->quality[coding];
	}
	return best;
}

/* A part of a second counts, unless the tool that made the sibling keeps whole seconds alone. */
static bool is_older(const struct files_file *sibling, const struct files_file *file)
{
	if (sibling->modified != file->modified)
		return sibling->modified < file->modified;
	return sibling->modified_ns != 0 && sibling->modified_ns < file->modified_ns;
}

/* Replaces the file by the sibling that the client wants most. A sibling that is older than its
 * file was made from another one, and is not used. Returns 0, or 406: none is acceptable. */
static unsigned sibling_choose(const struct files_config *c, const struct http_request *r,
			       const struct http_asks *asks, struct files_name *name,
			       struct files_file *file)
{
	const size_t len = name->len;
	struct http_codings q;
	unsigned tried = 0;
	if (c->conf->precompressed_count == 0 || asks->count[ASK_ACCEPT_ENCODING] == 0)
		return 0;
	http_codings_read(r, asks, &q);
	for (;;) {
		struct files_file sibling = {.fd = -1};
		const enum http_coding coding = coding_choose(c->conf, &q, tried);
		if (coding == HTTP_IDENTITY)
			return 0;
		if (coding == HTTP_CODINGS)
			return 406;
		tried |= 1U << coding;
		const char *suffix = http_coding_suffix(coding);
		if (!files_name_add(name, suffix, strlen(suffix)))
			continue;
		const unsigned status = file_open(c, name, &sibling);
		name->len = len;
		name->text[len] = '\0';
		if (status != 0)
			continue;
		if (is_older(&sibling, file)) {
			fd_close(&sibling.fd);
			continue;
		}
		fd_close(&file->fd);
		*file = sibling;
		file->coding = coding;
		return 0;
	}
}

/* --- finding ---------------------------------------------------------------------------------- */

static enum files_outcome file_found(const struct files_config *c, const struct http_request *r,
				     const struct http_asks *asks, struct files_name *name,
				     struct files_found *ret)
{
	ret->status = sibling_choose(c, r, asks, name, &ret->file);
	if (ret->status == 0)
		return FILES_FOUND;
	fd_close(&ret->file.fd);
	return FILES_STATUS;
}

/* A path that ends in a slash. */
static enum files_outcome folder_find(const struct files_config *c, struct files_name *name,
				      struct files_found *ret)
{
	ret->status = index_open(c, name, &ret->file);
	if (ret->status == 0)
		return FILES_FOUND;
	if (ret->status != 404)
		return FILES_STATUS;
	const int flags = c->conf->listing ? O_RDONLY | O_DIRECTORY : O_PATH | O_DIRECTORY;
	ret->status = name_open(c, name, flags, &ret->file);
	if (ret->status != 0)
		return FILES_STATUS;
	if (c->conf->listing)
		return FILES_LIST;
	fd_close(&ret->file.fd);
	ret->status = 403;
	ret->is_bare = true;
	return FILES_STATUS;
}

static enum files_outcome name_find(const struct files_config *c, struct files_name *name,
				    struct files_found *ret)
{
	if (name->is_folder)
		return folder_find(c, name, ret);
	ret->status = name_open(c, name, O_RDONLY, &ret->file);
	if (ret->status != 0)
		return FILES_STATUS;
	if (ret->file.is_regular)
		return FILES_FOUND;
	fd_close(&ret->file.fd);
	ret->status = 404;
	return ret->file.is_folder ? FILES_TO_SLASH : FILES_STATUS;
}

enum files_outcome files_find(const struct files_config *c, const struct http_request *r,
			      const struct http_asks *asks, enum files_named named,
			      struct files_name *name, struct files_found *ret)
{
	const char *fallback = c->conf->fallback;
	enum files_outcome outcome = FILES_STATUS;
	*ret = (struct files_found){.file.fd = -1, .status = 404};
	if (named == FILES_HIDDEN)
		return FILES_STATUS;
	if (named == FILES_NAMED)
		outcome = name_find(c, name, ret);
	/* a folder without an index is no file, either */
	if (outcome == FILES_STATUS && (ret->status == 404 || ret->is_bare) && fallback != NULL) {
		name->len = 0;
		name->is_folder = false;
		fallback += strspn(fallback, "/");
		(void)files_name_add(name, fallback, strlen(fallback));
		ret->status = file_open(c, name, &ret->file);
		outcome = ret->status == 0 ? FILES_FOUND : FILES_STATUS;
	}
	return outcome == FILES_FOUND ? file_found(c, r, asks, name, ret) : outcome;
}

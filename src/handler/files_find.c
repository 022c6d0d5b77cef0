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
	ret->changed = st.st_ctim.tv_sec;
	ret->changed_ns = (uint32_t)st.st_ctim.tv_nsec;
	ret->links = st.st_nlink;
	ret->is_regular = S_ISREG(st.st_mode);
	ret->is_folder = S_ISDIR(st.st_mode);
	return 0;
}

void files_close(struct files_file *f)
{
	if (f->kept == NULL) {
		fd_close(&f->fd);
		return;
	}
	files_kept_release(f->kept);
	f->kept = NULL;
	f->fd = -1;
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

/* What finding a file has at hand. */
struct finder {
	const struct files_config *config;
	struct files_keep *keep; /* NULL: nothing is kept */
	bool waits;              /* for a disk */
	bool is_cold;            /* it would have had to wait */
};

/* What is only kept to be faster goes when descriptors are short. */
static int fd_open_now(struct finder *f, const struct files_name *name, int flags)
{
	const struct files_config *c = f->config;
	const unsigned how = (c->conf->no_symlinks ? (unsigned)ROOT_NO_LINKS : 0) |
			     (f->waits ? 0 : (unsigned)ROOT_CACHED);
	int fd = root_open(c->root, name->text, flags, how);
	if (fd == -EMFILE && f->keep != NULL) {
		files_keep_empty(f->keep);
		fd = root_open(c->root, name->text, flags, how);
	}
	return fd;
}

static int fd_open(struct finder *f, const struct files_name *name, int flags)
{
	const int fd = fd_open_now(f, name, flags);
	if (fd == -EAGAIN && !f->waits)
		f->is_cold = true;
	return fd;
}

/* Opens what has this name, of any kind. Returns 0 or the status of the error. */
static unsigned name_open(struct finder *f, const struct files_name *name, int flags,
			  struct files_file *ret)
{
	const int fd = fd_open(f, name, flags);
	if (fd < 0)
		return status_of(fd);
	*ret = (struct files_file){.fd = fd, .coding = HTTP_IDENTITY};
	const int error = files_stat(fd, ret);
	if (error < 0) {
		fd_close(&ret->fd);
		return status_of(error);
	}
	if (ret->is_regular && f->keep != NULL)
		files_kept_add(f->keep, f->config, name, ret);
	return 0;
}

/* The same, but that there is no file of this name may be kept, too, if the configuration has made
 * the name: clients could ask for any number of names. */
static unsigned kept_open(struct finder *f, const struct files_name *name, bool made,
			  struct files_file *ret)
{
	struct files_file none = {.fd = -1};
	if (f->keep != NULL && files_kept_find(f->keep, f->config, name, ret))
		return ret->fd < 0 ? 404 : 0;
	const unsigned status = name_open(f, name, O_RDONLY, ret);
	if (status == 404 && f->keep != NULL && made)
		files_kept_add(f->keep, f->config, name, &none);
	return status;
}

/* The same, of a regular file: others are not found. */
static unsigned file_open(struct finder *f, const struct files_name *name, struct files_file *ret)
{
	const unsigned status = kept_open(f, name, true, ret);
	if (status != 0 || ret->is_regular)
		return status;
	files_close(ret);
	return 404;
}

/* Opens the first index of this folder; its name is added. 404: it has none. */
static unsigned index_open(struct finder *f, struct files_name *name, struct files_file *ret)
{
	const struct conf_files *conf = f->config->conf;
	const size_t len = name->len;
	for (uint32_t i = 0; i < conf->index_count; i++) {
		const char *index = conf->index[i];
		const bool fits = (len == 0 || files_name_add(name, "/", 1)) &&
				  files_name_add(name, index, strlen(index));
		const unsigned status = fits ? file_open(f, name, ret) : 404;
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
 * file was made from another one, and is not used. Returns 0, or 406: none is acceptable, and the
 * location makes no other one. */
static unsigned sibling_choose(struct finder *f, const struct http_request *r,
			       const struct http_asks *asks, struct files_name *name,
			       struct files_file *file)
{
	const struct conf_files *conf = f->config->conf;
	const size_t len = name->len;
	struct http_codings q;
	unsigned tried = 0;
	if (conf->precompressed_count == 0 || asks->count[ASK_ACCEPT_ENCODING] == 0 ||
	    files_name_is_packed(name))
		return 0;
	http_codings_read(r, asks, &q);
	for (;;) {
		struct files_file sibling = {.fd = -1};
		const enum http_coding coding = coding_choose(conf, &q, tried);
		if (coding == HTTP_IDENTITY || (coding == HTTP_CODINGS && f->config->compresses))
			return 0;
		if (coding == HTTP_CODINGS)
			return 406;
		tried |= 1U << coding;
		const char *suffix = http_coding_suffix(coding);
		if (!files_name_add(name, suffix, strlen(suffix)))
			continue;
		const unsigned status = file_open(f, name, &sibling);
		name->len = len;
		name->text[len] = '\0';
		if (status != 0)
			continue;
		if (is_older(&sibling, file)) {
			files_close(&sibling);
			continue;
		}
		files_close(file);
		*file = sibling;
		file->coding = coding;
		return 0;
	}
}

/* --- finding ---------------------------------------------------------------------------------- */

static enum files_outcome file_found(struct finder *f, const struct http_request *r,
				     const struct http_asks *asks, struct files_name *name,
				     struct files_found *ret)
{
	ret->status = sibling_choose(f, r, asks, name, &ret->file);
	if (ret->status == 0)
		return FILES_FOUND;
	files_close(&ret->file);
	return FILES_STATUS;
}

/* A path that ends in a slash. */
static enum files_outcome folder_find(struct finder *f, struct files_name *name,
				      struct files_found *ret)
{
	ret->status = index_open(f, name, &ret->file);
	if (ret->status == 0)
		return FILES_FOUND;
	if (ret->status != 404)
		return FILES_STATUS;
	const bool lists = f->config->conf->listing;
	const int flags = lists ? O_RDONLY | O_DIRECTORY : O_PATH | O_DIRECTORY;
	ret->status = name_open(f, name, flags, &ret->file);
	if (ret->status != 0)
		return FILES_STATUS;
	if (lists)
		return FILES_LIST;
	files_close(&ret->file);
	ret->status = 403;
	ret->is_bare = true;
	return FILES_STATUS;
}

static enum files_outcome name_find(struct finder *f, struct files_name *name,
				    struct files_found *ret)
{
	if (name->is_folder)
		return folder_find(f, name, ret);
	ret->status = kept_open(f, name, false, &ret->file);
	if (ret->status != 0)
		return FILES_STATUS;
	if (ret->file.is_regular)
		return FILES_FOUND;
	files_close(&ret->file);
	ret->status = 404;
	if (!ret->file.is_folder)
		return FILES_STATUS;
	if (!f->config->exact)
		return FILES_TO_SLASH;
	name->is_folder = true;
	return folder_find(f, name, ret);
}

static enum files_outcome found_by(struct finder *f, const struct http_request *r,
				   const struct http_asks *asks, enum files_named named,
				   struct files_name *name, struct files_found *ret)
{
	const struct files_config *c = f->config;
	const char *fallback = c->conf->fallback;
	enum files_outcome outcome = FILES_STATUS;
	*ret = (struct files_found){.file.fd = -1, .status = 404};
	if (named == FILES_HIDDEN)
		return FILES_STATUS;
	if (named == FILES_NAMED)
		outcome = name_find(f, name, ret);
	/* a folder without an index is no file, either */
	if (outcome == FILES_STATUS && (ret->status == 404 || ret->is_bare) && fallback != NULL) {
		name->len = 0;
		name->is_folder = false;
		fallback += strspn(fallback, "/");
		(void)files_name_add(name, fallback, strlen(fallback));
		ret->status = file_open(f, name, &ret->file);
		outcome = ret->status == 0 ? FILES_FOUND : FILES_STATUS;
	}
	return outcome == FILES_FOUND ? file_found(f, r, asks, name, ret) : outcome;
}

enum files_outcome files_find(const struct files_config *c, struct files_common *common, bool waits,
			      const struct http_request *r, const struct http_asks *asks,
			      enum files_named named, struct files_name *name,
			      struct files_found *ret)
{
	struct finder f = {
	    .config = c, .keep = c->conf->unkept ? NULL : common->keep, .waits = waits};
	const enum files_outcome outcome = found_by(&f, r, asks, named, name, ret);
	if (!f.is_cold)
		return outcome;
	files_close(&ret->file);
	return FILES_COLD;
}

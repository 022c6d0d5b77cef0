/* Runs in every process. */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

void fd_close(int *fd)
{
	int saved = errno;
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

int fd_sealed_memory(const char *name, const void *data, size_t len)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	const char *p = data;
	int error = 0;
	while (len > 0) {
		ssize_t n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			goto fail;
		p += n;
		len -= (size_t)n;
	}
	if (lseek(fd, 0, SEEK_SET) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		goto fail;
	return fd;
fail:
	error = errno != 0 ? -errno : -EIO;
	close(fd);
	return error;
}

int fd_shared_memory(const char *name, size_t bytes)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	/* No other user may open it again by way of /proc. */
	if (fchmod(fd, S_IRUSR | S_IWUSR) == 0 && ftruncate(fd, (off_t)bytes) == 0 &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == 0)
		return fd;
	const int error = -errno;
	close(fd);
	return error;
}

int fd_read_only(int fd)
{
	char path[64];
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	const int again = open(path, O_RDONLY | O_CLOEXEC);
	return again < 0 ? -errno : again;
}

/* realloc() for secrets: it wipes the old copy. */
static char *grow(char *data, size_t len, size_t size)
{
	char *more = malloc(size);
	if (more == NULL)
		return NULL;
	memcpy(more, data, len);
	explicit_bzero(data, len);
	free(data);
	return more;
}

int fd_read_all(int fd, size_t max, char **ret_data, size_t *ret_len)
{
	size_t size = 4096, len = 0;
	int error;
	bool seekable = lseek(fd, 0, SEEK_CUR) >= 0;
	char *data = malloc(size);
	if (data == NULL)
		return -ENOMEM;
	for (;;) {
		if (len + 1 == size) {
			char *more = grow(data, len, size * 2);
			if (more == NULL) {
				error = -ENOMEM;
				goto fail;
			}
			data = more;
			size *= 2;
		}
		/* pread(): other processes may be reading through the same file description. */
		ssize_t n = seekable ? pread(fd, data + len, size - 1 - len, (off_t)len)
				     : read(fd, data + len, size - 1 - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			error = -errno;
			goto fail;
		}
		if (n == 0)
			break;
		len += (size_t)n;
		if (len > max) {
			error = -EFBIG;
			goto fail;
		}
	}
	data[len] = '\0';
	*ret_data = data;
	*ret_len = len;
	return 0;
fail:
	explicit_bzero(data, len);
	free(data);
	return error;
}

ssize_t fd_read_cached(int fd, void *out, size_t size, uint64_t at)
{
	const struct iovec vector = {.iov_base = out, .iov_len = size};
	ssize_t n;
	do
		n = preadv2(fd, &vector, 1, (off_t)at, RWF_NOWAIT);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	return errno == ENOSYS || errno == EINVAL ? -EOPNOTSUPP : -errno;
}

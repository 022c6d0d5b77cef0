/* Runs in the selftest. Must never follow a link that it did not make. */
#include "site.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

/* No path of a site is likely to be the same. */
#define SITE_LOCATION "/.bulkhead-selftest"

int site_make(const char *path, struct err *err)
{
	int result = -1, file_fd = -1;
	int fd = mkdir(path, 0700) < 0 ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		file_fd = openat(fd, SITE_FILE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	/* the umask may take rights away */
	if (file_fd >= 0 && write(file_fd, "kept", 4) == 4 && fchmod(file_fd, 0666) == 0 &&
	    mkfifoat(fd, SITE_PIPE, 0600) == 0 && fchmodat(fd, SITE_PIPE, 0666, 0) == 0 &&
	    fchmod(fd, 0777) == 0)
		result = 0;
	else
		err_set(err, "cannot make a document root in \"%s\": %s", path, strerror(errno));
	fd_close(&file_fd);
	fd_close(&fd);
	return result;
}

void site_remove(const char *path)
{
	const struct dirent *entry;
	DIR *d = opendir(path);
	while (d != NULL && (entry = readdir(d)) != NULL)
		(void)unlinkat(dirfd(d), entry->d_name, 0);
	if (d != NULL)
		closedir(d);
	(void)rmdir(path);
}

static bool serves_files(const struct conf_host *h)
{
	for (size_t i = 0; i < h->locations_count; i++)
		if (h->locations[i].handler == CONF_FILES)
			return true;
	return false;
}

bool site_add(struct conf_port *p, const char *path, struct copies *copies)
{
	static char location_path[] = SITE_LOCATION;
	const struct conf_files served = {.path = path};
	struct conf_host *host = NULL;
	for (size_t i = 0; i < p->hosts_count && host == NULL; i++)
		if (serves_files(&p->hosts[i]))
			host = &p->hosts[i];
	if (host == NULL)
		return true;
	const size_t count = host->locations_count;
	const struct conf_files *files = copies_add(copies, &served, sizeof(served), 0);
	struct conf_location *all =
	    copies_add(copies, host->locations, count * sizeof(*all), sizeof(*all));
	if (files == NULL || all == NULL)
		return false;
	all[count] = (struct conf_location){.path = location_path,
					    .handler = CONF_FILES,
					    .methods = CONF_METHOD_BIT(CONF_GET) |
						       CONF_METHOD_BIT(CONF_HEAD),
					    .options = files,
					    .filters = host->filters};
	host->locations = all;
	host->locations_count = count + 1;
	return true;
}

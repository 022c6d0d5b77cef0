/*
 * Runs in the master, for each port that is started or reloaded, and in bulkhead -t: turns the
 * configuration's names of users, groups and the root into numbers and an open directory. So
 * children look up nothing. Must never take another user because one cannot be looked up now.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syslog.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/num.h"
#include "control/place.h"
#include "master/port/port.h"

#define EMPTY_ROOT "/run/bulkhead/empty"
#define ID_MAX     (UINT32_MAX - 1) /* the highest number means "unchanged" */

/* --- users ----------------------------------------------------------------------------------- */

static bool is_number(const char *name, uint32_t *ret)
{
	uint64_t number;
	if (num_parse(name, strlen(name), 0, ID_MAX, &number) < 0)
		return false;
	*ret = (uint32_t)number;
	return true;
}

/* NULL means that the user does not exist, unless errno says something else (getpwnam(3)). */
static const struct passwd *user_find(const char *name)
{
	errno = 0;
	return getpwnam(name);
}

static int not_found(const char *kind, const char *name, struct err *err)
{
	if (err_is_shortage(errno)) {
		err_set(err, "%s \"%s\" cannot be looked up: %s", kind, name, strerror(errno));
		return -EAGAIN;
	}
	err_set(err, "there is no %s \"%s\"", kind, name);
	return -1;
}

static int group_lookup(const char *group, gid_t *ret, struct err *err)
{
	uint32_t number;
	errno = 0;
	const struct group *gr = getgrnam(group);
	if (gr == NULL && !is_number(group, &number))
		return not_found("group", group, err);
	*ret = gr != NULL ? gr->gr_gid : number;
	return 0;
}

/* group NULL: the user's own group. */
static int lookup(const char *user, const char *group, struct identity *ret, struct err *err)
{
	uint32_t number;
	const struct passwd *pw = user_find(user);
	if (pw == NULL && !is_number(user, &number))
		return not_found("user", user, err);
	if (pw == NULL) {
		errno = 0;
		pw = getpwuid(number);
	}
	if (pw == NULL && err_is_shortage(errno))
		return not_found("user", user, err);
	if (pw == NULL && group == NULL) {
		err_set(err, "user %s has no entry, so its group is unknown: set `group`", user);
		return -1;
	}
	ret->uid = pw != NULL ? pw->pw_uid : number;
	if (group != NULL)
		return group_lookup(group, &ret->gid, err);
	ret->gid = pw->pw_gid;
	return 0;
}

/* A user that cannot be looked up now does not count as missing, so no other one is taken. */
static const char *default_user(struct master *m)
{
	if (user_find("bulkhead") != NULL || err_is_shortage(errno))
		return "bulkhead";
	if (!m->nobody_warned)
		log_write(&m->log, LOG_WARNING,
			  "there is no user \"bulkhead\": workers run as \"nobody\", which other "
			  "programs may use, too");
	m->nobody_warned = true;
	return "nobody";
}

/* `key user` and `connect user`. */
static int own_user_lookup(const struct conf_port *conf, const char *user, struct identity *ret,
			   struct err *err)
{
	const int error = lookup(user, NULL, ret, err);
	if (error == 0 || error == -EAGAIN)
		return error;
	/* `group` is for workers, so it is used only if this user has no group of its own. */
	return conf->group != NULL ? lookup(user, conf->group, ret, err) : -1;
}

static int key_user_identify(struct port *p, struct err *err)
{
	struct master *m = p->master;
	if (p->conf->key_user != NULL)
		return own_user_lookup(p->conf, p->conf->key_user, &p->keyholder_identity, err);
	if (user_find("bulkhead-key") != NULL || err_is_shortage(errno))
		return lookup("bulkhead-key", NULL, &p->keyholder_identity, err);
	if (!m->key_user_warned)
		log_write(
		    &m->log, LOG_WARNING,
		    "there is no user \"bulkhead-key\": keyholders and verifiers run as their "
		    "workers' user");
	m->key_user_warned = true;
	return 0;
}

/* Without a user for it, that of the workers: rather theirs than that of the keys. */
static int connect_user_identify(struct port *p, struct err *err)
{
	struct master *m = p->master;
	if (p->conf->connect_user != NULL)
		return own_user_lookup(p->conf, p->conf->connect_user, &p->connect_identity, err);
	if (user_find("bulkhead-connect") != NULL || err_is_shortage(errno))
		return lookup("bulkhead-connect", NULL, &p->connect_identity, err);
	if (!m->connect_user_warned)
		log_write(&m->log, LOG_WARNING,
			  "there is no user \"bulkhead-connect\": connectors and resolvers run as "
			  "their workers' user");
	m->connect_user_warned = true;
	return 0;
}

static int users_identify(struct port *p, struct err *err)
{
	struct master *m = p->master;
	const struct conf_port *conf = p->conf;
	p->change_user = sandbox_may_change_user();
	if (!p->change_user) {
		if ((conf->user != NULL || conf->key_user != NULL || conf->connect_user != NULL) &&
		    !m->user_warned) {
			log_write(&m->log, LOG_WARNING,
				  "only root can run the ports as other users: all run as user %u",
				  (unsigned)geteuid());
			m->user_warned = true;
		}
		return 0;
	}
	int error = lookup(conf->user != NULL ? conf->user : default_user(m), conf->group,
			   &p->worker_identity, err);
	if (error < 0)
		return error;
	p->keyholder_identity = p->connect_identity = p->worker_identity;
	if (has_keys(conf) || conf->passwords_count > 0)
		error = key_user_identify(p, err);
	if (error == 0 && conf->upstreams_count > 0)
		error = connect_user_identify(p, err);
	return error;
}

int worker_identify(const struct conf_port *conf, struct identity *ret, struct err *err)
{
	const char *user = conf->user != NULL                                        ? conf->user
			   : user_find("bulkhead") != NULL || err_is_shortage(errno) ? "bulkhead"
										     : "nobody";
	return lookup(user, conf->group, ret, err);
}

/* --- the empty root -------------------------------------------------------------------------- */

/* Returns 1, 0, or -errno if it cannot be determined. */
static int is_empty(int fd)
{
	bool empty = true;
	const struct dirent *entry;
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	if (d == NULL) {
		const int error = -errno;
		fd_close(&copy);
		return error;
	}
	errno = 0;
	while (empty && (entry = readdir(d)) != NULL)
		empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
	const int error = -errno;
	closedir(d);
	return error < 0 ? error : empty;
}

/* Returns the descriptor; or -1 or -EAGAIN, and a sentence. */
static int root_open(const char *path, struct err *err)
{
	struct stat st;
	const char *wrong = NULL;
	int empty = 0, fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		empty = -errno;
	else if (st.st_uid != 0)
		wrong = "is not owned by root";
	else if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		wrong = "can be written by users other than root";
	else if ((empty = is_empty(fd)) == 0)
		wrong = "is not an empty directory";
	if (empty == 1)
		return fd;
	if (wrong != NULL)
		err_set(err, "chroot \"%s\" %s", path, wrong);
	else
		err_set(err, "chroot \"%s\" cannot be used: %s", path, strerror(-empty));
	fd_close(&fd);
	return err_is_shortage(-empty) ? -EAGAIN : -1;
}

/* Opens each path only once, however many ports use it. */
static int root_get(struct master *m, const char *path, struct err *err)
{
	for (size_t i = 0; i < m->empty_roots_count; i++)
		if (strcmp(m->empty_roots[i].path, path) == 0)
			return m->empty_roots[i].fd;
	struct empty_root *list =
	    reallocarray(m->empty_roots, m->empty_roots_count + 1, sizeof(*list));
	if (list == NULL) {
		err_set(err, "out of memory");
		return -EAGAIN;
	}
	m->empty_roots = list;
	char *copy = strdup(path);
	int fd = copy == NULL ? -EAGAIN : root_open(path, err);
	if (copy == NULL)
		err_set(err, "out of memory");
	if (fd >= 0)
		list[m->empty_roots_count++] = (struct empty_root){copy, fd};
	else
		free(copy);
	return fd;
}

static int root_identify(struct port *p, struct err *err)
{
	struct master *m = p->master;
	int fd;
	switch (p->conf->chroot) {
	case CONF_CHROOT_OFF:
		break;
	case CONF_CHROOT_PATH:
		/* Without root this does not prevent serving; the level says what is missing. */
		fd = root_get(m, p->conf->chroot_path, err);
		p->chroot_fd = fd < 0 ? -1 : fd;
		return fd < 0 && p->change_user ? fd : 0;
	case CONF_CHROOT_DEFAULT:
		if (geteuid() == 0) {
			(void)control_packaged_make();
			(void)mkdir(EMPTY_ROOT, 0755);
		}
		fd = root_get(m, EMPTY_ROOT, err);
		p->chroot_fd = fd < 0 ? -1 : fd;
		if (fd == -EAGAIN && p->change_user)
			return fd;
		if (p->chroot_fd < 0 && p->change_user && !m->chroot_warned) {
			log_write(&m->log, LOG_WARNING, "no empty root directory: %s", err->text);
			m->chroot_warned = true;
		}
		break;
	}
	return 0;
}

int master_check_port(const struct conf_port *conf, struct err *err)
{
	struct identity identity;
	int fd = -1;
	if ((conf->user != NULL && lookup(conf->user, conf->group, &identity, err) < 0) ||
	    (conf->group != NULL && group_lookup(conf->group, &identity.gid, err) < 0) ||
	    (conf->key_user != NULL && own_user_lookup(conf, conf->key_user, &identity, err) < 0) ||
	    (conf->connect_user != NULL &&
	     own_user_lookup(conf, conf->connect_user, &identity, err) < 0))
		return -1;
	if (conf->chroot == CONF_CHROOT_PATH && (fd = root_open(conf->chroot_path, err)) < 0)
		return -1;
	fd_close(&fd);
	return 0;
}

int port_identify(struct port *p, struct err *err)
{
	int error = users_identify(p, err);
	if (error == 0)
		error = root_identify(p, err);
	p->identified = error == 0;
	return error;
}

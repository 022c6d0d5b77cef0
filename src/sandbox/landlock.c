/*
 * Runs in workers and holders while they start. Open descriptors stay usable, but from here on
 * nothing can be opened by name, except for reading beneath its document roots; nothing bound, and
 * nothing connected by TCP but to the ports of upstreams or name servers; and no process outside
 * can be signalled. Must never fail because the
 * kernel does not know a right: it is asked for its version.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"

/* Like in linux/landlock.h, which distributions ship in older versions than their kernels. */
struct ruleset {
	uint64_t fs;
	uint64_t net;    /* ABI 4 */
	uint64_t scoped; /* ABI 6 */
};

/* The number of file rights in each version of the interface, counted from the lowest bit. */
static const unsigned fs_rights[] = {
    0,  13, /* ABI 1: execute .. make a symbolic link */
    14,     /* 2: refer */
    15,     /* 3: truncate */
    15,     /* 4 */
    16,     /* 5: ioctl on devices */
};
#define FS_RIGHTS_KNOWN (sizeof(fs_rights) / sizeof(fs_rights[0]))

#define READ_BENEATH (1u << 2 | 1u << 3) /* files, directories */
#define PATH_BENEATH 1                   /* LANDLOCK_RULE_PATH_BENEATH */

struct path_beneath {
	uint64_t allowed;
	int32_t parent_fd;
} __attribute__((packed));

struct net_port {
	uint64_t allowed;
	uint64_t port;
};

#define NET_TCP      3u /* bind, connect */
#define NET_CONNECT  2u
#define NET_PORT     2  /* LANDLOCK_RULE_NET_PORT */
#define SCOPE_OTHERS 3u /* abstract unix sockets, signals */

/* Fills the ruleset with all rights of this version. Rules allow none of them but to read beneath
 * the document roots, and to connect to some ports. */
static size_t ruleset_for(unsigned abi, struct ruleset *ret)
{
	unsigned rights = fs_rights[abi < FS_RIGHTS_KNOWN ? abi : FS_RIGHTS_KNOWN - 1];
	*ret = (struct ruleset){.fs = (1ULL << rights) - 1,
				.net = abi >= 4 ? NET_TCP : 0,
				.scoped = abi >= 6 ? SCOPE_OTHERS : 0};
	return abi >= 6   ? sizeof(*ret)
	       : abi >= 4 ? offsetof(struct ruleset, scoped)
			  : offsetof(struct ruleset, net);
}

int sandbox_landlock_version(void)
{
	static const unsigned ask = 1; /* LANDLOCK_CREATE_RULESET_VERSION */
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, ask);
	return abi < 0 ? -errno : (int)abi;
}

static int rules_add(int ruleset_fd, const struct ruleset *rules, const struct sandbox_plan *p)
{
	for (size_t i = 0; i < p->tcp_ports_count && rules->net != 0; i++) {
		const struct net_port rule = {NET_CONNECT, p->tcp_ports[i]};
		if (syscall(SYS_landlock_add_rule, ruleset_fd, NET_PORT, &rule, 0) < 0)
			return -1;
	}
	for (size_t i = 0; i < p->roots_count; i++) {
		const struct path_beneath rule = {READ_BENEATH, p->roots[i]};
		if (syscall(SYS_landlock_add_rule, ruleset_fd, PATH_BENEATH, &rule, 0) < 0)
			return -1;
	}
	return 0;
}

int landlock_confine(const struct sandbox_plan *p, struct sandbox_level *l, struct err *err)
{
	struct ruleset rules;
	if (layer_left_out(p, SANDBOX_LANDLOCK) || calls_sanitized)
		return 0;
	const int abi = sandbox_landlock_version();
	if (abi < 1) { /* ENOSYS: not built in; EOPNOTSUPP: disabled at boot */
		level_lack(l, SANDBOX_LANDLOCK, abi < 0 ? -abi : ENOSYS);
		return 0;
	}
	size_t size = ruleset_for((unsigned)abi, &rules);
	long fd = syscall(SYS_landlock_create_ruleset, &rules, size, 0);
	long done = fd < 0 || rules_add((int)fd, &rules, p) < 0
			? -1
			: syscall(SYS_landlock_restrict_self, (int)fd, 0);
	int error = errno;
	if (fd >= 0)
		close((int)fd);
	if (done == 0) {
		l->landlock_abi = (uint32_t)abi;
		level_reach(l, SANDBOX_LANDLOCK);
		return 0;
	}
	if (error == EPERM) { /* no_new_privs was left out */
		level_lack(l, SANDBOX_LANDLOCK, error);
		return 0;
	}
	err_set(err, "Landlock %d: %s", abi, strerror(error));
	return -1;
}

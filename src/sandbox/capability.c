/*
 * Runs in every role while it starts. Must never add a capability, nor touch another process's: it
 * reads and sets this thread's sets with the kernel's own calls (capget(2)), while there is only
 * one thread.
 */
#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"

#define CAPABILITIES_MAX 64 /* bits of a set */

struct sets {
	uint64_t effective, permitted, inheritable;
};

static const uint64_t master_needs =
    1ULL << CAP_KILL |             /* to signal its children, which are other users */
    1ULL << CAP_NET_BIND_SERVICE | /* ports below 1024 */
    1ULL << CAP_SETUID | 1ULL << CAP_SETGID |
    1ULL << CAP_SETPCAP |        /* so that children can empty their bounding set */
    1ULL << CAP_SYS_CHROOT |     /* so that children can change to an empty root */
    1ULL << CAP_DAC_READ_SEARCH; /* to open keys and configurations of other users */

static int sets_get(struct sets *ret)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct half[_LINUX_CAPABILITY_U32S_3];
	if (syscall(SYS_capget, &head, half) < 0)
		return -errno;
	*ret = (struct sets){half[0].effective | (uint64_t)half[1].effective << 32,
			     half[0].permitted | (uint64_t)half[1].permitted << 32,
			     half[0].inheritable | (uint64_t)half[1].inheritable << 32};
	return 0;
}

static int sets_put(const struct sets *s)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct half[_LINUX_CAPABILITY_U32S_3] = {
	    {(uint32_t)s->effective, (uint32_t)s->permitted, (uint32_t)s->inheritable},
	    {(uint32_t)(s->effective >> 32), (uint32_t)(s->permitted >> 32),
	     (uint32_t)(s->inheritable >> 32)}};
	return syscall(SYS_capset, &head, half) < 0 ? -errno : 0;
}

/* Removes everything except keep from the bounding set. Returns 0 or -errno; -EPERM without
 * CAP_SETPCAP. */
static int bounding_reduce(uint64_t keep)
{
	for (unsigned long i = 0; i < CAPABILITIES_MAX; i++) {
		int has = prctl(PR_CAPBSET_READ, i, 0, 0, 0);
		if (has < 0) /* EINVAL: no such capability in this kernel */
			break;
		if (has > 0 && (keep & 1ULL << i) == 0 && prctl(PR_CAPBSET_DROP, i, 0, 0, 0) < 0)
			return -errno;
	}
	return 0;
}

/* Sets the capabilities that an exec'd child keeps if it is not root; a subset of permitted and
 * inheritable. */
static int ambient_put(uint64_t set)
{
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -errno;
	for (unsigned long i = 0; i < CAPABILITIES_MAX; i++)
		if ((set & 1ULL << i) != 0 &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0) < 0)
			return -errno;
	return 0;
}

/* Reduces the bounding set. Without CAP_SETPCAP it stays, and the layer counts as missing. */
static int unbound(uint64_t keep, struct sandbox_level *l, struct err *err)
{
	int error = bounding_reduce(keep);
	if (error == -EPERM) {
		level_lack(l, SANDBOX_CAPABILITIES, EPERM);
	} else if (error < 0) {
		err_set(err, "prctl(PR_CAPBSET_DROP): %s", strerror(-error));
		return -1;
	}
	return 0;
}

/* Sets all other sets. The layer is reached unless unbound() failed. */
static int reduce(const struct sets *s, uint64_t ambient, struct sandbox_level *l, struct err *err)
{
	int error = sets_put(s);
	if (error == 0)
		error = ambient_put(ambient);
	if (error < 0) {
		err_set(err, "the capabilities cannot be given up: %s", strerror(-error));
		return -1;
	}
	if (l->errors[SANDBOX_CAPABILITIES] == 0)
		level_reach(l, SANDBOX_CAPABILITIES);
	return 0;
}

int capabilities_unbound(const struct sandbox_plan *p, struct sandbox_level *l, struct err *err)
{
	return layer_left_out(p, SANDBOX_CAPABILITIES) ? 0 : unbound(0, l, err);
}

/* The change of the root directory comes after that of the ids. For it the process keeps this,
 * and the second only for a directory that not every user may search. */
static uint64_t root_needs(const struct sandbox_plan *p)
{
	struct stat st;
	if (p->chroot_fd < 0 || layer_left_out(p, SANDBOX_CHROOT) || calls_sanitized)
		return 0;
	const bool is_open = fstat(p->chroot_fd, &st) == 0 && (st.st_mode & S_IXOTH) != 0;
	return 1ULL << CAP_SYS_CHROOT | (is_open ? 0 : 1ULL << CAP_DAC_READ_SEARCH);
}

bool capabilities_let_root_wait(const struct sandbox_plan *p)
{
	const bool searches = (root_needs(p) & 1ULL << CAP_DAC_READ_SEARCH) != 0;
	return !p->change_user || !searches || capabilities_have(CAP_DAC_READ_SEARCH);
}

static bool is_kept(void)
{
	return prctl(PR_GET_KEEPCAPS, 0, 0, 0, 0) == 1;
}

/* The kernel takes all capabilities from a root that becomes another user, unless told otherwise.
 * If that is locked (capabilities(7), SECBIT_KEEP_CAPS_LOCKED), there will be no empty root. */
int capabilities_keep(const struct sandbox_plan *p, struct sandbox_level *l, struct err *err)
{
	(void)l;
	(void)err;
	if (p->change_user && !layer_left_out(p, SANDBOX_USER) && root_needs(p) != 0)
		(void)prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
	return 0;
}

static int only(uint64_t set, struct err *err)
{
	const struct sets s = {.effective = set, .permitted = set};
	const int error = sets_put(&s);
	if (error < 0)
		err_set(err, "the capabilities cannot be given up: %s", strerror(-error));
	return error < 0 ? -1 : 0;
}

int capabilities_narrow(const struct sandbox_plan *p, struct sandbox_level *l, struct err *err)
{
	struct sets s = {0};
	(void)l;
	if (layer_left_out(p, SANDBOX_CAPABILITIES) && !is_kept())
		return 0;
	const int error = sets_get(&s);
	if (error == 0)
		return only(s.permitted & root_needs(p), err);
	err_set(err, "capget: %s", strerror(-error));
	return -1;
}

int capabilities_give_up(const struct sandbox_plan *p, struct sandbox_level *l, struct err *err)
{
	const struct sets none = {0};
	const bool kept = is_kept();
	if (kept)
		(void)prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
	if (layer_left_out(p, SANDBOX_CAPABILITIES))
		return kept ? only(0, err) : 0;
	return reduce(&none, 0, l, err);
}

int capabilities_keep_for_master(struct sandbox_level *l, struct err *err)
{
	struct sets s = {0};
	int error = sets_get(&s);
	if (error < 0) {
		err_set(err, "capget: %s", strerror(-error));
		return -1;
	}
	if (unbound(master_needs, l, err) < 0)
		return -1;
	/* A child of root gets the capabilities of the bounding set, since it is root; another
	 * user's child gets these. */
	const uint64_t kept = s.permitted & master_needs;
	const uint64_t handed_on = geteuid() == 0 ? 0 : kept;
	s = (struct sets){.effective = kept, .permitted = kept, .inheritable = handed_on};
	return reduce(&s, handed_on, l, err);
}

int capabilities_keep_one(unsigned capability, struct sandbox_level *l, struct err *err)
{
	const uint64_t kept = 1ULL << capability;
	const struct sets s = {.effective = kept, .permitted = kept};
	return unbound(0, l, err) < 0 ? -1 : reduce(&s, 0, l, err);
}

bool capabilities_have(unsigned capability)
{
	struct sets s = {0};
	return sets_get(&s) == 0 && (s.effective & 1ULL << capability) != 0;
}

bool sandbox_may_mount(void)
{
	return capabilities_have(CAP_SYS_ADMIN);
}

/* Executing a program as root makes the capabilities of the two sets permitted ones again. */
int sandbox_forgo_mounts(void)
{
	const uint64_t bit = 1ULL << CAP_SYS_ADMIN;
	struct sets s = {0};
	int error = sets_get(&s);
	if (error < 0)
		return error;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, CAP_SYS_ADMIN, 0, 0) < 0 ||
	    (geteuid() == 0 && prctl(PR_CAPBSET_DROP, CAP_SYS_ADMIN, 0, 0, 0) < 0))
		return -errno;
	s.effective &= ~bit;
	s.permitted &= ~bit;
	s.inheritable &= ~bit;
	return sets_put(&s);
}

bool sandbox_may_change_user(void)
{
	return capabilities_have(CAP_SETUID) && capabilities_have(CAP_SETGID);
}

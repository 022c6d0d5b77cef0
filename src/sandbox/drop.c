/*
 * Runs in workers and holders while they start, and in the master before its first child.
 * Must never continue after a step failed that should have worked, nor change the order of the
 * steps: each needs something that a later one takes away.
 *
 * The ids change first and the root directory later, although the other way round would be
 * simpler: a file that is loaded into the process (an object whose constructors run at once, a
 * configuration of a library) can only be opened while the process still sees the files of the
 * system, and nothing of it may run as root. The price is one capability, CAP_SYS_CHROOT, that
 * the process keeps until it has changed its root directory. One directory does not wait: that
 * which only its owner may search, where the process lacks the capability to enter it later.
 */
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sysexits.h>
#include <unistd.h>

#include "internal.h"

/* --- the steps that are no other file's ------------------------------------------------------ */

/* Why there will be no empty root: it is not asked for, or impossible. */
static int root_expect(const struct sandbox_plan *p, struct sandbox_level *l, struct err *err)
{
	(void)err;
	if ((p->needs & SANDBOX_LOCAL) != 0)
		l->waived |= 1u << SANDBOX_CHROOT;
	else if (p->chroot_fd < 0 && !layer_left_out(p, SANDBOX_CHROOT) && !calls_sanitized &&
		 !capabilities_have(CAP_SYS_CHROOT))
		level_lack(l, SANDBOX_CHROOT, EPERM);
	return 0;
}

static int root_change(const struct sandbox_plan *p, struct sandbox_level *l, struct err *err)
{
	const bool done = (l->reached & 1u << SANDBOX_CHROOT) != 0;
	if (layer_left_out(p, SANDBOX_CHROOT) || calls_sanitized || p->chroot_fd < 0 || done)
		return 0;
	int error = fchdir(p->chroot_fd) < 0 || chroot(".") < 0 ? errno : 0;
	if (chdir("/") < 0) {
		err_set(err, "chdir(/) in the new root: %s", strerror(errno));
		return -1;
	}
	if (error == 0)
		level_reach(l, SANDBOX_CHROOT);
	else if (error == EPERM || error == EACCES)
		level_lack(l, SANDBOX_CHROOT, error);
	else {
		err_set(err, "chroot: %s", strerror(error));
		return -1;
	}
	return 0;
}

/* For a directory that the process could not enter as another user. Nothing can be loaded then. If
 * it fails, it is tried again in its usual place. */
static int root_change_as_owner(const struct sandbox_plan *p, struct sandbox_level *l,
				struct err *err)
{
	return capabilities_let_root_wait(p) ? 0 : root_change(p, l, err);
}

/* EPERM, or an id that this user namespace does not have. */
static bool cannot_become(int error)
{
	return error == EPERM || error == EINVAL;
}

static int user_become(const struct sandbox_plan *p, struct sandbox_level *l, struct err *err)
{
	if (layer_left_out(p, SANDBOX_USER))
		return 0;
	if (!p->change_user) {
		if (!sandbox_may_change_user())
			level_lack(l, SANDBOX_USER, EPERM);
		return 0;
	}
	const uid_t before = geteuid();
	const char *call = NULL;
	if (setgroups(0, NULL) < 0)
		call = "setgroups";
	else if (setresgid(p->gid, p->gid, p->gid) < 0)
		call = "setresgid";
	else if (setresuid(p->uid, p->uid, p->uid) < 0)
		call = "setresuid";
	if (call != NULL && cannot_become(errno)) {
		level_lack(l, SANDBOX_USER, errno);
		return 0;
	}
	if (call != NULL) {
		err_set(err, "%s to %u:%u: %s", call, p->uid, p->gid, strerror(errno));
		return -1;
	}
	uid_t uid[3];
	gid_t gid[3];
	if (getresuid(&uid[0], &uid[1], &uid[2]) < 0 || getresgid(&gid[0], &gid[1], &gid[2]) < 0 ||
	    uid[0] != p->uid || uid[1] != p->uid || uid[2] != p->uid || gid[0] != p->gid ||
	    gid[1] != p->gid || gid[2] != p->gid || getgroups(0, NULL) != 0) {
		err_set(err, "the ids are not %u:%u after the change", p->uid, p->gid);
		return -1;
	}
	if (p->uid != 0 && p->uid != before)
		level_reach(l, SANDBOX_USER);
	else
		level_lack(l, SANDBOX_USER, EINVAL);
	return 0;
}

/* Tries to become root again, after the capabilities for it are gone. */
static int user_verify(const struct sandbox_plan *p, struct sandbox_level *l, struct err *err)
{
	l->uid = geteuid();
	l->gid = getegid();
	if (l->uid == 0 || layer_left_out(p, SANDBOX_CAPABILITIES) || setuid(0) < 0)
		return 0;
	err_set(err, "user %u could become root again", l->uid);
	return -1;
}

static int privileges_freeze(struct sandbox_level *l, struct err *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		err_set(err, "prctl(PR_SET_NO_NEW_PRIVS): %s", strerror(errno));
		return -1;
	}
	level_reach(l, SANDBOX_NO_NEW_PRIVS);
	return 0;
}

static int no_new_privileges(const struct sandbox_plan *p, struct sandbox_level *l, struct err *err)
{
	return layer_left_out(p, SANDBOX_NO_NEW_PRIVS) ? 0 : privileges_freeze(l, err);
}

/* Other processes of the user must not read its memory, and no core is written unless the
 * configuration asks for it. The change of ids cleared the flag already, so it is set for a
 * core. */
static int memory_hide(const struct sandbox_plan *p, struct sandbox_level *l, struct err *err)
{
	const unsigned long dumpable = p->role == SANDBOX_WORKER && p->core_bytes > 0;
	(void)l;
	if (prctl(PR_SET_DUMPABLE, dumpable, 0, 0, 0) == 0)
		return 0;
	err_set(err, "prctl(PR_SET_DUMPABLE): %s", strerror(errno));
	return -1;
}

/* Comes after the ids, since their change clears the signal. If the parent ended before this call,
 * the parent is another process now. */
static int parent_bind(const struct sandbox_plan *p, struct sandbox_level *l, struct err *err)
{
	(void)l;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0) {
		err_set(err, "prctl(PR_SET_PDEATHSIG): %s", strerror(errno));
		return -1;
	}
	if (getppid() != p->parent_pid)
		_exit(EX_UNAVAILABLE);
	return 0;
}

/* --- the ways down --------------------------------------------------------------------------- */

static int take_steps(sandbox_step *const steps[], const struct sandbox_plan *p,
		      struct sandbox_level *l, struct err *err)
{
	for (size_t i = 0; steps[i] != NULL; i++)
		if (steps[i](p, l, err) < 0)
			return -1;
	return 0;
}

int sandbox_drop(const struct sandbox_plan *p, struct sandbox_level *ret_level, struct err *err)
{
	/* another user without privileges, that still sees the files of the system */
	static sandbox_step *const become[] = {limits_offer_to_oom_killer,
					       roots_look,
					       root_expect,
					       root_change_as_owner,
					       capabilities_unbound,
					       capabilities_keep,
					       user_become,
					       capabilities_narrow,
					       user_verify,
					       no_new_privileges,
					       memory_hide,
					       parent_bind,
					       NULL};
	/* From here on objects may be loaded; nobody has one yet. After this, no file is seen. */
	static sandbox_step *const enclose[] = {root_change, capabilities_give_up, landlock_confine,
						limits_set, NULL};
	struct sandbox_level level;
	level_init(&level, p->role);
	if (p->role == SANDBOX_MASTER || p->role == SANDBOX_MOUNTER) {
		err_set(err, "a master is not confined like its children");
		return -1;
	}
	if ((p->needs & ~sandbox_needs_of(p->role)) != 0 ||
	    (p->roots_count > 0 && (p->needs & SANDBOX_FILES) == 0) ||
	    (p->tcp_ports_count > 0 && (p->needs & SANDBOX_PINNED) == 0)) {
		err_set(err, "it would get system calls that only another role needs");
		return -1;
	}
	if (take_steps(become, p, &level, err) < 0 || take_steps(enclose, p, &level, err) < 0)
		return -1;
	*ret_level = level;
	return 0;
}

int sandbox_seal(const struct sandbox_plan *p, struct sandbox_level *level, struct err *err)
{
	static sandbox_step *const steps[] = {limits_no_processes, seccomp_confine, NULL};
	return take_steps(steps, p, level, err);
}

int sandbox_master(struct sandbox_level *ret_level, uint64_t in_force, struct err *err)
{
	struct sandbox_level level;
	level_init(&level, SANDBOX_MASTER);
	if (capabilities_keep_for_master(&level, err) < 0 || privileges_freeze(&level, err) < 0 ||
	    seccomp_confine_master(&level, in_force, err) < 0)
		return -1;
	level.uid = geteuid();
	level.gid = getegid();
	*ret_level = level;
	return 0;
}

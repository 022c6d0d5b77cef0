/*
 * sandbox: the order of the drop. Whatever is loaded into a process while it still sees the
 * system's files must not run as root, so the ids change before the root directory does.
 *
 * chroot(2) is replaced by one that first looks at the process, as a constructor of a loaded object
 * could.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/internal.h"
#include "sandbox/sandbox.h"
#include "skip.h"

#define NOBODY   65534
#define BIT(x)   (1u << (x))
#define CAP(x)   (1ULL << (x))
#define SETS_MAX 64

struct seen {
	unsigned calls;
	uid_t uid[3];
	gid_t gid[3];
	int groups;
	bool root_again, loads, new_privileges;
	int dumpable, bounding, signal;
	uint64_t effective, permitted, inheritable;
};

static struct shared {
	struct seen at_root, at_end;
	struct sandbox_level level;
} * shared;

static void look(struct seen *s)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct half[_LINUX_CAPABILITY_U32S_3] = {{0}};
	int signal = 0;
	s->calls++;
	(void)getresuid(&s->uid[0], &s->uid[1], &s->uid[2]);
	(void)getresgid(&s->gid[0], &s->gid[1], &s->gid[2]);
	s->groups = getgroups(0, NULL);
	s->root_again = s->uid[0] != 0 && (setuid(0) == 0 || seteuid(0) == 0);
	s->loads = access("/proc/self/exe", F_OK) == 0;
	s->new_privileges = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0;
	s->dumpable = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
	(void)prctl(PR_GET_PDEATHSIG, &signal, 0, 0, 0);
	s->signal = signal;
	for (int i = 0; i < SETS_MAX; i++)
		s->bounding += prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1;
	(void)syscall(SYS_capget, &head, half);
	s->effective = half[0].effective | (uint64_t)half[1].effective << 32;
	s->permitted = half[0].permitted | (uint64_t)half[1].permitted << 32;
	s->inheritable = half[0].inheritable | (uint64_t)half[1].inheritable << 32;
}

int chroot(const char *path)
{
	look(&shared->at_root);
	return (int)syscall(SYS_chroot, path);
}

static int shared_setup(void **state)
{
	(void)state;
	shared =
	    mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return shared == MAP_FAILED;
}

/* As in a container, whose root has few capabilities. */
static int capability_lose(uint64_t lost)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct half[_LINUX_CAPABILITY_U32S_3] = {{0}};
	if (syscall(SYS_capget, &head, half) < 0)
		return -1;
	half[0].effective &= ~(uint32_t)lost;
	half[0].permitted &= ~(uint32_t)lost;
	return (int)syscall(SYS_capset, &head, half);
}

static uint64_t lost; /* capabilities that the process does not have when it begins */

/* Drops the privileges in a child, for an empty directory of that mode. */
static int drop(enum sandbox_role role, mode_t mode, unsigned leave_out)
{
	struct sandbox_plan p = {.role = role,
				 .parent_pid = getpid(),
				 .change_user = true,
				 .uid = NOBODY,
				 .gid = NOBODY,
				 .descriptors = 64,
				 .leave_out = leave_out};
	char folder[] = "/tmp/bulkhead-test-XXXXXX";
	int status = -1;
	*shared = (struct shared){.at_root = {.calls = 0}};
	assert_non_null(mkdtemp(folder));
	assert_int_equal(chmod(folder, mode), 0);
	p.chroot_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	pid_t pid = fork();
	if (pid == 0) {
		struct err err;
		alarm(60);
		const gid_t groups[] = {0, 5};
		if (setgroups(2, groups) < 0 || capability_lose(lost) < 0 ||
		    sandbox_drop(&p, &shared->level, &err) < 0)
			_exit(EXIT_FAILURE);
		look(&shared->at_end);
		_exit(EXIT_SUCCESS);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(p.chroot_fd);
	rmdir(folder);
	return status;
}

static bool can_show(void)
{
	return geteuid() == 0 && capabilities_have(CAP_SYS_CHROOT) && !calls_sanitized;
}

static void assert_nobody(const struct seen *s)
{
	for (int i = 0; i < 3; i++) {
		assert_int_equal(s->uid[i], NOBODY);
		assert_int_equal(s->gid[i], NOBODY);
	}
	assert_int_equal(s->groups, 0);
	assert_false(s->root_again);
	assert_false(s->new_privileges);
	assert_int_equal(s->dumpable, 0);
	assert_int_equal(s->signal, 9);
	assert_int_equal(s->bounding, 0);
	assert_int_equal(s->inheritable, 0);
}

static void nothing_is_loaded_as_root(void **state)
{
	(void)state;
	if (!can_show())
		skip_because("needs root, and a build without sanitizers");
	static const enum sandbox_role roles[] = {SANDBOX_WORKER, SANDBOX_KEYHOLDER};
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(drop(roles[i], 0755, 0), 0);
		assert_int_equal(shared->at_root.calls, 1);
		assert_true(shared->at_root.loads); /* the files of the system are still there */
		assert_nobody(&shared->at_root);
		assert_int_equal(shared->at_root.permitted, CAP(CAP_SYS_CHROOT));
		assert_int_equal(shared->at_root.effective, CAP(CAP_SYS_CHROOT));
		assert_false(shared->at_end.loads);
		assert_nobody(&shared->at_end);
		assert_int_equal(shared->at_end.permitted, 0);
		assert_int_equal(shared->at_end.effective, 0);
		assert_true(shared->level.reached & BIT(SANDBOX_CHROOT));
		assert_true(shared->level.reached & BIT(SANDBOX_USER));
		assert_true(shared->level.reached & BIT(SANDBOX_CAPABILITIES));
	}
}

/* It served before the ids came first, so it must not become unsuitable. */
static void a_root_directory_that_only_root_may_search_is_entered(void **state)
{
	(void)state;
	if (!can_show())
		skip_because("needs root, and a build without sanitizers");
	assert_int_equal(drop(SANDBOX_WORKER, 0700, 0), 0);
	assert_int_equal(shared->at_root.permitted & ~CAP(CAP_DAC_READ_SEARCH),
			 CAP(CAP_SYS_CHROOT));
	assert_nobody(&shared->at_end);
	assert_int_equal(shared->at_end.permitted, 0);
	assert_true(shared->level.reached & BIT(SANDBOX_CHROOT));
}

/* In a container without CAP_DAC_READ_SEARCH only its owner can enter it, before the ids change. */
static void such_a_directory_is_entered_without_the_capability_for_it(void **state)
{
	(void)state;
	if (!can_show())
		skip_because("needs root, and a build without sanitizers");
	lost = CAP(CAP_DAC_READ_SEARCH) | CAP(CAP_DAC_OVERRIDE);
	for (mode_t mode = 0700; mode <= 0755; mode += 0055) {
		assert_int_equal(drop(SANDBOX_WORKER, mode, 0), 0);
		assert_int_equal(shared->at_root.calls, 1);
		assert_int_equal(shared->at_root.uid[0], mode == 0700 ? 0 : NOBODY);
		assert_false(shared->at_end.loads);
		assert_nobody(&shared->at_end);
		assert_int_equal(shared->at_end.permitted, 0);
		assert_int_equal(shared->level.errors[SANDBOX_CHROOT], 0);
		assert_true(shared->level.reached & BIT(SANDBOX_CHROOT));
		assert_true(shared->level.reached & BIT(SANDBOX_CAPABILITIES));
	}
	lost = 0;
}

/* Without the layer of capabilities the kernel takes them at the change of ids, all of them. */
static void no_capability_is_left_over_when_that_layer_is_left_out(void **state)
{
	(void)state;
	if (!can_show())
		skip_because("needs root, and a build without sanitizers");
	assert_int_equal(drop(SANDBOX_WORKER, 0755, BIT(SANDBOX_CAPABILITIES)), 0);
	assert_int_equal(shared->at_root.permitted, CAP(CAP_SYS_CHROOT));
	assert_int_equal(shared->at_end.permitted, 0);
	assert_int_equal(shared->at_end.effective, 0);
	assert_true(shared->level.reached & BIT(SANDBOX_CHROOT));
	assert_false(shared->level.reached & BIT(SANDBOX_CAPABILITIES));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_is_loaded_as_root),
	    cmocka_unit_test(a_root_directory_that_only_root_may_search_is_entered),
	    cmocka_unit_test(such_a_directory_is_entered_without_the_capability_for_it),
	    cmocka_unit_test(no_capability_is_left_over_when_that_layer_is_left_out),
	};
	return cmocka_run_group_tests_name("sandbox order", tests, shared_setup, NULL);
}

/* control/place: the folders of control sockets, and the names in them */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/place.h"

static struct control_folders folders;

static void list(uid_t uid, const char *runtime, const char *session, const char *state,
		 const char *home)
{
	const struct control_surroundings s = {.uid = uid,
					       .runtime_directory = runtime,
					       .xdg_runtime_dir = session,
					       .xdg_state_home = state,
					       .home = home};
	control_folders_list(&folders, &s);
}

/* wanted: base and rest of each, NULL at the end. */
static void assert_folders(const char *const *wanted)
{
	size_t i = 0;
	for (; wanted[2 * i] != NULL; i++) {
		char path[256];
		assert_true(i < folders.count);
		(void)snprintf(path, sizeof(path), "%s%s", wanted[2 * i], wanted[2 * i + 1]);
		assert_string_equal(folders.list[i].path, path);
		assert_int_equal(folders.list[i].base_len, strlen(wanted[2 * i]));
		assert_int_equal(folders.list[i].packaged, strcmp(path, "/run/bulkhead") == 0);
	}
	assert_int_equal(folders.count, i);
}

#define FOLDERS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void each_user_has_folders_in_order(void **state)
{
	(void)state;
	list(0, NULL, "/run/user/0", "/s", "/root");
	assert_folders(FOLDERS("/run", "/bulkhead"));
	list(0, "/run/other:/run/more", NULL, NULL, NULL);
	assert_folders(FOLDERS("/run/other", "", "/run", "/bulkhead"));
	list(0, "/run/bulkhead", NULL, NULL, NULL);
	assert_folders(FOLDERS("/run/bulkhead", ""));
	list(1000, NULL, "/run/user/1000", NULL, "/home/a");
	assert_folders(FOLDERS("/run", "/bulkhead", "/run/user/1000", "/bulkhead", "/home/a",
			       "/.local/state/bulkhead"));
	list(1000, NULL, NULL, "/s", "/home/a");
	assert_folders(
	    FOLDERS("/run", "/bulkhead", "/run/user/1000", "/bulkhead", "/s", "/bulkhead"));
	list(1000, NULL, NULL, NULL, NULL);
	assert_folders(FOLDERS("/run", "/bulkhead", "/run/user/1000", "/bulkhead"));
}

static void what_is_no_absolute_path_is_left_out(void **state)
{
	char path[300];
	(void)state;
	list(1000, "", "", "", "");
	assert_folders(FOLDERS("/run", "/bulkhead", "/run/user/1000", "/bulkhead"));
	list(1000, "run", "session", "state", "home");
	assert_folders(FOLDERS("/run", "/bulkhead", "/run/user/1000", "/bulkhead"));
	for (size_t len = 1; len < sizeof(path) - 1; len++) { /* nor what is too long */
		memset(path, 'x', len);
		path[0] = '/';
		path[len] = '\0';
		list(1000, path, path, path, path);
		for (size_t i = 0; i < folders.count; i++)
			assert_true(strlen(folders.list[i].path) + strlen("/control-4194304.sock") +
					strlen(".4194304") <
				    108);
	}
}

static void names_of_sockets_are_known(void **state)
{
	static const char *const ours[] = {"control.sock", "control-1.sock",
					   "control-4194304.sock"};
	static const char *const others[] = {"",
					     "control",
					     "control.soc",
					     "control.sock.1",
					     "control-.sock",
					     "control-1.sock.1",
					     "control-1a.sock",
					     "control--1.sock",
					     "xcontrol.sock",
					     "Control.sock",
					     "control-1.sock ",
					     "control-12345678901.sock",
					     "control-1.sockx"};
	(void)state;
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		assert_true(control_name_is_ours(ours[i]));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_false(control_name_is_ours(others[i]));
}

static void a_folder_is_made_and_has_to_be_ones_own(void **state)
{
	char base[] = "/tmp/bulkhead-place-XXXXXX";
	struct control_folder f = {.base_len = sizeof(base) - 1};
	struct stat st;
	char inner[128];
	(void)state;
	assert_non_null(mkdtemp(base));
	(void)snprintf(f.path, sizeof(f.path), "%s/a/b", base);
	assert_int_equal(control_folder_make(&f, geteuid()), 0);
	assert_int_equal(control_folder_make(&f, geteuid()), 0);
	assert_int_equal(lstat(f.path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(control_folder_check(f.path, geteuid() + 1), -EPERM);
	assert_int_equal(chmod(f.path, 0770), 0);
	assert_int_equal(control_folder_make(&f, geteuid()), -EPERM);
	assert_int_equal(rmdir(f.path), 0);
	assert_int_equal(symlink("/tmp", f.path), 0);
	assert_int_equal(control_folder_make(&f, geteuid()), -ENOTDIR);
	assert_int_equal(unlink(f.path), 0);
	(void)snprintf(inner, sizeof(inner), "%s/a", base);
	assert_int_equal(chmod(inner, 0777), 0); /* on the way to it */
	assert_int_equal(control_folder_make(&f, geteuid()), -EPERM);
	assert_int_equal(rmdir(inner), 0);
	assert_int_equal(chmod(base, 0777), 0);
	assert_int_equal(control_folder_make(&f, geteuid()), -EPERM);
	assert_int_equal(rmdir(base), 0);
	assert_int_equal(control_folder_make(&f, geteuid()), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_user_has_folders_in_order),
	    cmocka_unit_test(what_is_no_absolute_path_is_left_out),
	    cmocka_unit_test(names_of_sockets_are_known),
	    cmocka_unit_test(a_folder_is_made_and_has_to_be_ones_own),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

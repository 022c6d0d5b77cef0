/* Which folders hold too much for the workers of one port. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "master/pure/wide.h"

static void folders_of_one_site_are_narrow(void **state)
{
	static const char *const narrow[] = {
	    "/srv/shop",     "/srv/www",          "/opt/shop",        "/data/www",
	    "/var/www/shop", "/var/www/html",     "/var/lib/shop",    "/home/alice/www",
	    "/mnt/disk/www", "/media/eva/disk/a", "/usr/share/nginx", "/dev/shm/www",
	    "/root/www",     "/tmp/site",         "/srv/homepage",    "/usr/local/www/shop"};
	(void)state;
	for (size_t i = 0; i < sizeof(narrow) / sizeof(narrow[0]); i++) {
		if (path_is_wide(narrow[i]))
			print_error("%s\n", narrow[i]);
		assert_false(path_is_wide(narrow[i]));
	}
}

static void folders_of_many_are_wide(void **state)
{
	static const char *const wide[] = {"/",
					   "/srv",
					   "/data",
					   "/www",
					   "/var",
					   "/var/www",
					   "/var/lib",
					   "/var/backups",
					   "/home",
					   "/home/alice",
					   "/root",
					   "/usr/share",
					   "/usr/local",
					   "/etc/ssl",
					   "/etc/a/b/c/d",
					   "/mnt/disk",
					   "/media/disk",
					   "/media/eva/a",
					   "/run/user/7",
					   "/run/bulkhead",
					   "/proc/1/cwd",
					   "/opt",
					   "/export/home",
					   "/export/home/alice",
					   "/var/home/alice"};
	(void)state;
	for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++) {
		if (!path_is_wide(wide[i]))
			print_error("%s\n", wide[i]);
		assert_true(path_is_wide(wide[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(folders_of_one_site_are_narrow),
	    cmocka_unit_test(folders_of_many_are_wide),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Document roots of many hosts, each with a key of its own: how often the master and bulkhead -t
 * look for keys, and how many processes try what users may.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "master/port/port.h"
#include "skip.h"

/* --- what is counted -------------------------------------------------------------------------- */

static size_t resolved, forked;
static void (*meanwhile)(void); /* what somebody does once, after the next path was resolved */

/* These take the places of the library's functions. */
char *realpath(const char *path, char *buffer)
{
	static char *(*real)(const char *, char *);
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "realpath");
	resolved++;
	char *found = real(path, buffer);
	void (*act)(void) = meanwhile;
	meanwhile = NULL;
	if (act != NULL)
		act();
	return found;
}

char *__realpath_chk(const char *path, char *buffer, size_t size); /* NOLINT: of the library */
char *__realpath_chk(const char *path, char *buffer, size_t size)  /* NOLINT */
{
	(void)size;
	return realpath(path, buffer);
}

pid_t fork(void)
{
	static pid_t (*real)(void);
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "fork");
	forked++;
	return real();
}

/* --- a site ----------------------------------------------------------------------------------- */

static char folder[64];

static int begin(void **state)
{
	(void)state;
	(void)strlcpy(folder, "/tmp/bulkhead-roots-XXXXXX", sizeof(folder));
	return mkdtemp(folder) == NULL || chmod(folder, 0755) < 0; /* NOLINT: users look into it */
}

static int end(void **state)
{
	char command[sizeof(folder) + 16];
	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command); /* NOLINT(cert-env33-c): a folder of this test */
}

static void file_make(const char *path)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
}

/* Hosts with a folder and a key each, on ports with these users. */
static struct conf *site_make(size_t hosts, const char *const *users, size_t ports)
{
	char *text = NULL, path[PATH_MAX];
	size_t len;
	struct conf *conf = NULL;
	FILE *f = open_memstream(&text, &len);
	for (size_t i = 0; i < hosts; i++) {
		snprintf(path, sizeof(path), "%s/%zu", folder, i);
		(void)mkdir(path, 0755);
		snprintf(path, sizeof(path), "%s/%zu/www", folder, i);
		(void)mkdir(path, 0755);
		snprintf(path, sizeof(path), "%s/%zu/key", folder, i);
		file_make(path);
	}
	for (size_t p = 0; p < ports; p++) {
		fprintf(f, "port %zu { user \"%s\" respond 421\n", 8000 + p, users[p]);
		for (size_t i = 0; i < hosts; i++)
			fprintf(f,
				"host \"h%zu.example\" { tls { certificate \"%s/%zu/pem\" key "
				"\"%s/%zu/key\" } location \"/\" { files \"%s/%zu/www\" } }\n",
				i, folder, i, folder, i, folder, i);
		fputs("}\n", f);
	}
	assert_int_equal(fclose(f), 0);
	assert_int_equal(conf_parse_text(text, len, "site", &(struct conf_options){.workers = 1},
					 NULL, NULL, &conf),
			 0);
	free(text);
	return conf;
}

/* --- the master ------------------------------------------------------------------------------- */

/* A certificate's renewal opens all roots of its port again. */
static void keys_are_looked_for_once_in_a_turn(void **state)
{
	static const char *const users[] = {"0", "0", "0"};
	enum { HOSTS = 200, PORTS = 3 };
	struct configuration *c = configuration_new(site_make(HOSTS, users, PORTS));
	const struct secrets *secrets;
	struct port port = {.configuration = c, .stage = STAGE_CURRENT};
	struct port *ports[] = {&port};
	struct master m = {.ports = ports, .ports_count = 1};
	(void)state;
	assert_non_null(c);
	for (unsigned turn = 1; turn <= 2; turn++) {
		resolved = 0;
		for (size_t i = 0; i < HOSTS; i++) {
			struct port_file f = {.fd = -1};
			struct err err;
			assert_int_equal(configuration_secrets(c, &secrets), 0);
			assert_int_equal(
			    root_place(secrets, c->conf->ports[0].roots[i].path, &f, &err), 0);
			fd_close(&f.fd);
			place_release(f.place);
		}
		assert_int_equal(secrets->keys.count, HOSTS);
		assert_int_equal(resolved, HOSTS + HOSTS); /* each key, and each root */
		ports_sweep(&m);
		assert_int_equal(secrets->keys.count, 0);
	}
	configuration_release(c);
}

/* --- a link in place of what was judged ---------------------------------------------------------
 */

static char inner[96], other[96], real_other[104];

/* The folder above the root becomes a link to another place. */
static void swap(void)
{
	char away[sizeof(inner) + 8];
	snprintf(away, sizeof(away), "%s.away", inner);
	assert_int_equal(rename(inner, away), 0);
	assert_int_equal(symlink(other, inner), 0);
}

static void swap_prepare(const char *name)
{
	char path[sizeof(inner) + 8];
	snprintf(inner, sizeof(inner), "%s/%s", folder, name);
	snprintf(other, sizeof(other), "%s/%s-other", folder, name);
	assert_int_equal(mkdir(inner, 0755) | mkdir(other, 0755), 0);
	snprintf(path, sizeof(path), "%s/www", inner);
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/www", other);
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(real_other, sizeof(real_other), "%s/www", other);
}

static void what_was_judged_is_opened_and_no_link_in_its_place(void **state)
{
	struct port_place *place = NULL;
	char path[sizeof(inner) + 8];
	(void)state;
	swap_prepare("judged");
	snprintf(path, sizeof(path), "%s/www", inner);
	assert_int_equal(root_find(path, &place), 0);
	swap();
	assert_int_equal(place_open(place), -ELOOP);
	place_release(place);
}

static void a_root_that_has_become_a_link_is_judged_again(void **state)
{
	struct secrets none = {.keys = {.files = NULL}};
	struct port_file f = {.fd = -1};
	struct err err;
	char path[sizeof(inner) + 8], key[sizeof(real_other) + 8];
	const char *keys[] = {key};
	(void)state;
	swap_prepare("again");
	snprintf(path, sizeof(path), "%s/www", inner);
	meanwhile = swap;
	assert_int_equal(root_place(&none, path, &f, &err), 0);
	/* the link leads to a neighbour of its own, so it is followed for each file */
	assert_string_equal(f.place->real, folder);
	fd_close(&f.fd);
	place_release(f.place);

	swap_prepare("key");
	snprintf(path, sizeof(path), "%s/www", inner);
	snprintf(key, sizeof(key), "%s/key", real_other);
	file_make(key);
	assert_int_equal(beneath_init(&none.keys, keys, 1), 0);
	f = (struct port_file){.fd = -1};
	meanwhile = swap;
	assert_int_equal(root_place(&none, path, &f, &err), -1);
	assert_non_null(strstr(err.text, "would be served"));
	place_release(f.place);
	secrets_release(&none);
}

/* --- bulkhead -t ------------------------------------------------------------------------------ */

static size_t found;
static char last[1024];

static void finding(void *arg, enum conf_severity severity, const struct conf_where *where,
		    const char *text)
{
	(void)arg;
	(void)severity;
	(void)where;
	found++;
	(void)strlcpy(last, text, sizeof(last));
}

static void check_is_linear(const char *const *users, size_t ports, size_t processes)
{
	enum { HOSTS = 150 };
	struct conf *conf = site_make(HOSTS, users, ports);
	static char names[HOSTS][sizeof(folder) + 32];
	static char *files[HOSTS];
	for (size_t i = 0; i < HOSTS; i++) { /* a file of the configuration for each host */
		snprintf(names[i], sizeof(names[i]), "%s/%zu/pem", folder, i);
		files[i] = names[i];
	}
	conf->files = files;
	conf->files_count = HOSTS;
	found = resolved = forked = 0;
	assert_int_equal(master_check_roots(conf, finding, NULL), 0);
	assert_int_equal(found, 0);
	/* each key, each file, and each root for each user */
	assert_int_equal(resolved, HOSTS + HOSTS + processes * HOSTS);
	assert_int_equal(forked, processes);
	conf_free(conf);
}

static void a_check_resolves_each_path_once_and_has_one_process_for_each_user(void **state)
{
	static const char *const users[] = {"0", "1", "0", "0"};
	(void)state;
	check_is_linear(users, 1, 1);
	check_is_linear(users, 4, sandbox_may_change_user() ? 2 : 1);
}

static void each_root_that_a_user_cannot_read_is_found(void **state)
{
	static const char *const users[] = {"1", "0"};
	char path[sizeof(folder) + 32], wanted[1024];
	(void)state;
	if (!sandbox_may_change_user())
		skip_because("needs root");
	struct conf *conf = site_make(3, users, 2);
	snprintf(path, sizeof(path), "%s/1/www", folder);
	snprintf(wanted, sizeof(wanted),
		 "document root \"%s\" cannot be read by user 1, as which the workers of port 8000 "
		 "run: Permission denied",
		 path);
	found = 0;
	assert_int_equal(chmod(path, 0), 0);
	assert_int_equal(master_check_roots(conf, finding, NULL), 0);
	assert_int_equal(found, 1);
	assert_string_equal(last, wanted);
	assert_int_equal(chmod(path, 0755), 0);
	conf_free(conf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(keys_are_looked_for_once_in_a_turn),
	    cmocka_unit_test(what_was_judged_is_opened_and_no_link_in_its_place),
	    cmocka_unit_test(a_root_that_has_become_a_link_is_judged_again),
	    cmocka_unit_test(a_check_resolves_each_path_once_and_has_one_process_for_each_user),
	    cmocka_unit_test(each_root_that_a_user_cannot_read_is_found),
	};
	return cmocka_run_group_tests_name("roots", tests, begin, end);
}

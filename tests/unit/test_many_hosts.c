/*
 * What a server does for each host of a port, or each of its files: four times as many may be
 * compared four times as often and a little more, as sorting them does, but not sixteen times.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "calls.h"
#include "master/port/port.h"

#define FEW  100
#define MANY 400

/* The linker leads calls of file_mark_order() here (tests.mk). */
static size_t marks_compared;
int __real_file_mark_order(const struct file_mark *, const struct file_mark *);  /* NOLINT */
int __wrap_file_mark_order(const struct file_mark *, const struct file_mark *);  /* NOLINT */
int __wrap_file_mark_order(const struct file_mark *a, const struct file_mark *b) /* NOLINT */
{
	marks_compared++;
	return __real_file_mark_order(a, b);
}

static void grows_with_the_number(void (*work)(size_t), const size_t *calls)
{
	size_t before = *calls;
	work(FEW);
	const size_t few = *calls - before;
	before = *calls;
	work(MANY);
	const size_t many = *calls - before;
	assert_true(few >= FEW);
	assert_true(many < 8 * few);
}

/* --- files ------------------------------------------------------------------------------------ */

static char folder[64];

static int begin(void **state)
{
	(void)state;
	(void)strlcpy(folder, "/tmp/bulkhead-hosts-XXXXXX", sizeof(folder));
	return mkdtemp(folder) == NULL;
}

static int end(void **state)
{
	char command[sizeof(folder) + 16];
	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command); /* NOLINT(cert-env33-c): a folder of this test */
}

static void file_write(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* --- the configuration ------------------------------------------------------------------------ */

static void no_finding(void *arg, enum conf_severity severity, const struct conf_where *where,
		       const char *text)
{
	(void)arg;
	(void)severity;
	fail_msg("%s:%u: %s", where->file, where->line, text);
}

/* A host with files, a body and an error page of its own, and a pair if the port has TLS. */
static void host_put(FILE *f, size_t i, bool tls)
{
	fprintf(f, "host \"shop%zu.example\" \"*.shop%zu.example\" {\n", i, i);
	if (tls)
		fprintf(f, "tls { certificate \"%s/pem%zu\" key \"%s/key%zu\" }\n", folder, i,
			folder, i);
	fprintf(f,
		"location \"/\" { files \"%s/www%zu\" }\n"
		"location \"/status\" { respond 200 file \"%s/body%zu\" }\n"
		"error 404 { respond file \"%s/404-%zu\" }\n}\n",
		folder, i, folder, i, folder, i);
}

static struct conf *site(size_t hosts, bool tls)
{
	struct conf *conf = NULL;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	fprintf(f, "port 443 {\nlisten on 127.0.0.1 respond 421\n%s", tls ? "" : "tls off\n");
	for (size_t i = 0; i < hosts; i++)
		host_put(f, i, tls);
	fputs("}\n", f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(conf_parse_text(text, len, "site", NULL, no_finding, NULL, &conf), 0);
	free(text);
	return conf;
}

static void site_read_and_write(size_t hosts)
{
	struct conf *conf = site(hosts, true);
	char *text = port_text(conf, &conf->ports[0]);
	assert_non_null(text);
	free(text);
	conf_free(conf);
}

static void a_configuration_does_not_compare_each_host_with_each(void **state)
{
	(void)state;
	grows_with_the_number(site_read_and_write, &strcmp_calls);
}

/* A file for each site, as it is often done. */
static void sites_include(size_t count)
{
	char path[sizeof(folder) + 64], text[128];
	struct conf *conf = NULL;
	for (size_t i = 0; i < count - 1; i++) {
		snprintf(path, sizeof(path), "%s/%zu-site%zu.conf", folder, count, i);
		snprintf(text, sizeof(text), "host \"shop%zu.example\" { respond 200 }\n", i);
		file_write(path, text);
	}
	snprintf(text, sizeof(text), "port 80 { tls off respond 421 include \"%zu-*.conf\" }\n",
		 count);
	snprintf(path, sizeof(path), "%s/main.conf", folder);
	file_write(path, text);
	assert_int_equal(conf_parse_file(path, NULL, no_finding, NULL, &conf), 0);
	assert_int_equal(conf->files_count, count);
	conf_free(conf);
}

static void a_file_for_each_site_is_not_compared_with_each(void **state)
{
	(void)state;
	grows_with_the_number(sites_include, &strcmp_calls);
}

/* --- the master ------------------------------------------------------------------------------- */

static void pairs_make(size_t count)
{
	char path[sizeof(folder) + 32];
	for (size_t i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%s/pem%zu", folder, i);
		file_write(path, "");
		snprintf(path, sizeof(path), "%s/key%zu", folder, i);
		file_write(path, "");
	}
}

/* A port of pairs alone, without roots: those are resolved (test_roots). */
static struct conf *pairs(size_t count)
{
	struct conf *conf = NULL;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	fputs("port 443 {\nlisten on 127.0.0.1 respond 421\ntls {\n", f);
	for (size_t i = 0; i < count; i++)
		fprintf(f, "certificate \"%s/pem%zu\" key \"%s/key%zu\"\n", folder, i, folder, i);
	fputs("}\n}\n", f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(conf_parse_text(text, len, "pairs", NULL, no_finding, NULL, &conf), 0);
	free(text);
	return conf;
}

static void files_open(size_t count)
{
	struct configuration *c = configuration_new(pairs(count));
	struct master m = {.ports_count = 0};
	struct port p = {.master = &m, .configuration = c, .conf = &c->conf->ports[0]};
	struct err err = {""};
	pairs_make(count);
	assert_int_equal(port_open_files(&p, &err), 0);
	assert_int_equal(p.files.count, 2 * count);
	port_close_files(&p);
	configuration_release(c);
}

static void certificates_and_keys_are_not_compared_each_with_each(void **state)
{
	(void)state;
	grows_with_the_number(files_open, &marks_compared);
}

static void a_key_that_is_a_certificate_is_found_among_many(void **state)
{
	enum { COUNT = 50 };
	struct configuration *c = configuration_new(pairs(COUNT));
	struct master m = {.ports_count = 0};
	struct port p = {.master = &m, .configuration = c, .conf = &c->conf->ports[0]};
	struct err err;
	char key[sizeof(folder) + 32], certificate[sizeof(folder) + 32], wanted[512];
	(void)state;
	pairs_make(COUNT);
	for (size_t k = 0; k < COUNT; k += COUNT - 1)
		for (size_t i = 0; i < COUNT; i += 7) {
			snprintf(key, sizeof(key), "%s/key%zu", folder, k);
			snprintf(certificate, sizeof(certificate), "%s/pem%zu", folder, i);
			assert_int_equal(unlink(certificate), 0);
			assert_int_equal(link(key, certificate), 0);
			assert_int_equal(port_open_files(&p, &err), -1);
			snprintf(wanted, sizeof(wanted),
				 "\"%s\" is certificate and key in one: workers read certificates "
				 "and must not see a key; use separate files",
				 certificate);
			assert_string_equal(err.text, wanted);
			assert_int_equal(p.files.count, 0);
			assert_int_equal(unlink(certificate), 0);
			file_write(certificate, "");
		}
	configuration_release(c);
}

static void warnings_inherit(size_t count)
{
	static struct expiry before[MANY], after[MANY];
	static struct expiry_of olds[MANY], heirs[MANY];
	static char names[MANY][40];
	for (size_t i = 0; i < count; i++) {
		snprintf(names[i], sizeof(names[i]), "/etc/shop%zu.pem", i);
		before[i] = (struct expiry){.ends = 1000, .told = (int64_t)i + 1};
		after[i] = (struct expiry){.ends = i % 2 == 0 ? 1000 : 2000};
		olds[i] = (struct expiry_of){&before[i], names[i]};
		heirs[count - 1 - i] = (struct expiry_of){&after[i], names[i]};
	}
	expiries_inherit(heirs, count, olds, count - 10);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(after[i].told, i % 2 == 0 && i < count - 10 ? (int64_t)i + 1 : 0);
}

/* One that was renewed, or is new, is warned of when it is due. */
static void certificates_keep_when_they_were_warned_of(void **state)
{
	(void)state;
	grows_with_the_number(warnings_inherit, &strcmp_calls);
}

static void roots_check(size_t count)
{
	struct conf *conf = site(count, true);
	char path[sizeof(folder) + 32];
	for (size_t i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%s/www%zu", folder, i);
		(void)mkdir(path, 0755);
	}
	assert_int_equal(master_check_roots(conf, no_finding, NULL), 0);
	conf_free(conf);
}

static void a_check_of_roots_does_not_compare_each_with_each(void **state)
{
	(void)state;
	assert_int_equal(chmod(folder, 0755), 0); /* NOLINT: the users of workers look into it */
	grows_with_the_number(roots_check, &strcmp_calls);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_configuration_does_not_compare_each_host_with_each),
	    cmocka_unit_test(a_file_for_each_site_is_not_compared_with_each),
	    cmocka_unit_test(certificates_and_keys_are_not_compared_each_with_each),
	    cmocka_unit_test(a_key_that_is_a_certificate_is_found_among_many),
	    cmocka_unit_test(certificates_keep_when_they_were_warned_of),
	    cmocka_unit_test(a_check_of_roots_does_not_compare_each_with_each),
	};
	return cmocka_run_group_tests_name("many hosts", tests, begin, end);
}

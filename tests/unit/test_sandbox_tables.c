/* sandbox: its README lists the system calls of each role; the tables in the code decide. Runs
 * in the top folder, as the makefile does it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "sandbox/sandbox.h"
#include "skip.h"

#define README   "src/sandbox/README.md"
#define ROW_MAX  2048
#define ROWS_MAX 32

/* The rows of the table whose head begins so. */
static unsigned rows_read(const char *head, char rows[ROWS_MAX][ROW_MAX])
{
	unsigned count = 0;
	int inside = 0;
	char line[ROW_MAX];
	FILE *f = fopen(README, "r");
	if (f == NULL)
		skip_because("src/sandbox/README.md is not below the current directory");
	while (fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, head, strlen(head)) == 0)
			inside = 1;
		else if (line[0] != '|')
			inside = 0;
		else if (inside && line[1] != '-' && count < ROWS_MAX)
			memcpy(rows[count++], line, sizeof(line));
	}
	fclose(f);
	return count;
}

/* Other architectures' forms of the same calls, and calls that fail without being forbidden. */
static int is_variant(const char *name)
{
	return strstr(name, "time64") != NULL || strstr(name, "gettime64") != NULL ||
	       strcmp(name, "mmap2") == 0 || strcmp(name, "fstat64") == 0 ||
	       strstr(name, "fadvise64_64") != NULL;
}

static int row_names(const char *row, const char *name)
{
	char quoted[80];
	(void)snprintf(quoted, sizeof(quoted), "`%s`", name);
	return strstr(row, quoted) != NULL;
}

/* What the page must say about this call and role: it is needed by all, by those with threads or
 * files or TLS, or by none; or it fails. Every worker has clients. */
static const char *cell(enum sandbox_role role, const char *name)
{
	const unsigned all = sandbox_needs_of(role);
	const struct sandbox_call *c;
	for (size_t i = 0; (c = sandbox_calls(role, all, i)) != NULL; i++)
		if (strcmp(c->name, name) == 0 && strcmp(c->condition, "fails") == 0)
			return "fails";
	if (sandbox_lists(role, all & (SANDBOX_CLIENTS | SANDBOX_PINNED), name))
		return "yes";
	if (sandbox_lists(role, all & SANDBOX_FILES, name))
		return "with files";
	if (sandbox_lists(role, all & SANDBOX_TLS, name))
		return "with TLS";
	return sandbox_lists(role, all, name) ? "with threads" : "no";
}

static bool row_says(const char *row, const char *name)
{
	char end[80];
	(void)snprintf(end, sizeof(end), "| %s | %s | %s | %s |\n", cell(SANDBOX_WORKER, name),
		       cell(SANDBOX_KEYHOLDER, name), cell(SANDBOX_CONNECTOR, name),
		       cell(SANDBOX_RESOLVER, name));
	const size_t len = strlen(row), end_len = strlen(end);
	return len > end_len && strcmp(row + len - end_len, end) == 0;
}

static void every_call_that_is_allowed_stands_in_the_page(void **state)
{
	static char rows[ROWS_MAX][ROW_MAX];
	unsigned count = rows_read("| calls allowed |", rows);
	const unsigned all = sandbox_needs_of(SANDBOX_WORKER);
	const enum sandbox_role roles[] = {SANDBOX_WORKER, SANDBOX_CONNECTOR, SANDBOX_RESOLVER};
	const struct sandbox_call *c;
	(void)state;
	assert_in_range(count, 5, ROWS_MAX);
	for (size_t k = 0; k < sizeof(roles) / sizeof(roles[0]); k++)
		for (size_t i = 0;
		     (c = sandbox_calls(roles[k], sandbox_needs_of(roles[k]), i)) != NULL; i++) {
			unsigned found = 0;
			for (unsigned r = 0; r < count; r++)
				found += row_names(rows[r], c->name) && row_says(rows[r], c->name);
			if (found != 1 && !is_variant(c->name))
				fail_msg("%s stands in %u rows of " README, c->name, found);
		}
	for (size_t i = 0; (c = sandbox_calls(SANDBOX_KEYHOLDER, ~0u, i)) != NULL; i++)
		assert_true(sandbox_lists(SANDBOX_WORKER, all, c->name));
}

static void every_call_in_the_page_is_allowed(void **state)
{
	static char rows[ROWS_MAX][ROW_MAX];
	unsigned count = rows_read("| calls allowed |", rows);
	(void)state;
	for (unsigned r = 0; r < count; r++)
		for (const char *p = strchr(rows[r], '`'); p != NULL; p = strchr(p, '`')) {
			const char *end = strchr(++p, '`');
			char name[80];
			assert_non_null(end);
			(void)snprintf(name, sizeof(name), "%.*s", (int)(end - p), p);
			if (name[0] >= 'a' && name[0] <= 'z' && /* not a constant */
			    ((strcmp(cell(SANDBOX_WORKER, name), "no") == 0 &&
			      strcmp(cell(SANDBOX_CONNECTOR, name), "no") == 0) ||
			     !row_says(rows[r], name)))
				fail_msg("%s is not as " README " says", name);
			p = end + 1;
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_call_that_is_allowed_stands_in_the_page),
	    cmocka_unit_test(every_call_in_the_page_is_allowed),
	};
	/* The document leaves out the calls that only sanitizer builds allow. */
	if (sandbox_lists(SANDBOX_WORKER, ~0u, "ptrace"))
		return 0;
	return cmocka_run_group_tests_name("sandbox tables", tests, NULL, NULL);
}

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
	       strcmp(name, "mmap2") == 0;
}

static int row_names(const char *row, const char *name)
{
	char quoted[80];
	(void)snprintf(quoted, sizeof(quoted), "`%s`", name);
	return strstr(row, quoted) != NULL;
}

static int table_has(enum sandbox_role role, const char *name, size_t len)
{
	const struct sandbox_call *c;
	for (size_t i = 0; (c = sandbox_calls(role, i)) != NULL; i++)
		if (strlen(c->name) == len && memcmp(c->name, name, len) == 0)
			return 1;
	return 0;
}

static void every_call_that_is_allowed_stands_in_the_page(void **state)
{
	static char rows[ROWS_MAX][ROW_MAX];
	unsigned count = rows_read("| calls allowed |", rows);
	(void)state;
	assert_in_range(count, 5, ROWS_MAX);
	for (int role = SANDBOX_WORKER; role <= SANDBOX_KEYHOLDER; role++) {
		const struct sandbox_call *c;
		for (size_t i = 0; (c = sandbox_calls((enum sandbox_role)role, i)) != NULL; i++) {
			unsigned found = 0;
			for (unsigned r = 0; r < count; r++)
				found +=
				    row_names(rows[r], c->name) &&
				    (role == SANDBOX_WORKER || strstr(rows[r], "| no |") == NULL);
			if (found != 1 && !is_variant(c->name))
				fail_msg("%s stands in %u rows of " README, c->name, found);
		}
	}
}

static void every_call_in_the_page_is_allowed(void **state)
{
	static char rows[ROWS_MAX][ROW_MAX];
	unsigned count = rows_read("| calls allowed |", rows);
	(void)state;
	for (unsigned r = 0; r < count; r++) {
		int keyholder = strstr(rows[r], "| no |") == NULL;
		for (const char *p = strchr(rows[r], '`'); p != NULL; p = strchr(p, '`')) {
			const char *end = strchr(++p, '`');
			assert_non_null(end);
			size_t len = (size_t)(end - p);
			if (p[0] >= 'a' && p[0] <= 'z' && /* not a constant */
			    (!table_has(SANDBOX_WORKER, p, len) ||
			     table_has(SANDBOX_KEYHOLDER, p, len) != keyholder))
				fail_msg("%.*s is not as " README " says", (int)len, p);
			p = end + 1;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_call_that_is_allowed_stands_in_the_page),
	    cmocka_unit_test(every_call_in_the_page_is_allowed),
	};
	/* The document leaves out the calls that only sanitizer builds allow. */
	if (table_has(SANDBOX_WORKER, "ptrace", 6))
		return 0;
	return cmocka_run_group_tests_name("sandbox tables", tests, NULL, NULL);
}

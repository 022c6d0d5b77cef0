/* Runs in the selftest. Must never count an attempt as passed that was not tested. */
#include "report.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/err.h"

static const char *const verdict_names[VERDICTS] = {"pass", "FAIL", "not tested"};

void report_add(struct report *r, const struct row *row)
{
	struct row *rows = reallocarray(r->rows, r->count + 1, sizeof(*rows));
	if (rows == NULL)
		fatal(EX_OSERR, "out of memory");
	r->rows = rows;
	r->rows[r->count++] = *row;
}

size_t report_count(const struct report *r, enum verdict v)
{
	size_t n = 0;
	for (size_t i = 0; i < r->count; i++)
		n += r->rows[i].verdict == v;
	return n;
}

void report_release(struct report *r)
{
	free(r->rows);
	*r = (struct report){0};
}

/* --- for people ------------------------------------------------------------------------------ */

static bool is_same_group(const struct row *a, const struct row *b)
{
	return strcmp(a->process, b->process) == 0 && strcmp(a->round, b->round) == 0;
}

static void row_print(const struct row *row, FILE *out)
{
	if (row->verdict == VERDICT_UNTESTED)
		fprintf(out, "  -   %-53.53s not tested (%.37s)\n", row->attempt, row->result);
	else
		fprintf(out, "%s  %-53.53s %-24.24s %.25s\n", verdict_names[row->verdict],
			row->attempt, row->expected, row->result);
}

void report_print(const struct report *r, FILE *out)
{
	for (size_t i = 0; i < r->count; i++) {
		const struct row *row = &r->rows[i];
		if (i == 0 || !is_same_group(row, row - 1)) {
			char title[64];
			(void)snprintf(title, sizeof(title), "%s%s%s", row->process,
				       row->round[0] == '\0' ? "" : ", ", row->round);
			fprintf(out, "%s%-59s %-24s %s\n", i == 0 ? "" : "\n", title, "expected",
				"the kernel's answer");
		}
		row_print(row, out);
	}
	fprintf(out, "\n%zu passed, %zu failed, %zu not tested\n", report_count(r, VERDICT_PASS),
		report_count(r, VERDICT_FAIL), report_count(r, VERDICT_UNTESTED));
}

/* --- for machines ---------------------------------------------------------------------------- */

static void string_print(const char *name, const char *value, const char *after, FILE *out)
{
	fprintf(out, "\"%s\": \"", name);
	for (; *value != '\0'; value++) {
		const unsigned char c = (unsigned char)*value;
		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			fprintf(out, "\\u%04x", c);
		else
			fputc(c, out);
	}
	fprintf(out, "\"%s", after);
}

void report_print_json(const struct report *r, FILE *out)
{
	fputs("{\"attempts\": [", out);
	for (size_t i = 0; i < r->count; i++) {
		const struct row *row = &r->rows[i];
		fputs(i == 0 ? "\n  {" : ",\n  {", out);
		string_print("process", row->process, ", ", out);
		string_print("round", row->round, ", ", out);
		string_print("attempt", row->attempt, ", ", out);
		string_print("expected", row->expected, ", ", out);
		string_print("result", row->result, ", ", out);
		string_print("verdict", verdict_names[row->verdict], "}", out);
	}
	fprintf(out, "],\n \"passed\": %zu, \"failed\": %zu, \"not_tested\": %zu}\n",
		report_count(r, VERDICT_PASS), report_count(r, VERDICT_FAIL),
		report_count(r, VERDICT_UNTESTED));
}

/*
 * A control location's queries: "KIND?NAME=VALUE&…", any bytes. A query that is understood is
 * described in words that parse to the same fault; any other gets an error of printable bytes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "fault/fault.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define REQUIRE(condition)        \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

static void description_check(const struct fault *f)
{
	char line[512];
	struct text t;
	struct fault again;
	struct err err;
	text_init(&t, line, sizeof(line));
	fault_describe(f, &t);
	REQUIRE(!t.truncated);
	char *rest = line, *kind = strsep(&rest, " ");
	REQUIRE(fault_begin(&again, kind, strlen(kind), &err) == 0);
	while (rest != NULL) {
		char *name = strsep(&rest, " "), *value = strsep(&rest, " ");
		REQUIRE(value != NULL &&
			fault_set(&again, name, strlen(name), value, strlen(value), &err) == 0);
	}
	again.given = f->given;
	REQUIRE(memcmp(f, &again, sizeof(again)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *text = (const char *)data, *mark = len > 0 ? memchr(text, '?', len) : NULL;
	size_t kind_len = mark != NULL ? (size_t)(mark - text) : len;
	const char *query = mark != NULL ? mark + 1 : "";
	size_t query_len = mark != NULL ? len - kind_len - 1 : 0;
	struct fault f;
	struct err err = {""};
	int error = fault_parse_query(&f, text, kind_len, query, query_len, &err);
	if (error == 0) {
		description_check(&f);
		(void)fault_strikes(&f, fault_draw(f.seed, 0, len));
		if (f.kind == FAULT_DELAY) {
			uint64_t ms = fault_delay_ms(&f, fault_draw(f.seed, 0, len));
			REQUIRE(ms >= f.min_ms && ms <= f.max_ms);
		}
		return 0;
	}
	REQUIRE(error == -EINVAL || error == -ENOENT);
	REQUIRE(err.text[0] != '\0');
	for (const char *c = err.text; *c != '\0'; c++)
		REQUIRE(*c >= 0x20 && *c < 0x7f);
	return 0;
}

/*
 * A line of the control socket, any bytes. A line that is understood has the same meaning when
 * it is written out again; any other gets an error of printable bytes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define REQUIRE(condition)        \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

static void written_again(const struct control_request *r)
{
	char line[CONTROL_REQUEST_MAX], argument[16] = "";
	struct control_request again;
	struct err err;
	if (r->port != 0)
		(void)snprintf(argument, sizeof(argument), " %u", r->port);
	else if (r->dry_run)
		(void)snprintf(argument, sizeof(argument), " dry-run");
	else if (r->verb == CONTROL_LOG)
		(void)snprintf(argument, sizeof(argument), " %s", control_level_name(r->level));
	int n = snprintf(line, sizeof(line), "%s %s%s", CONTROL_PROTOCOL,
			 control_verb_name(r->verb), argument);
	REQUIRE(control_parse(line, (size_t)n, &again, &err) == 0);
	REQUIRE(again.verb == r->verb && again.port == r->port && again.dry_run == r->dry_run &&
		again.level == r->level);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct control_request r = {.verb = CONTROL_VERBS};
	struct err err = {""};
	/* In an allocation of its exact size, so that a sanitizer sees a read past the end. */
	char *line = malloc(len > 0 ? len : 1);
	if (line == NULL)
		return 0;
	if (len > 0)
		memcpy(line, data, len);
	int error = control_parse(line, len, &r, &err);
	free(line);
	if (error == 0) {
		REQUIRE(r.verb < CONTROL_VERBS);
		written_again(&r);
		return 0;
	}
	REQUIRE(error == -EINVAL && r.verb == CONTROL_VERBS);
	REQUIRE(err.text[0] != '\0');
	for (const char *c = err.text; *c != '\0'; c++)
		REQUIRE(*c >= 0x20 && *c < 0x7f);
	return 0;
}

/*
 * Any bytes in place of the master's state: lines of named values are read within their bounds,
 * and an accepted line has the right form.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "master/upgrade/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct record r = {.line = 0};
	struct err err = {""};
	char room[16];
	uint8_t bytes[8];
	while (record_next(&r, &text, &size, &err)) {
		const int64_t n = record_number(&r, "n", -5, 5);
		record_text(&r, "t", room, sizeof(room));
		record_bytes(&r, "b", bytes, sizeof(bytes));
		if (n < -5 || n > 5 || memchr(room, '\0', sizeof(room)) == NULL)
			abort();
		size_t needed = 0;
		for (size_t i = 0; i < r.count; i++)
			needed += !r.values[i].optional || r.values[i].read;
		if (record_done(&r) && needed != 3)
			abort();
	}
	if (r.failed && err.text[0] == '\0')
		abort();
	return 0;
}

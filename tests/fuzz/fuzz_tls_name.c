/*
 * The names that clients ask for: their folded form reads within bounds and stays as it is when it
 * is folded again; a table finds exactly the names that are in it.
 *
 * The input is names, one in each line: the last is looked for among the others.
 */
#include <stdlib.h>
#include <string.h>

#include "tls/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool fold(const uint8_t *data, size_t len, char ret[TLS_NAME_MAX + 1])
{
	char again[TLS_NAME_MAX + 1];
	uint8_t *copy = malloc(len); /* so that a sanitizer reports a read of any byte after it */
	if (copy == NULL && len > 0)
		abort();
	if (len > 0)
		memcpy(copy, data, len);
	const bool is = tls_name_fold(copy, len, ret);
	free(copy);
	if (is && (strlen(ret) == 0 || strlen(ret) > TLS_NAME_MAX))
		abort();
	/* a second final dot would be taken off by a second fold */
	if (is && ret[strlen(ret) - 1] != '.' &&
	    (!tls_name_fold(ret, strlen(ret), again) || strcmp(ret, again) != 0))
		abort();
	return is;
}

static void wildcard_check(const char *name)
{
	char wildcard[TLS_NAME_MAX + 1];
	if (tls_name_wildcard(name, wildcard) &&
	    (strncmp(wildcard, "*.", 2) != 0 || wildcard[2] == '\0' ||
	     strcmp(wildcard + 1, strchr(name, '.')) != 0))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tls_names names = {0};
	const struct tls_name *found;
	char folded[TLS_NAME_MAX + 1], wanted[TLS_NAME_MAX + 1] = "";
	size_t equal = 0;
	for (size_t at = 0; at <= size;) {
		const uint8_t *end = at < size ? memchr(data + at, '\n', size - at) : NULL;
		const size_t len = end != NULL ? (size_t)(end - data) - at : size - at;
		if (fold(data + at, len, folded)) {
			wildcard_check(folded);
			if (end == NULL)
				memcpy(wanted, folded, sizeof(wanted));
			else if (tls_names_add(&names, 0, folded, 0, 0) < 0)
				abort();
		}
		at += len + 1;
	}
	for (size_t i = 0; i < names.count; i++)
		equal += strcmp(names.all[i].name, wanted) == 0;
	tls_names_seal(&names);
	if (tls_names_find(&names, 0, wanted, &found) != (equal > 0))
		abort();
	tls_names_release(&names);
	return 0;
}

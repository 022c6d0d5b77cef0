/* Runs in resolvers, while they start. */
#include "hosts.h"

#include <string.h>

struct word {
	const char *text;
	size_t len;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f' || c == '\0';
}

/* The next word from *at on; false: the line has no more. */
static bool word_next(const char **at, const char *end, struct word *ret)
{
	while (*at < end && is_blank(**at))
		(*at)++;
	ret->text = *at;
	while (*at < end && !is_blank(**at))
		(*at)++;
	ret->len = (size_t)(*at - ret->text);
	return ret->len > 0;
}

void hosts_read(const char *text, size_t len,
		void (*found)(void *arg, const char *name, size_t name_len,
			      const struct network_address *),
		void *arg)
{
	const char *end = text + len, *next;
	for (const char *line = text; line < end; line = next) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		const char *line_end = newline != NULL ? newline : end;
		const char *comment = memchr(line, '#', (size_t)(line_end - line));
		struct network_address address;
		struct word w;
		next = newline != NULL ? newline + 1 : end;
		if (comment != NULL)
			line_end = comment;
		if (!word_next(&line, line_end, &w) ||
		    network_address_parse(w.text, w.len, &address) < 0)
			continue;
		while (word_next(&line, line_end, &w))
			found(arg, w.text, w.len, &address);
	}
}

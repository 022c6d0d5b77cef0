/* Runs in every process, at its start. There is one title per process, and no other thread yet. */
#include "base/title.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
	char *room; /* NULL: the title cannot be set */
	size_t arguments, size;
	char **words, **variables; /* the copies, which others may let go of: unsetenv(3) */
} title;

/* The end of the strings that directly follow each other from there on. */
static char *title_room_end(char **strings, char *end)
{
	for (; *strings != NULL; strings++)
		if (*strings == end)
			end += strlen(end) + 1;
	return end;
}

/* Copies the array and its strings into one piece of memory; NULL without memory. */
static char **title_copy(char **strings)
{
	size_t count = 0, size = 0;
	for (; strings[count] != NULL; count++)
		size += strlen(strings[count]) + 1;
	const size_t array = (count + 1) * sizeof(char *);
	char **copy = malloc(array + size);
	if (copy == NULL)
		return NULL;
	char *at = (char *)copy + array;
	for (size_t i = 0; i < count; i++) {
		const size_t len = strlen(strings[i]) + 1;
		copy[i] = memcpy(at, strings[i], len);
		at += len;
	}
	copy[count] = NULL;
	return copy;
}

void title_init(int argc, char **argv)
{
	static char *none[] = {NULL};
	char **variables = environ != NULL ? environ : none;
	if (argc < 1)
		return;
	char *room = argv[0], *arguments = title_room_end(argv, room);
	char *end = title_room_end(variables, arguments);
	char **words = title_copy(argv);
	char **copy = words != NULL ? title_copy(variables) : NULL;
	if (copy == NULL) {
		free(words);
		return;
	}
	memcpy(argv, words, (size_t)argc * sizeof(*argv));
	environ = copy;
	title.words = words;
	title.variables = copy;
	program_invocation_name = argv[0];
	const char *slash = strrchr(argv[0], '/');
	program_invocation_short_name = slash != NULL ? argv[0] + (slash + 1 - argv[0]) : argv[0];
	title.room = room;
	title.arguments = (size_t)(arguments - room);
	title.size = (size_t)(end - room);
}

void title_write(char *room, size_t arguments, size_t size, const char *text)
{
	size_t len = strlen(text);
	if (len > size - 1)
		len = size - 1;
	memset(room, 0, size);
	memcpy(room, text, len);
	if (len + 1 < arguments)
		room[arguments - 1] = '.'; /* not shown, because it is after the NUL */
}

void title_set(const char *format, ...)
{
	char text[256];
	va_list args;
	if (title.room == NULL)
		return;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	title_write(title.room, title.arguments, title.size, text);
}

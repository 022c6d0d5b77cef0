/* Runs in every process. fatal() must never be reached while clients are served. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void err_set(struct err *e, const char *format, ...)
{
	if (e == NULL)
		return;
	va_list args;
	va_start(args, format);
	(void)vsnprintf(e->text, sizeof(e->text), format, args);
	va_end(args);
}

void fatal(int status, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fputs("bulkhead: ", stderr);
	(void)vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(status);
}

/* Runs in every process. fatal() must never be reached while clients are served. */
#include "base/err.h"

#include <errno.h>
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

bool err_is_shortage(int error)
{
	switch (error) {
	case ENOMEM:
	case EMFILE:
	case ENFILE:
	case EAGAIN: /* fork(2): no more processes */
	case ENOBUFS:
	case ENOSPC:       /* memfd_create(2), or the limit of watches in epoll(7) */
	case ETOOMANYREFS: /* unix(7): too many descriptors in flight */
		return true;
	}
	return false;
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

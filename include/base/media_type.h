/*
 * Media types: "text/html; charset=utf-8" (RFC 9110, 8.3.1).
 *
 * One judge for the configuration, the system's table and what a response says.
 */
#ifndef BASE_MEDIA_TYPE_H
#define BASE_MEDIA_TYPE_H

#include <stddef.h>

enum media_type_fault {
	MEDIA_TYPE_GOOD,
	MEDIA_TYPE_NAME,      /* it does not begin with two tokens and a slash between them */
	MEDIA_TYPE_PARAMETERS /* what follows is not "; name=value", once or more */
};

enum media_type_fault media_type_check(const char *type, size_t len);

#endif

/*
 * struct err: one sentence for a person about what went wrong.
 *
 * Libraries return a negative errno and, where a number is not enough, fill a struct err that the
 * caller owns. fatal() is for a role that is still starting and cannot go on.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>

struct err {
	char text[512]; /* without a newline; "" until an error is set */
};

/* Sets the sentence. Text that does not fit is cut. A NULL err is ignored. */
void err_set(struct err *, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Does this errno mean that the machine or the user lacks something that all ports share: memory,
 * descriptors, processes? Such a shortage passes, and the port that meets it did not cause it. */
bool err_is_shortage(int error);

/* Writes one line to standard error and ends the process with this sysexits(3) status. Call it only
 * while a role starts, never once clients are served. */
void fatal(int status, const char *format, ...) __attribute__((noreturn, format(printf, 2, 3)));

#endif

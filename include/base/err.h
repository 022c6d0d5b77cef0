/*
 * struct err: what went wrong, as one sentence for a person.
 *
 * Libraries return a negative errno and, where a number is not enough, fill a struct err that the
 * caller owns. fatal() is for a role that is only just starting and cannot go on.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>

struct err {
	char text[512]; /* without a newline; "" as long as nothing went wrong */
};

/* Sets the sentence; what does not fit is cut. A NULL err is ignored. */
void err_set(struct err *, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Does this errno say that the machine, or the user, lacks what all ports share: memory,
 * descriptors, processes? It passes, and is no fault of whoever is met by it. */
bool err_is_shortage(int error);

/* Ends the process with the given sysexits(3) status after one line on standard error. Only while
 * a role starts: never once clients are served. */
void fatal(int status, const char *format, ...) __attribute__((noreturn, format(printf, 2, 3)));

#endif

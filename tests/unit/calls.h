/*
 * How often something compares texts, which shows whether its work grows with the number of things
 * or with its square; on a busy machine as on an idle one. Included by one file of a program.
 */
#ifndef TESTS_UNIT_CALLS_H
#define TESTS_UNIT_CALLS_H

#include <stddef.h>

static size_t strcmp_calls;

/* Takes the place of the library's function, for all objects of this program. */
int strcmp(const char *a, const char *b)
{
	strcmp_calls++;
	while (*a == *b && *a != '\0') {
		a++;
		b++;
	}
	return (unsigned char)*a - (unsigned char)*b;
}

/* A sort of n things compares them n times as often as n can be halved. */
static inline size_t calls_of_a_sort(size_t count)
{
	size_t halvings = 1;
	for (size_t n = count; n > 1; n /= 2)
		halvings++;
	return count * halvings;
}

#endif

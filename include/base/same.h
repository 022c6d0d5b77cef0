/*
 * Which texts of a list are equal, such as the names of files that several things need.
 */
#ifndef BASE_SAME_H
#define BASE_SAME_H

#include <stddef.h>
#include <stdint.h>

/* For each text, stores the number of the first that is equal to it. Returns 0 or -ENOMEM. */
int same_texts(const char *const *texts, size_t count, uint32_t *ret_firsts);

#endif

/*
 * The program's functions by address: a table that the link puts into it (symbols.awk), so that it
 * is there in a stripped program, too, and knows static functions.
 */
#ifndef CRASH_SYMBOL_H
#define CRASH_SYMBOL_H

#include <stddef.h>
#include <stdint.h>

/* In ascending order; addresses as linked. Made at the link; symbol_none.c where there is none. */
struct symbol {
	uint32_t address;
	uint32_t name; /* where it begins in symbol_names */
};
extern const struct symbol symbol_table[];
extern const uint32_t symbol_count;
extern const char symbol_names[];

/* The function that the address as linked is in or behind; NULL: none. */
const char *symbol_find(uint64_t address, uint64_t *ret_offset);

#endif

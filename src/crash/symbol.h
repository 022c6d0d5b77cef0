/*
 * The program's functions by address. The link step puts the table into the program (symbols.awk),
 * so it exists in a stripped program, too, and includes static functions.
 */
#ifndef CRASH_SYMBOL_H
#define CRASH_SYMBOL_H

#include <stddef.h>
#include <stdint.h>

/* In ascending order of addresses as linked. Generated at link time; symbol_none.c is used without
 * it. */
struct symbol {
	uint32_t address;
	uint32_t name; /* offset into symbol_names */
};
extern const struct symbol symbol_table[];
extern const uint32_t symbol_count;
extern const char symbol_names[];

/* The last function that begins at or before this address (as linked); NULL: none. */
const char *symbol_find(uint64_t address, uint64_t *ret_offset);

#endif

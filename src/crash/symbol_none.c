/* For programs of the tests, and the first of the two links: an empty table. */
#include "symbol.h"

const struct symbol symbol_table[1];
const uint32_t symbol_count = 0;
const char symbol_names[1] = "";

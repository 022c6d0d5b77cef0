/* Runs in the master, after a child has crashed. */
#include "symbol.h"

const char *symbol_find(uint64_t address, uint64_t *ret_offset)
{
	size_t low = 0, high = symbol_count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (symbol_table[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return NULL;
	*ret_offset = address - symbol_table[low - 1].address;
	return symbol_names + symbol_table[low - 1].name;
}

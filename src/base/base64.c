/* Runs in workers, on what clients send. */
#include "base/base64.h"

static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

size_t base64_decode(const char *text, size_t len, uint8_t *ret)
{
	size_t used = 0, digits = len;
	uint32_t bits = 0;
	unsigned count = 0;
	if (len % 4 != 0)
		return SIZE_MAX;
	while (digits > 0 && len - digits < 2 && text[digits - 1] == '=')
		digits--;
	for (size_t i = 0; i < digits; i++) {
		const int value = value_of(text[i]);
		if (value < 0)
			return SIZE_MAX;
		bits = bits << 6 | (uint32_t)value;
		count += 6;
		if (count >= 8) {
			count -= 8;
			ret[used++] = (uint8_t)(bits >> count);
		}
	}
	return (bits & ((1u << count) - 1)) == 0 ? used : SIZE_MAX;
}

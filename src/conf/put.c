/* Strings of the canonical text. Runs in the master. Must never write one that the lexer reads as
 * anything else. */
#include <string.h>

#include "parser.h"

void conf_put_string(FILE *out, const char *data, size_t len)
{
	fputc('"', out);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)data[i];
		if (c == '\n')
			fputs("\\n", out);
		else if (c == '\r')
			fputs("\\r", out);
		else if (c == '\t')
			fputs("\\t", out);
		else if (c == '"' || c == '\\')
			(void)fprintf(out, "\\%c", c);
		else if (len - i > 5 && memcmp(data + i, "${env:", 6) == 0)
			fputs("\\x24", out); /* what it is the value of was replaced */
		else if (c >= 0x20 && c < 0x7f)
			fputc(c, out);
		else
			(void)fprintf(out, "\\x%02x", c);
	}
	fputc('"', out);
}

void conf_put(FILE *out, const char *before, const char *string)
{
	fputs(before, out);
	conf_put_string(out, string, strlen(string));
}

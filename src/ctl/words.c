/* bulkheadctl: figures for people. Must never be wider than a column, whatever the figure. */
#include "ctl/words.h"

#include <string.h>

static bool ascii_only; /* set before any output */

void words_ascii_only(void)
{
	ascii_only = true;
}

void words_safe(struct text *t, const char *s)
{
	if (s != NULL && ascii_only)
		text_add_escaped(t, s, strlen(s));
	else if (s != NULL)
		text_add_utf8(t, s, strlen(s));
}

void words_certificate(struct text *t, const char *subject, const char *file)
{
	if (strcmp(subject, file) != 0) {
		text_add_str(t, "of ");
		words_safe(t, subject);
		text_add_char(t, ' ');
	}
	text_add_str(t, "in \"");
	words_safe(t, file);
	text_add_char(t, '"');
}

static void words_add_unit(struct text *t, uint64_t value, const char *unit)
{
	text_addf(t, "%llu%s", (unsigned long long)value, unit);
}

/* value / whole with one decimal below 100, else without. */
static void add_fraction(struct text *t, uint64_t value, uint64_t whole, const char *unit)
{
	const uint64_t tenths = value / whole * 10 + value % whole * 10 / whole;
	if (tenths < 1000)
		text_addf(t, "%u.%u%s", (unsigned)(tenths / 10), (unsigned)(tenths % 10), unit);
	else
		words_add_unit(t, tenths / 10, unit);
}

void words_short_duration(struct text *t, uint64_t ms)
{
	const uint64_t s = ms / 1000, minutes = s / 60, hours = minutes / 60, days = hours / 24;
	if (ms < 1000)
		words_add_unit(t, ms, "ms");
	else if (s < 60)
		words_add_unit(t, s, "s");
	else if (hours < 1)
		words_add_unit(t, minutes, "m");
	else if (days < 1)
		text_addf(t, "%uh%02um", (unsigned)hours, (unsigned)(minutes % 60));
	else if (days < 100)
		text_addf(t, "%ud%02uh", (unsigned)days, (unsigned)(hours % 24));
	else
		words_add_unit(t, days < 99999 ? days : 99999, "d");
}

void words_short_latency(struct text *t, uint64_t us)
{
	if (us < 1000)
		words_add_unit(t, us, "us");
	else if (us < 100000)
		add_fraction(t, us, 1000, "ms");
	else if (us < 1000000)
		words_add_unit(t, us / 1000, "ms");
	else {
		words_short_tenths(t, us / 100000);
		text_add_str(t, "s");
	}
}

void words_short_bytes(struct text *t, uint64_t bytes)
{
	static const char *const units[] = {"K", "M", "G", "T", "P", "E"};
	uint64_t whole = 1024;
	unsigned i = 0;
	if (bytes < 1024) {
		words_add_unit(t, bytes, "");
		return;
	}
	while (i < 5 && bytes / whole >= 1024) {
		whole *= 1024;
		i++;
	}
	/* Divides first, so that no product overflows; the error is below a tenth. */
	add_fraction(t, bytes / (whole / 1024), 1024, units[i]);
}

void words_short_count(struct text *t, uint64_t count)
{
	static const char *const units[] = {"k", "M", "G", "T", "P", "E"};
	uint64_t whole = 1000;
	unsigned i = 0;
	if (count < 100000) {
		words_add_unit(t, count, "");
		return;
	}
	while (i < 5 && count / whole >= 1000) {
		whole *= 1000;
		i++;
	}
	add_fraction(t, count / (whole / 1000), 1000, units[i]);
}

void words_short_tenths(struct text *t, uint64_t tenths)
{
	if (tenths < 1000)
		text_addf(t, "%u.%u", (unsigned)(tenths / 10), (unsigned)(tenths % 10));
	else
		words_short_count(t, tenths / 10);
}

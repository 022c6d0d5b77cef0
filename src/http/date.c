/*
 * Runs in the workers, on bytes of any client: reads dates. Must never depend on the locale or the
 * time zone.
 */
#include <string.h>

#include "http/condition.h"
#include "internal.h"

struct date {
	int64_t year;
	unsigned month, day, hour, minute, second; /* month and day from 1 */
};

/* What is left of the text; end == at with failed set once something did not fit. */
struct date_text {
	const char *at, *end;
	bool failed;
};

static void date_expect(struct date_text *t, const char *literal)
{
	const size_t len = strlen(literal);
	if (t->failed || (size_t)(t->end - t->at) < len || memcmp(t->at, literal, len) != 0)
		t->failed = true;
	else
		t->at += len;
}

static unsigned date_digits(struct date_text *t, size_t count)
{
	unsigned value = 0;
	if (t->failed || (size_t)(t->end - t->at) < count) {
		t->failed = true;
		return 0;
	}
	for (size_t i = 0; i < count; i++) {
		if (!char_is_digit(t->at[i]))
			t->failed = true;
		value = value * 10 + (unsigned)(t->at[i] - '0');
	}
	t->at += count;
	return t->failed ? 0 : value;
}

/* One of the names, which are len bytes long; its number. */
static unsigned date_name(struct date_text *t, const char *names, size_t len)
{
	if (!t->failed && (size_t)(t->end - t->at) >= len)
		for (unsigned i = 0; names[i * len] != '\0'; i++)
			if (memcmp(t->at, names + i * len, len) == 0) {
				t->at += len;
				return i;
			}
	t->failed = true;
	return 0;
}

#define DAYS   "MonTueWedThuFriSatSun"
#define MONTHS "JanFebMarAprMayJunJulAugSepOctNovDec"

static void date_time(struct date_text *t, struct date *d)
{
	d->hour = date_digits(t, 2);
	date_expect(t, ":");
	d->minute = date_digits(t, 2);
	date_expect(t, ":");
	d->second = date_digits(t, 2);
}

/* Days since 1970 in the Gregorian calendar; month may be any from 1 to 12. */
static int64_t date_days(int64_t year, unsigned month, unsigned day)
{
	const int64_t y = month <= 2 ? year - 1 : year; /* the year begins in March */
	const int64_t era = (y >= 0 ? y : y - 399) / 400;
	const int64_t of_era = y - era * 400;
	const int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int64_t date_seconds(const struct date *d)
{
	return ((date_days(d->year, d->month, d->day) * 24 + d->hour) * 60 + d->minute) * 60 +
	       d->second;
}

static bool date_is_real(const struct date *d)
{
	static const unsigned days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	const bool leap = d->year % 4 == 0 && (d->year % 100 != 0 || d->year % 400 == 0);
	unsigned most = days[d->month - 1];
	if (d->month == 2 && leap)
		most++;
	return d->day >= 1 && d->day <= most && d->hour < 24 && d->minute < 60 && d->second <= 60;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static void date_fixed(struct date_text *t, struct date *d)
{
	date_expect(t, ", ");
	d->day = date_digits(t, 2);
	date_expect(t, " ");
	d->month = date_name(t, MONTHS, 3) + 1;
	date_expect(t, " ");
	d->year = date_digits(t, 4);
	date_expect(t, " ");
	date_time(t, d);
	date_expect(t, " GMT");
}

/* "Sunday, 06-Nov-94 08:49:37 GMT" */
static void date_rfc850(struct date_text *t, struct date *d)
{
	static const char *const rest[] = {"day", "sday", "nesday", "rsday", "day", "urday", "day"};
	const char *day = t->at - 3;
	size_t i = 0;
	while (i < 6 && memcmp(day, &DAYS[3 * i], 3) != 0)
		i++;
	date_expect(t, rest[i]);
	date_expect(t, ", ");
	d->day = date_digits(t, 2);
	date_expect(t, "-");
	d->month = date_name(t, MONTHS, 3) + 1;
	date_expect(t, "-");
	d->year = date_digits(t, 2);
	date_expect(t, " ");
	date_time(t, d);
	date_expect(t, " GMT");
}

/* "Sun Nov  6 08:49:37 1994" */
static void date_asctime(struct date_text *t, struct date *d)
{
	date_expect(t, " ");
	d->month = date_name(t, MONTHS, 3) + 1;
	date_expect(t, " ");
	if (t->at < t->end && *t->at == ' ') {
		t->at++;
		d->day = date_digits(t, 1);
	} else {
		d->day = date_digits(t, 2);
	}
	date_expect(t, " ");
	date_time(t, d);
	date_expect(t, " ");
	d->year = date_digits(t, 4);
}

/* The century of a year with two digits. */
static void date_add_century(struct date *d, int64_t now)
{
	int64_t year = 1970 + now / 31556952; /* near enough: only its century counts */
	struct date earlier;
	while (date_days(year + 1, 1, 1) * 86400 <= now)
		year++;
	while (date_days(year, 1, 1) * 86400 > now)
		year--;
	d->year += year - year % 100;
	earlier = *d;
	earlier.year -= 50;
	if (date_seconds(&earlier) > now)
		d->year -= 100;
}

bool http_date_parse(const char *s, size_t len, int64_t now, int64_t *ret)
{
	struct date_text t = {.at = s, .end = s + len};
	struct date d = {.month = 1};
	(void)date_name(&t, DAYS, 3);
	if (t.failed || t.at == t.end)
		return false;
	if (*t.at == ',') {
		date_fixed(&t, &d);
	} else if (*t.at == ' ') {
		date_asctime(&t, &d);
	} else {
		date_rfc850(&t, &d);
		if (!t.failed)
			date_add_century(&d, now);
	}
	if (t.failed || t.at != t.end || !date_is_real(&d))
		return false;
	*ret = date_seconds(&d);
	return true;
}

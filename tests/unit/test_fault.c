/* The catalogue of faults: descriptions parse to the same fault, and a seed gives the same
 * sequence each time.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "fault/fault.h"

static struct fault parse(const char *kind, const char *query)
{
	struct fault f;
	struct err err = {""};
	if (fault_parse_query(&f, kind, strlen(kind), query, strlen(query), &err) < 0)
		fail_msg("%s?%s: %s", kind, query, err.text);
	return f;
}

static void refused(const char *kind, const char *query, int error, const char *sentence)
{
	struct fault f;
	struct err err = {""};
	assert_int_equal(fault_parse_query(&f, kind, strlen(kind), query, strlen(query), &err),
			 error);
	assert_string_equal(err.text, sentence);
}

static const char *described(const struct fault *f)
{
	static char line[512];
	struct text t;
	text_init(&t, line, sizeof(line));
	fault_describe(f, &t);
	assert_false(t.truncated);
	return line;
}

/* Parses the description as the configuration does, in words. */
static struct fault parse_words(const char *line)
{
	char copy[512];
	struct fault f;
	struct err err;
	assert_true(strlen(line) < sizeof(copy));
	strcpy(copy, line);
	char *rest = copy, *kind = strsep(&rest, " ");
	assert_int_equal(fault_begin(&f, kind, strlen(kind), &err), 0);
	while (rest != NULL) {
		char *name = strsep(&rest, " "), *value = strsep(&rest, " ");
		assert_non_null(value);
		if (fault_set(&f, name, strlen(name), value, strlen(value), &err) < 0)
			fail_msg("%s: %s", line, err.text);
	}
	return f;
}

static void assert_same(struct fault f, struct fault g)
{
	f.given = g.given = 0;
	assert_memory_equal(&f, &g, sizeof(f));
}

static void every_kind_and_value_is_understood_as_it_is_described(void **state)
{
	(void)state;
	for (unsigned k = 0; k < FAULT_KINDS; k++) {
		const struct fault_info *info = fault_info((enum fault_kind)k);
		const struct fault_parameter *p;
		struct fault preset = parse(info->name, ""),
			     example = parse(info->name, info->example);
		assert_int_equal(preset.kind, k);
		assert_same(parse_words(described(&preset)), preset);
		assert_same(parse_words(described(&example)), example);
		for (size_t i = 0; (p = fault_parameter((enum fault_kind)k, i)) != NULL; i++) {
			for (size_t c = 0; p->choices != NULL && p->choices[c] != NULL; c++) {
				struct fault f = preset;
				struct err err;
				assert_int_equal(fault_set(&f, p->name, strlen(p->name),
							   p->choices[c], strlen(p->choices[c]),
							   &err),
						 0);
				assert_same(parse_words(described(&f)), f);
			}
		}
	}
}

static void a_fault_has_one_description(void **state)
{
	struct fault f = parse("crash", "signal=KILL&when=after");
	(void)state;
	assert_string_equal(described(&f), "crash when after how signal signal KILL");
	f = parse("crash", "probability=0.250&seed=7&how=null");
	assert_string_equal(described(&f),
			    "crash when before how null signal SEGV probability 0.25 seed 7");
	f = parse("hang", "");
	assert_string_equal(described(&f), "hang how loop for ever when before");
	f = parse("hang", "for=90s&how=deadlock");
	assert_string_equal(described(&f), "hang how deadlock for 90s when before");
	f = parse("leak-descriptors", "count=all");
	assert_string_equal(described(&f), "leak-descriptors count all");
	f = parse("leak-memory", "rate=16m&&");
	assert_string_equal(described(&f), "leak-memory rate 16M");
	f = parse("delay", "");
	assert_string_equal(described(&f), "delay distribution fixed mean 100ms deviation 20ms min "
					   "0ms max 10s");
}

static void a_query_is_decoded(void **state)
{
	struct fault f = parse("crash", "sign%61l=%42US&%77hen=during");
	(void)state;
	assert_int_equal(fault_signal(&f), SIGBUS);
	assert_int_equal(f.when, FAULT_DURING);
}

static void what_is_allowed_is_said(void **state)
{
	(void)state;
	refused("crsh", "", -ENOENT,
		"there is no fault `crsh`; there are crash, abort, exit, stop, hang, leak-memory, "
		"leak-descriptors, reset, truncate, drip, delay, status, malformed, handshake, "
		"certificate, violation, keyholder or upstream");
	refused("crash", "sig=SEGV", -EINVAL,
		"the fault crash has no `sig`; it takes when, how, signal, probability or seed");
	refused(
	    "crash", "signal=HUP", -EINVAL,
	    "`HUP` is not allowed for `signal`; it can be ABRT, ALRM, BUS, FPE, ILL, KILL, PROF, "
	    "QUIT, SEGV, TERM, TRAP, VTALRM or XCPU");
	refused("reset", "when=after", -EINVAL,
		"`after` is not allowed for `when`; it can be before, after-head or during");
	refused("hang", "for=0", -EINVAL,
		"`0` is not allowed for `for`; it can be 1ms to 1d or ever");
	refused("exit", "status=256", -EINVAL,
		"`256` is not allowed for `status`; it can be 0 to 255");
	refused("drip", "rate=17M", -EINVAL, "`17M` is not allowed for `rate`; it can be 1 to 16M");
	refused("abort", "probability=1.1", -EINVAL,
		"`1.1` is not allowed for `probability`; it can be 0 to 1");
	refused("abort", "when=after&when=after", -EINVAL, "`when` is given twice");
	refused("abort", "when", -EINVAL, "`when` is not NAME=VALUE");
	refused("abort", "when=%4", -EINVAL, "`when=%4` is not NAME=VALUE");
	refused("truncate", "bytes=5&after=5", -EINVAL,
		"a response is truncated after fewer bytes than it has: `after` must be less than "
		"`bytes`");
	refused("delay", "min=2s&max=1s", -EINVAL,
		"the `min` of a delay must be at most its `max`");
}

static void foreign_bytes_are_escaped_and_cut(void **state)
{
	(void)state;
	refused("abort", "when=%0a%22%ff", -EINVAL,
		"`\\n\\\"\\377` is not allowed for `when`; it can be before, after-head, during or "
		"after");
	refused("abort", "x0123456789012345678901234567890123456789=1", -EINVAL,
		"the fault abort has no `x012345678901234567890123456789012345678...`; it takes "
		"when, probability or seed");
}

static void fractions_are_exact(void **state)
{
	static const struct {
		const char *text;
		uint64_t millionths;
	} good[] = {
	    {"0", 0}, {"1", 1000000}, {"0.5", 500000}, {"0.000001", 1}, {"1.000000", 1000000}};
	static const char *const bad[] = {"",  ".",  ".5",  "1.", "0.0000001",
					  "2", "-1", "1e0", "0,5"};
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		char query[64];
		(void)snprintf(query, sizeof(query), "probability=%s", good[i].text);
		assert_int_equal(parse("abort", query).probability, good[i].millionths);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct fault f = parse("abort", "");
		struct err err;
		assert_int_equal(fault_set(&f, "probability", 11, bad[i], strlen(bad[i]), &err),
				 -EINVAL);
	}
}

static void signals_end_a_process(void **state)
{
	const struct fault_parameter *p;
	struct fault f = parse("crash", "");
	(void)state;
	for (size_t i = 0; (p = fault_parameter(FAULT_CRASH, i)) != NULL; i++) {
		if (strcmp(p->name, "signal") != 0)
			continue;
		for (f.signal = 0; p->choices[f.signal] != NULL; f.signal++)
			assert_string_equal(sigabbrev_np(fault_signal(&f)), p->choices[f.signal]);
	}
}

static void draws_are_reproducible_and_fair(void **state)
{
	struct fault f = parse("abort", "probability=0.25");
	unsigned struck = 0;
	(void)state;
	/* Written down, so that a change does not make yesterday's seeds mean something else. */
	assert_int_equal(fault_draw(0, 0, 0), UINT64_C(0x238275bc38fcbe91));
	for (uint64_t i = 0; i < 100000; i++)
		struck += fault_strikes(&f, fault_draw(7, 1, i));
	assert_in_range(struck, 24500, 25500);
	assert_true(fault_draw(7, 1, 5) == fault_draw(7, 1, 5));
	assert_true(fault_draw(7, 1, 5) != fault_draw(7, 2, 5));
	assert_true(fault_draw(7, 1, 5) != fault_draw(8, 1, 5));
	f.probability = 0;
	assert_false(fault_strikes(&f, 0));
	f.probability = FAULT_PROBABILITY_ONE;
	assert_true(fault_strikes(&f, UINT64_MAX));
}

static void delays_follow_their_distribution(void **state)
{
	static const struct {
		const char *query;
		uint64_t least, most;
		double mean, tolerance;
	} cases[] = {
	    {"mean=70ms", 70, 70, 70, 0},
	    {"distribution=uniform&mean=100ms&deviation=50ms", 50, 150, 100, 1},
	    {"distribution=normal&mean=200ms&deviation=20ms", 80, 320, 200, 1},
	    {"distribution=exponential&mean=100ms&max=1h", 0, 3600000, 100, 2},
	    {"distribution=normal&mean=0&deviation=1s&min=5ms&max=20ms", 5, 20, 12.5, 3},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fault f = parse("delay", cases[i].query);
		double sum = 0;
		for (uint64_t n = 0; n < 100000; n++) {
			uint64_t ms = fault_delay_ms(&f, fault_draw(f.seed, 0, n));
			assert_in_range(ms, cases[i].least, cases[i].most);
			sum += (double)ms;
		}
		double off = sum / 100000 - cases[i].mean;
		if (off > cases[i].tolerance || off < -cases[i].tolerance)
			fail_msg("%s: the mean is %f", cases[i].query, sum / 100000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_kind_and_value_is_understood_as_it_is_described),
	    cmocka_unit_test(a_fault_has_one_description),
	    cmocka_unit_test(a_query_is_decoded),
	    cmocka_unit_test(what_is_allowed_is_said),
	    cmocka_unit_test(foreign_bytes_are_escaped_and_cut),
	    cmocka_unit_test(fractions_are_exact),
	    cmocka_unit_test(signals_end_a_process),
	    cmocka_unit_test(draws_are_reproducible_and_fair),
	    cmocka_unit_test(delays_follow_their_distribution),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

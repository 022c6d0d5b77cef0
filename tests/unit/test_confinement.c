/* How far processes are confined, in one sentence, and which of them have less than others. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "master/pure/confinement.h"

#define BIT(layer) (1u << SANDBOX_##layer)
#define ALL        ((1u << SANDBOX_LAYERS) - 1)
#define OF_PLAIN   (BIT(NO_NEW_PRIVS) | BIT(LANDLOCK) | BIT(SECCOMP))
#define OF_ROOT    "an empty root, a user of its own and an empty capability bounding set"

/* A process with these layers, which has tried all others: they failed with this error. */
static struct sandbox_level level(unsigned reached, int error)
{
	struct sandbox_level l = {.role = SANDBOX_WORKER, .reached = reached};
	for (unsigned i = 0; i < SANDBOX_LAYERS; i++)
		l.errors[i] = reached & 1u << i ? 0 : error;
	return l;
}

static void described(const struct sandbox_level *levels, size_t count, bool plain,
		      const char *want)
{
	struct confinement c = {.count = 0};
	char line[512];
	struct text t;
	for (size_t i = 0; i < count; i++)
		confinement_add(&c, &levels[i]);
	text_init(&t, line, sizeof(line));
	confinement_describe(&c, plain, &t);
	assert_string_equal(line, want);
}

static void one_sentence_for_all(void **state)
{
	const struct sandbox_level full = level(ALL, 0), plain = level(OF_PLAIN, EPERM);
	const struct sandbox_level old = level(ALL & ~BIT(LANDLOCK), ENOSYS);
	const struct sandbox_level off = level(ALL & ~BIT(CHROOT), 0);
	const struct sandbox_level nothing = level(0, EPERM);
	struct sandbox_level local = off; /* a connector to Unix sockets */
	(void)state;
	local.waived = BIT(CHROOT);
	described(
	    (const struct sandbox_level[]){full, local}, 2, false,
	    "a user of its own, an empty capability bounding set, no new privileges, Landlock "
	    "and a list of system calls; some without an empty root (their upstreams are Unix "
	    "sockets)");
	described(&full, 1, false,
		  "an empty root, a user of its own, an empty capability bounding set, no new "
		  "privileges, Landlock and a list of system calls");
	described((const struct sandbox_level[]){plain, plain}, 2, true,
		  "no new privileges, Landlock and a list of system calls; a start as root "
		  "adds " OF_ROOT);
	/* What root lacks is told with its reason; so is what root would not add. */
	described(&old, 1, false,
		  "an empty root, a user of its own, an empty capability bounding set, no new "
		  "privileges and a list of system calls; without Landlock (Function not "
		  "implemented)");
	described(
	    (const struct sandbox_level[]){full, off}, 2, false,
	    "a user of its own, an empty capability bounding set, no new privileges, Landlock "
	    "and a list of system calls; some without an empty root (not asked for)");
	described(
	    (const struct sandbox_level[]){full, old, off}, 3, false,
	    "a user of its own, an empty capability bounding set, no new privileges and a list "
	    "of system calls; some without an empty root (not asked for) and Landlock (Function "
	    "not implemented)");
	struct sandbox_level both = plain;
	both.reached &= ~BIT(LANDLOCK);
	both.errors[SANDBOX_LANDLOCK] = EOPNOTSUPP;
	described(&both, 1, true,
		  "no new privileges and a list of system calls; without Landlock (Operation not "
		  "supported); a start as root adds " OF_ROOT);
	described(
	    &nothing, 1, true,
	    "nothing; without no new privileges (Operation not permitted), Landlock (Operation "
	    "not permitted) and a list of system calls (Operation not permitted); a start as "
	    "root adds " OF_ROOT);
}

static void less_is_what_was_tried_and_others_have(void **state)
{
	const struct sandbox_level plain = level(OF_PLAIN, EPERM);
	const struct sandbox_level off = level(ALL & ~BIT(CHROOT), 0);
	(void)state;
	assert_int_equal(confinement_less(ALL, &plain), ALL & ~OF_PLAIN);
	assert_int_equal(confinement_less(OF_PLAIN, &plain), 0); /* nobody has more */
	assert_int_equal(confinement_less(ALL, &off), 0);        /* it was not wanted */
	assert_int_equal(confinement_less(0, &plain), 0);
}

/* A child may send what it likes. */
static void any_bytes_are_described(void **state)
{
	(void)state;
	for (unsigned byte = 0; byte < 256; byte++) {
		struct sandbox_level l;
		struct confinement c = {.count = 0};
		char line[512];
		struct text t;
		memset(&l, (int)byte, sizeof(l));
		for (unsigned k = 0; k < 3; k++) {
			confinement_add(&c, &l);
			l.reached ^= 0x0f0f0f0fu << k;
			assert_int_equal(confinement_less(UINT32_MAX, &l) & ~ALL, 0);
		}
		text_init(&t, line, sizeof(line));
		confinement_describe(&c, byte & 1, &t);
		assert_true(t.len > 0 && strlen(line) < sizeof(line));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_sentence_for_all),
	    cmocka_unit_test(less_is_what_was_tried_and_others_have),
	    cmocka_unit_test(any_bytes_are_described),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

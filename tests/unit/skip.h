#ifndef TESTS_UNIT_SKIP_H
#define TESTS_UNIT_SKIP_H

/* A skipped test says why: scripts/count reads it, cmocka's skip() itself has no reason. */
#define skip_because(why)                         \
	do {                                      \
		print_message("skip: %s\n", why); \
		skip();                           \
	} while (0)

#endif

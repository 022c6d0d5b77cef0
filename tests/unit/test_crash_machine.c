/* crash/machine: return addresses are told from other addresses by the call before them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "crash/machine.h"

#if defined(__x86_64__)

/* The bytes before an address, on top of others that are no call. */
struct before {
	const char *bytes;
	size_t length;
};

static bool is_behind(const struct before *b)
{
	uint8_t code[2 * MACHINE_CALL_MAX];
	memset(code, 0x90, sizeof(code));
	memcpy(code + MACHINE_CALL_MAX - b->length, b->bytes, b->length);
	memset(code + MACHINE_CALL_MAX, 0x90, MACHINE_CALL_MAX);
	return machine_is_behind_indirect_call(code + MACHINE_CALL_MAX);
}

#define BEFORE(s)                \
	{                        \
		s, sizeof(s) - 1 \
	}

static void indirect_calls_have_the_length_of_their_form(void **state)
{
	static const struct before calls[] = {
	    BEFORE("\xff\xd0"),                         /* call *%rax */
	    BEFORE("\x41\xff\xd4"),                     /* call *%r12 */
	    BEFORE("\xff\x13"),                         /* call *(%rbx) */
	    BEFORE("\xff\x14\x24"),                     /* call *(%rsp) */
	    BEFORE("\xff\x14\xc3"),                     /* call *(%rbx,%rax,8) */
	    BEFORE("\xff\x53\x18"),                     /* call *0x18(%rbx) */
	    BEFORE("\xff\x54\x24\x08"),                 /* call *0x8(%rsp) */
	    BEFORE("\xff\x15\xe4\xc8\x13\x00"),         /* call *0x13c8e4(%rip) */
	    BEFORE("\xff\x93\x00\x01\x00\x00"),         /* call *0x100(%rbx) */
	    BEFORE("\xff\x94\x24\x00\x01\x00\x00"),     /* call *0x100(%rsp) */
	    BEFORE("\xff\x14\x25\x00\x10\x00\x00"),     /* call *0x1000 */
	    BEFORE("\xff\x14\xc5\x00\x10\x00\x00"),     /* call *0x1000(,%rax,8) */
	    BEFORE("\x41\xff\x94\xc4\x00\x01\x00\x00"), /* call *0x100(%r12,%rax,8) */
	};
	(void)state;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (!is_behind(&calls[i]))
			fail_msg("call %zu was not seen", i);
}

static void no_other_place_is_behind_an_indirect_call(void **state)
{
	static const struct before others[] = {
	    BEFORE(""),
	    BEFORE("\xff"),
	    BEFORE("\xff\x15"), /* the beginning of a longer call */
	    BEFORE("\xff\x15\xe4"),
	    BEFORE("\xff\x15\xe4\xc8"),
	    BEFORE("\xff\x15\xe4\xc8\x13"),
	    BEFORE("\xff\x15\xe4\xc8\x13\x00\x90"), /* the instruction after it */
	    BEFORE("\xff\xd0\x90"),
	    BEFORE("\xff\x53"),
	    BEFORE("\xff\x53\x18\x90"),
	    BEFORE("\xff\x14"),
	    BEFORE("\xff\x54\x24"),
	    BEFORE("\xff\x14\xc5\x00"),
	    BEFORE("\xff\x94\x24\x00\x01\x00"),
	    BEFORE("\xff\xe0"),                 /* jmp *%rax */
	    BEFORE("\xff\x25\x00\x00\x00\x00"), /* jmp *0(%rip) */
	    BEFORE("\xff\x70\x08"),             /* push 0x8(%rax) */
	    BEFORE("\xff\xc0"),                 /* inc %eax */
	};
	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (is_behind(&others[i]))
			fail_msg("%zu was taken for a call", i);
}

static void a_direct_call_names_its_target(void **state)
{
	uint8_t code[2 * MACHINE_CALL_MAX] = {0};
	uint8_t *const behind = code + MACHINE_CALL_MAX;
	(void)state;
	assert_true(machine_called(behind) == 0);
	memcpy(behind - 5, "\xe8\x00\x01\x00\x00", 5);
	assert_true(machine_called(behind) == (uintptr_t)behind + 0x100);
	memcpy(behind - 5, "\xe8\xf0\xff\xff\xff", 5);
	assert_true(machine_called(behind) == (uintptr_t)behind - 0x10);
	assert_true(machine_called(behind - 1) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(indirect_calls_have_the_length_of_their_form),
	    cmocka_unit_test(no_other_place_is_behind_an_indirect_call),
	    cmocka_unit_test(a_direct_call_names_its_target),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

/* Elsewhere no call is known from other bytes. */
static void any_place_may_be_behind_a_call(void **state)
{
	const uint8_t code[2 * MACHINE_CALL_MAX] = {0};
	(void)state;
	assert_true(machine_is_behind_indirect_call(code + MACHINE_CALL_MAX));
	assert_true(machine_called(code + MACHINE_CALL_MAX) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(any_place_may_be_behind_a_call)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif

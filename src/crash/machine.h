/*
 * What the crash recorder knows about the processor: the registers in a signal's context, the form
 * of a call instruction, and how to make a system call without the C library, since a process that
 * was taken over can redirect library functions. All of it runs in the handler. On other machines
 * than these there is no backtrace.
 */
#ifndef CRASH_MACHINE_H
#define CRASH_MACHINE_H

#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>
#include <unistd.h>

struct machine_registers {
	uintptr_t pc, sp, fp;
};

#define MACHINE_CALL_MAX 8 /* bytes before a return address that are examined */

#if defined(__x86_64__)

static inline struct machine_registers machine_registers(const ucontext_t *u)
{
	const greg_t *r = u->uc_mcontext.gregs;
	return (struct machine_registers){(uintptr_t)r[REG_RIP], (uintptr_t)r[REG_RSP],
					  (uintptr_t)r[REG_RBP]};
}

/* Is there a call of what a register or memory holds before this address? Its length follows from
 * its second and third byte (Intel SDM volume 2, tables 2-2 and 2-3): an instruction of another
 * length that has the same bytes is none, nor is the middle of a call. */
static inline bool machine_is_behind_indirect_call(const volatile uint8_t *behind)
{
	static const uint8_t displacement[] = {0, 1, 4, 0}; /* by the upper two bits */
	for (int i = 2; i <= 7; i++) {
		const uint8_t form = behind[1 - i], mode = form >> 6, base = form & 7;
		const bool has_sib = mode != 3 && base == 4;
		const bool is_far = mode == 0 && (has_sib && i > 2 ? behind[2 - i] & 7 : base) == 5;
		if (behind[-i] == 0xff && (form >> 3 & 7) == 2 &&
		    i == 2 + has_sib + (is_far ? 4 : displacement[mode]))
			return true;
	}
	return false;
}

/* The target of the direct call before this address; 0: there is none. */
static inline uintptr_t machine_called(const volatile uint8_t *behind)
{
	uint32_t distance = 0;
	if (behind[-5] != 0xe8) /* call rel32 */
		return 0;
	for (int i = 4; i >= 1; i--)
		distance |= (uint32_t)behind[-i] << 8 * (4 - i);
	return (uintptr_t)behind + (uintptr_t)(intptr_t)(int32_t)distance;
}

static inline long machine_syscall(long number, long a, long b, long c)
{
	long result;
	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return result;
}

#else

static inline struct machine_registers machine_registers(const ucontext_t *u)
{
#if defined(__aarch64__)
	return (struct machine_registers){u->uc_mcontext.pc, u->uc_mcontext.sp,
					  u->uc_mcontext.regs[29]};
#else
	(void)u;
	return (struct machine_registers){0, 0, 0};
#endif
}

static inline bool machine_is_behind_indirect_call(const volatile uint8_t *behind)
{
	(void)behind;
	return true; /* it may be */
}

static inline uintptr_t machine_called(const volatile uint8_t *behind)
{
	(void)behind;
	return 0;
}

static inline long machine_syscall(long number, long a, long b, long c)
{
#if defined(__aarch64__)
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
	return x0;
#else
	return syscall(number, a, b, c);
#endif
}

#endif

#endif

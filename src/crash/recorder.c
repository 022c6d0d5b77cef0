/*
 * Runs in workers, keyholders and verifiers: recorder_install() and the other functions while they
 * start, the handler when one crashes. The handler must never trust the heap, the interrupted stack
 * or any variable that a crash could have overwritten, nor call what is not async-signal-safe. It
 * must never return to the crashed code without the default action pending.
 */
#include "crash/recorder.h"

#include <errno.h>
#include <link.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <unistd.h>

#include "machine.h"
#include "modules.h"

#define STACK_BYTES 65536
#define GUARD_BYTES 65536 /* at least a page on every machine */
/* from recorder_thread()'s frame to beyond that of the thread's start function */
#define THREAD_BYTES 512
#define SCAN_WORDS   1024                 /* of a stack, searched for the next frame */
#define DEPTH_BYTES  (UINT64_C(16) << 20) /* more than any stack has (RLIMIT_STACK is 8M) */
#define NEAR_BYTES   UINT64_C(65536)
#define LEAF_BYTES   4096 /* the longest function without a frame */

const int recorder_signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS, 0};

/* All data that the handler uses. It has whole pages, which recorder_close() makes read-only, so
 * that a bug that overwrites memory cannot reach it. */
static union {
	struct {
		struct ipc_board *board;
		unsigned loops;
		uintptr_t text_start, text_end; /* of the program's own code */
		struct {
			pid_t thread;
			uintptr_t top; /* of its stack; frames end here */
		} loop[RECORDER_LOOPS_MAX];
	};
	char pages[65536];
} state __attribute__((aligned(65536)));

/* --- the handler ----------------------------------------------------------------------------- */

/* The slot of this thread. A thread that is not a loop's uses the first slot, without a known
 * stack. */
static unsigned loop_of(pid_t thread, uintptr_t *ret_top)
{
	for (unsigned i = 0; i < state.loops; i++)
		if (state.loop[i].thread == thread) {
			*ret_top = state.loop[i].top;
			return i;
		}
	*ret_top = 0;
	return 0;
}

/* Sanitizers would report reads of another function's frame. */
#define ANY_MEMORY __attribute__((noinline, no_sanitize("address", "thread", "undefined")))

static ANY_MEMORY uintptr_t word_at(uintptr_t address)
{
	return *(const volatile uintptr_t *)address;
}

static void frame_add(struct ipc_crash *c, uintptr_t address)
{
	if (c->frames_count < IPC_FRAMES_MAX)
		c->frames[c->frames_count] = address;
	__atomic_store_n(&c->frames_count, c->frames_count + 1, __ATOMIC_RELEASE);
}

static bool is_own_code(uintptr_t address)
{
	return address >= state.text_start && address < state.text_end;
}

/* Is it a return address in our code? Any word on a stack may look like an address. Our code calls
 * no library directly, only by way of its own. */
static ANY_MEMORY bool is_return(uintptr_t address)
{
	if (!is_own_code(address) || !is_own_code(address - MACHINE_CALL_MAX))
		return false;
	const volatile uint8_t *behind = (const volatile uint8_t *)address;
	return machine_is_behind_indirect_call(behind) || is_own_code(machine_called(behind));
}

/* Does this return address follow a call of the function that contains pc? Only known for direct
 * calls, by their target. */
static ANY_MEMORY bool is_caller(uintptr_t address, uintptr_t pc)
{
	if (!is_return(address))
		return false;
	const uintptr_t target = machine_called((const volatile uint8_t *)address);
	return target != 0 && target <= pc && pc - target < LEAF_BYTES;
}

/* --- frames: the caller's fp is at fp, the return address after it ---------------------------- */

static bool is_inside(uintptr_t fp, uintptr_t bottom, uintptr_t top)
{
	return fp % sizeof(void *) == 0 && fp >= bottom && fp < top - 2 * sizeof(void *);
}

static bool is_frame(uintptr_t fp, uintptr_t bottom, uintptr_t top)
{
	return is_inside(fp, bottom, top) && is_inside(word_at(fp), fp + 1, top) &&
	       is_return(word_at(fp + sizeof(void *)));
}

/* The first frame from at on; 0: none is near. */
static uintptr_t frame_search(uintptr_t at, uintptr_t top)
{
	for (unsigned i = 0; i < SCAN_WORDS && at < top; i++, at += sizeof(void *))
		if (is_frame(at, at, top))
			return at;
	return 0;
}

/* The next frame. Libraries are built without frame pointers and may leave anything in the
 * register, so after such a frame the chain is searched for its continuation. The frame that called
 * main() is the last. */
static uintptr_t frame_next(uintptr_t fp, uintptr_t top)
{
	const uintptr_t next = word_at(fp), behind = fp + 2 * sizeof(void *);
	if (!is_own_code(word_at(fp + sizeof(void *))))
		return 0;
	if (is_frame(next, behind, top))
		return next;
	const uintptr_t found = frame_search(behind, top);
	return found != 0 || !is_inside(next, behind, top) ? found : next;
}

/*
 * Adds the innermost call. A function that calls no other has no frame, so it is not in the chain:
 * its return address is on top of the stack. If the crash is in a library, the first return address
 * of our code below the frame fp is taken for the call into it.
 */
static void innermost(struct ipc_crash *c, const struct machine_registers *r, uintptr_t sp,
		      uintptr_t fp)
{
	if (c->address + NEAR_BYTES - sp < 2 * NEAR_BYTES) /* the stack ran out */
		return;
	if (is_own_code(r->pc)) {
		if (is_caller(word_at(sp), r->pc))
			frame_add(c, word_at(sp));
		return;
	}
	for (; sp < fp; sp += sizeof(void *))
		if (is_return(word_at(sp))) {
			frame_add(c, word_at(sp));
			return;
		}
}

static void backtrace(struct ipc_crash *c, const struct machine_registers *r, uintptr_t top)
{
	const uintptr_t sp = (r->sp + sizeof(void *) - 1) & ~(sizeof(void *) - 1);
	if (sp >= top || top - sp > DEPTH_BYTES) /* sp may point anywhere: do not follow it */
		return;
	uintptr_t fp = is_frame(r->fp, sp, top) ? r->fp : frame_search(sp, top);
	innermost(c, r, sp, fp);
	for (; fp != 0 && c->frames_count < IPC_FRAMES_MAX; fp = frame_next(fp, top)) {
		const uintptr_t address = word_at(fp + sizeof(void *));
		if (c->frames_count != 1 || address != c->frames[0]) /* added already */
			frame_add(c, address);
	}
}

/* Records the sender of a signal that was sent, or the address of a fault (sigaction(2)). */
static void cause(struct ipc_crash *c, const siginfo_t *info)
{
	c->code = info->si_code;
	if (info->si_code <= 0) {
		c->sender_pid = info->si_pid;
		c->sender_uid = info->si_uid;
	} else if (info->si_signo == SIGSYS) {
		c->call = info->si_syscall;
		c->address = (uint64_t)(uintptr_t)info->si_call_addr;
	} else {
		c->address = (uint64_t)(uintptr_t)info->si_addr;
	}
}

static bool is_fault(int number)
{
	return number != SIGABRT && number != SIGSYS;
}

static void record(int number, siginfo_t *info, void *context)
{
	const pid_t thread = (pid_t)machine_syscall(SYS_gettid, 0, 0, 0);
	uintptr_t top;
	const unsigned loop = loop_of(thread, &top);
	struct ipc_crash *c = &state.board->slots[loop].crash;
	/* A second fault: after the first, SIGABRT should have ended the process, but it is
	 * blocked. */
	if (is_fault(number) && info->si_code > 0 && c->signal != 0)
		__builtin_trap();
	if (c->signal == 0) {
		const struct machine_registers r = machine_registers(context);
		cause(c, info);
		c->pc = r.pc;
		__atomic_store_n(&c->signal, number, __ATOMIC_RELEASE);
		backtrace(c, &r, top);
	}
	/* The signal sent here strikes when the handler returns and unblocks it. After a fault,
	 * SIGABRT runs this handler once more, finds a record, and strikes again with the default
	 * action: SA_RESETHAND has removed the handler. That applies to all threads, so faults keep
	 * their handler, for another thread that has one meanwhile. SIGSYS may be blocked by the
	 * code that made the forbidden call; while it is blocked, a second forbidden call makes the
	 * kernel end the process by it. getsid() is harmless and in no table. */
	if (number == SIGSYS && info->si_code > 0)
		(void)machine_syscall(SYS_getsid, 0, 0, 0);
	(void)machine_syscall(SYS_tgkill, machine_syscall(SYS_getpid, 0, 0, 0), thread,
			      recorder_ends_by(number));
}

/* --- installing ------------------------------------------------------------------------------ */

static int stack_take(void)
{
	char *area = mmap(NULL, GUARD_BYTES + STACK_BYTES, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const stack_t stack = {.ss_sp = area + GUARD_BYTES, .ss_size = STACK_BYTES};
	if (area == MAP_FAILED || mprotect(area, GUARD_BYTES, PROT_NONE) < 0 ||
	    sigaltstack(&stack, NULL) < 0)
		return -errno;
	return 0;
}

/* top: the stack below it is mapped, down to the present stack pointer. */
static int thread_take(unsigned loop, uintptr_t top)
{
	state.loop[loop].thread = (pid_t)syscall(SYS_gettid);
	state.loop[loop].top = top;
	__atomic_store_n(&state.board->slots[loop].thread, state.loop[loop].thread,
			 __ATOMIC_RELAXED);
	return stack_take();
}

int recorder_thread(unsigned loop)
{
	if (loop >= state.loops)
		return -EINVAL;
	return thread_take(loop, (uintptr_t)__builtin_frame_address(0) + THREAD_BYTES);
}

int recorder_install(struct ipc_board *board, unsigned loops)
{
	struct sigaction action = {.sa_sigaction = record};
	if (loops > RECORDER_LOOPS_MAX)
		return -EINVAL;
	state.board = board;
	state.loops = loops;
	modules_take(board, &state.text_start, &state.text_end);
	sigfillset(&action.sa_mask);
	for (const int *s = recorder_signals; *s != 0; s++) {
		action.sa_flags = SA_SIGINFO | SA_ONSTACK | (is_fault(*s) ? 0 : (int)SA_RESETHAND);
		if (sigaction(*s, &action, NULL) < 0)
			return -errno;
	}
	/* The kernel puts these bytes where the first thread's stack begins (getauxval(3)). */
	return thread_take(0, (uintptr_t)getauxval(AT_RANDOM));
}

int recorder_close(void)
{
	return mprotect(&state, sizeof(state), PROT_READ) < 0 ? -errno : 0;
}

/* Runs in the master. Pure: what it says depends on its arguments alone. */
#include "master/pure/cause.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>

#include "base/num.h"
#include "crash/recorder.h"
#include "crash/trace.h"
#include "sandbox/sandbox.h"

/* Is the recorded signal one that the recorder records? */
static bool is_recorded(const struct end *e)
{
	for (const int *s = recorder_signals; *s != 0; s++)
		if (*s == e->crash.signal)
			return true;
	return false;
}

/* Does the kernel raise this signal for an error of the program? */
static bool is_fault(int number)
{
	switch (number) {
	case SIGSEGV:
	case SIGBUS:
	case SIGILL:
	case SIGFPE:
	case SIGTRAP:
		return true;
	}
	return false;
}

/* Did the process end in the way that fits its record? */
static bool is_confirmed(const struct end *e)
{
	const int number = WTERMSIG(e->status);
	return is_recorded(e) && (number == recorder_ends_by(e->crash.signal));
}

/* Did another process send the signal? abort(3) and raise(3) are the process's own. If the kernel
 * could not keep the sender, which happens only for tgkill(2) and sigqueue(3), the sender is 0:
 * most likely the process itself. */
static bool is_foreign(const struct end *e)
{
	return is_confirmed(e) && e->crash.code <= 0 && e->crash.sender_pid != e->pid &&
	       e->crash.sender_pid > 0;
}

/* A forbidden call, according to the kernel; or according to the child, if it crashed while
 * recording. A false record of that kind only harms the child. */
static bool is_violation(const struct end *e)
{
	return WTERMSIG(e->status) == SIGSYS || (e->crash.signal == SIGSYS && e->crash.code > 0);
}

/* Did the recorder fail to finish? A process that is still starting may have none. */
static bool is_unaccounted(const struct end *e)
{
	const int number = WTERMSIG(e->status);
	return !e->starting && (is_fault(number) || (number == SIGABRT && !is_recorded(e)));
}

static bool is_watched(const struct end *e)
{
	const int number = WTERMSIG(e->status);
	if (e->watched == WATCH_FINE)
		return false;
	return number == SIGKILL || e->crash.signal == SIGABRT ||
	       (number == SIGABRT && !is_confirmed(e));
}

static enum cause cause_of_signal(const struct end *e)
{
	const int number = WTERMSIG(e->status);
	if (is_violation(e))
		return CAUSE_SANDBOX;
	if (is_watched(e))
		return CAUSE_WATCHDOG;
	if (number == SIGKILL)
		return e->oom && e->killed_for == NULL ? CAUSE_MEMORY : CAUSE_KILLED;
	return (is_fault(number) || number == SIGABRT) && !is_foreign(e) ? CAUSE_CRASH
									 : CAUSE_KILLED;
}

enum cause cause_of(const struct end *e)
{
	if (WIFSIGNALED(e->status))
		return cause_of_signal(e);
	switch (WEXITSTATUS(e->status)) {
	case EX_OK:
	case EX_TEMPFAIL: /* the time to drain was over */
		return e->starting ? CAUSE_EXIT : CAUSE_DRAINED;
	case EX_CONFIG:
		return CAUSE_CONFIGURATION;
	case EX_OSERR:
		if (e->lack == IPC_LACK_MEMORY)
			return CAUSE_MEMORY;
		if (e->lack == IPC_LACK_DESCRIPTORS)
			return CAUSE_DESCRIPTORS;
		break;
	}
	return CAUSE_EXIT;
}

const char *cause_name(enum cause cause)
{
	switch (cause) {
	case CAUSE_DRAINED:
		return "drained";
	case CAUSE_CONFIGURATION:
		return "configuration";
	case CAUSE_CRASH:
		return "crash";
	case CAUSE_WATCHDOG:
		return "watchdog";
	case CAUSE_SANDBOX:
		return "sandbox";
	case CAUSE_MEMORY:
		return "memory";
	case CAUSE_DESCRIPTORS:
		return "descriptors";
	case CAUSE_KILLED:
		return "killed";
	case CAUSE_EXIT:
		return "exit";
	}
	return "unknown";
}

int cause_signal(const struct end *e)
{
	if (!WIFSIGNALED(e->status))
		return 0;
	return is_confirmed(e) ? e->crash.signal : WTERMSIG(e->status);
}

/* Neither the master nor a recorded sender killed it, and the kernel's count cannot be read. */
static bool is_perhaps_memory(const struct end *e)
{
	return e->oom_uncounted && e->killed_for == NULL && WIFSIGNALED(e->status) &&
	       WTERMSIG(e->status) == SIGKILL;
}

/* Trustworthy, because a process that is not ready yet has seen no client. */
static bool is_short_at_start(const struct end *e)
{
	return e->starting && WIFEXITED(e->status) && WEXITSTATUS(e->status) == EX_TEMPFAIL;
}

enum restart_cause cause_for_restart(const struct end *e)
{
	switch (cause_of(e)) {
	case CAUSE_DRAINED: /* SIGTERM from outside, or its own choice */
		return e->told ? RESTART_DRAINED : RESTART_DIED;
	case CAUSE_CONFIGURATION: /* a process that is being replaced may fail on new files */
		return e->told ? RESTART_DRAINED : RESTART_CONFIG;
	case CAUSE_SANDBOX:
		return RESTART_VIOLATION;
	case CAUSE_CRASH:
		return is_unaccounted(e) ? RESTART_VIOLATION : RESTART_DIED;
	case CAUSE_MEMORY: /* limits memory applies to this process alone */
		return e->oom && WIFSIGNALED(e->status) ? RESTART_SHORTAGE : RESTART_DIED;
	case CAUSE_KILLED:
		return is_perhaps_memory(e) ? RESTART_SHORTAGE : RESTART_DIED;
	case CAUSE_EXIT:
		return is_short_at_start(e) ? RESTART_SHORTAGE : RESTART_DIED;
	case CAUSE_WATCHDOG:
	case CAUSE_DESCRIPTORS:
		break;
	}
	return RESTART_DIED;
}

/* --- in words -------------------------------------------------------------------------------- */

static void signal_name(struct text *t, int number)
{
	const char *name = sigabbrev_np(number);
	if (name != NULL)
		text_addf(t, "SIG%s", name);
	else
		text_addf(t, "signal %d", number);
}

static void crash_describe(const struct end *e, struct text *t)
{
	const int number = WTERMSIG(e->status);
	text_add_str(t, "crashed by ");
	if (!is_recorded(e)) {
		signal_name(t, number);
		if (is_unaccounted(e))
			text_add_str(t, ", and its crash recorder could not run");
		return;
	}
	trace_signal(&e->crash, t);
	if (!is_confirmed(e)) {
		text_add_str(t, ", and by ");
		signal_name(t, number);
		text_add_str(t, " while that was being recorded");
	}
}

static void watchdog_describe(const struct end *e, struct text *t)
{
	char limit[NUM_TEXT_MAX];
	if (e->killed_for != NULL) {
		text_addf(t, "was killed by the watchdog because it %s", e->killed_for);
		return;
	}
	text_addf(t, "%s for more than %s and was %s by the watchdog",
		  e->was_stopped ? "was stopped" : "hung",
		  num_format_duration(e->watchdog_ms, limit),
		  e->watched == WATCH_KILLED ? "killed" : "aborted");
}

/* The number of the system call comes from the child itself and may be wrong. */
static void sandbox_describe(const struct end *e, struct text *t)
{
	text_add_str(t, "was ended by its sandbox for ");
	if (e->crash.signal != SIGSYS || e->crash.code <= 0)
		text_add_str(t, "an unknown system call");
	else
		text_addf(t, "the system call %s (%d)",
			  sandbox_call_name((uint64_t)(int64_t)e->crash.call), e->crash.call);
}

static void memory_describe(const struct end *e, struct text *t)
{
	char limit[NUM_TEXT_MAX];
	if (WIFSIGNALED(e->status))
		text_add_str(t, "was killed by the kernel for lack of memory");
	else if (e->memory_bytes > 0)
		text_addf(t, "ran out of memory (limits memory %s)",
			  num_format_size(e->memory_bytes, limit));
	else
		text_add_str(t, "ran out of memory");
}

static void killed_describe(const struct end *e, struct text *t)
{
	text_add_str(t, "was killed ");
	if (e->killed_for != NULL && WTERMSIG(e->status) == SIGKILL) {
		text_addf(t, "because it %s", e->killed_for);
		return;
	}
	if (is_perhaps_memory(e)) {
		text_add_str(t, "by SIGKILL, for lack of memory or from outside");
		return;
	}
	text_add_str(t, "from outside by ");
	if (is_confirmed(e))
		trace_signal(&e->crash, t);
	else
		signal_name(t, WTERMSIG(e->status));
}

void cause_describe(const struct end *e, struct text *t)
{
	switch (cause_of(e)) {
	case CAUSE_DRAINED:
		text_add_str(t, WEXITSTATUS(e->status) == EX_OK
				    ? "drained"
				    : "did not finish draining in time");
		break;
	case CAUSE_CONFIGURATION:
		text_addf(t, "ended with status %d (configuration)", EX_CONFIG);
		break;
	case CAUSE_CRASH:
		crash_describe(e, t);
		break;
	case CAUSE_WATCHDOG:
		watchdog_describe(e, t);
		break;
	case CAUSE_SANDBOX:
		sandbox_describe(e, t);
		break;
	case CAUSE_MEMORY:
		memory_describe(e, t);
		break;
	case CAUSE_DESCRIPTORS:
		text_add_str(t, "ran out of descriptors");
		break;
	case CAUSE_KILLED:
		killed_describe(e, t);
		break;
	case CAUSE_EXIT:
		text_addf(t, "ended with status %d", WEXITSTATUS(e->status));
		break;
	}
}

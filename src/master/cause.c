/* Runs in the master. Pure: what it says depends on its arguments alone. */
#include "master/cause.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>

#include "base/num.h"
#include "crash/recorder.h"
#include "crash/trace.h"
#include "sandbox/sandbox.h"

/* A signal that the recorder takes down at all. */
static bool is_recorded(const struct end *e)
{
	for (const int *s = recorder_signals; *s != 0; s++)
		if (*s == e->crash.signal)
			return true;
	return false;
}

/* What was recorded is what the kernel says. */
static bool is_confirmed(const struct end *e)
{
	return is_recorded(e) && e->crash.signal == WTERMSIG(e->status);
}

/* A signal that somebody else has sent; abort(3) and raise(3) are the process's own. */
static bool is_foreign(const struct end *e)
{
	return is_confirmed(e) && e->crash.code <= 0 && e->crash.sender_pid != e->pid;
}

/* A forbidden call, by the kernel's word. Or by the child's, if it crashed over the recording: it
 * says so to its own disadvantage. */
static bool is_violation(const struct end *e)
{
	return WTERMSIG(e->status) == SIGSYS || (e->crash.signal == SIGSYS && e->crash.code > 0);
}

static bool means_crash(int number)
{
	switch (number) {
	case SIGSEGV:
	case SIGBUS:
	case SIGILL:
	case SIGFPE:
	case SIGABRT:
	case SIGTRAP:
		return true;
	}
	return false;
}

static enum cause cause_of_signal(const struct end *e)
{
	const int number = WTERMSIG(e->status);
	if (is_violation(e))
		return CAUSE_SANDBOX;
	if (e->watched != WATCH_FINE &&
	    (number == SIGABRT || number == SIGKILL || e->crash.signal == SIGABRT))
		return CAUSE_WATCHDOG;
	if (number == SIGKILL)
		return e->oom && e->killed_for == NULL ? CAUSE_MEMORY : CAUSE_KILLED;
	return means_crash(number) && !is_foreign(e) ? CAUSE_CRASH : CAUSE_KILLED;
}

enum cause cause_of(const struct end *e)
{
	if (WIFSIGNALED(e->status))
		return cause_of_signal(e);
	switch (WEXITSTATUS(e->status)) {
	case EX_OK:
	case EX_TEMPFAIL: /* its time was up */
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

enum restart_cause cause_for_restart(const struct end *e)
{
	switch (cause_of(e)) {
	case CAUSE_DRAINED:
		return RESTART_DRAINED;
	case CAUSE_CONFIGURATION: /* who is being replaced may find that new files do not fit */
		return e->told ? RESTART_DRAINED : RESTART_CONFIG;
	case CAUSE_SANDBOX:
		return RESTART_VIOLATION;
	case CAUSE_CRASH:
	case CAUSE_WATCHDOG:
	case CAUSE_MEMORY:
	case CAUSE_DESCRIPTORS:
	case CAUSE_KILLED:
	case CAUSE_EXIT:
		break;
	}
	return RESTART_DIED;
}

/* --- in words ----------------------------------------------------------------------------------
 */

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
		  e->was_stopped ? "was stopped" : "did not come back from what it was at",
		  num_format_duration(e->watchdog_ms, limit),
		  e->watched == WATCH_KILLED ? "killed" : "aborted");
}

/* Which system call it was is the child's own last word, and worth no more than that. */
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
				    : "had not drained when its time was up");
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

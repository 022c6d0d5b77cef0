/* Runs in every role. Must never do anything except describe the faults. */
#include <signal.h>
#include <stddef.h>
#include <string.h>

#include "fault/fault.h"

#define HOUR_MS  UINT64_C(3600000)
#define DAY_MS   (24 * HOUR_MS)
#define COUNT    UINT64_C(1000000)
#define MEGABYTE (UINT64_C(1) << 20)

#define AT(member) offsetof(struct fault, member)
#define CHOICE(name, member, preset, ...)                                                         \
	{                                                                                         \
		name, FAULT_CHOICE, preset, 0, 0, NULL, (const char *const[]){__VA_ARGS__, NULL}, \
		    AT(member)                                                                    \
	}
#define RANGE(type, name, member, preset, min, max, zero)            \
	{                                                            \
		name, type, preset, min, max, zero, NULL, AT(member) \
	}
#define NUMBER(name, member, preset, min, max) \
	RANGE(FAULT_NUMBER, name, member, preset, min, max, NULL)
#define DURATION(name, member, preset, min, max) \
	RANGE(FAULT_DURATION, name, member, preset, min, max, NULL)

#define WHEN CHOICE("when", when, "before", "before", "after-head", "during", "after")

/* Signals whose default action ends a process and that no role ignores, blocks permanently or
 * handles for another purpose; in the order of their names. */
#define SIGNAL                                                                  \
	{                                                                       \
		"signal", FAULT_CHOICE, "SEGV", 0, 0, NULL, signals, AT(signal) \
	}
static const char *const signals[] = {"ABRT", "ALRM", "BUS",  "FPE",  "ILL",    "KILL", "PROF",
				      "QUIT", "SEGV", "TERM", "TRAP", "VTALRM", "XCPU", NULL};

static const struct fault_info catalogue[FAULT_KINDS] = {
    [FAULT_CRASH] = {.name = "crash",
		     "the worker dies of a signal, or of a mistake that raises one",
		     "signal=SEGV&when=after-head",
		     {WHEN, CHOICE("how", how, "signal", "signal", "null", "heap", "stack"),
		      SIGNAL}},
    [FAULT_ABORT] = {.name = "abort", "the worker calls abort(3)", "when=during", {WHEN}},
    [FAULT_EXIT] = {.name = "exit",
		    "the worker calls _exit(2)",
		    "status=3",
		    {NUMBER("status", status, "1", 0, 255), WHEN}},
    [FAULT_STOP] = {.name = "stop", "the worker stops itself with SIGSTOP", "when=after", {WHEN}},
    [FAULT_HANG] = {.name = "hang",
		    "the worker hangs: it computes, sleeps, waits in a system call or "
		    "for a lock",
		    "how=sleep&for=10s",
		    {CHOICE("how", how, "loop", "loop", "sleep", "syscall", "deadlock"),
		     RANGE(FAULT_DURATION, "for", for_ms, "ever", 1, DAY_MS, "ever"), WHEN}},
    [FAULT_LEAK_MEMORY] =
	{.name = "leak-memory",
	 "from now on the worker allocates this many bytes a second and never frees "
	 "them, up to the port's limit",
	 "rate=64M",
	 {RANGE(FAULT_SIZE, "rate", rate, "16M", 1024, 1024 * MEGABYTE, NULL)}},
    [FAULT_LEAK_DESCRIPTORS] = {.name = "leak-descriptors",
				"the next connections that end, this many of them, are not closed",
				"count=10",
				{RANGE(FAULT_NUMBER, "count", count, "all", 1, COUNT, "all")}},
    [FAULT_RESET] = {.name = "reset",
		     "the connection is reset",
		     "when=during",
		     {CHOICE("when", when, "before", "before", "after-head", "during")}},
    [FAULT_TRUNCATE] = {.name = "truncate",
			"a response announces this many bytes and is cut off after fewer",
			"bytes=1024&after=512",
			{RANGE(FAULT_SIZE, "bytes", bytes, "1K", 1, 16 * MEGABYTE, NULL),
			 RANGE(FAULT_SIZE, "after", after, "512", 0, 16 * MEGABYTE, NULL)}},
    [FAULT_DRIP] = {.name = "drip",
		    "a response of this many bytes is sent at this many a second",
		    "bytes=100&rate=10",
		    {RANGE(FAULT_SIZE, "bytes", bytes, "100", 1, 16 * MEGABYTE, NULL),
		     RANGE(FAULT_SIZE, "rate", rate, "10", 1, 16 * MEGABYTE, NULL)}},
    [FAULT_DELAY] = {.name = "delay",
		     "the response is delayed by a time of this distribution",
		     "distribution=normal&mean=200ms&deviation=50ms",
		     {CHOICE("distribution", how, "fixed", "fixed", "uniform", "normal",
			     "exponential"),
		      DURATION("mean", mean_ms, "100ms", 0, HOUR_MS),
		      DURATION("deviation", deviation_ms, "20ms", 0, HOUR_MS),
		      DURATION("min", min_ms, "0", 0, HOUR_MS),
		      DURATION("max", max_ms, "10s", 0, HOUR_MS)}},
    [FAULT_STATUS] = {.name = "status",
		      "the response has this status",
		      "code=503",
		      {NUMBER("code", code, "500", 200, 599)}},
    [FAULT_MALFORMED] = {.name = "malformed",
			 "the response is not HTTP",
			 "what=chunk",
			 {CHOICE("what", how, "status-line", "status-line", "header", "length",
				 "chunk", "garbage")}},
    [FAULT_HANDSHAKE] = {.name = "handshake",
			 "this many more TLS handshakes of this worker get no answer, half of "
			 "one, or a wrong one",
			 "how=break&count=3",
			 {CHOICE("how", how, "stall", "stall", "break", "corrupt"),
			  NUMBER("count", count, "1", 1, COUNT)},
			 .of_tls = true},
    [FAULT_CERTIFICATE] = {.name = "certificate",
			   "this many more TLS handshakes of this worker show a certificate for "
			   "another name, or one that has expired",
			   "which=expired",
			   {CHOICE("which", how, "wrong", "wrong", "expired"),
			    NUMBER("count", count, "1", 1, COUNT)},
			   .of_tls = true},
    [FAULT_VIOLATION] = {.name = "violation",
			 "the worker makes a system call that its sandbox forbids",
			 "call=execve",
			 {CHOICE("call", call, "socket", "socket", "open", "execve", "ptrace",
				 "kill")}},
    [FAULT_KEYHOLDER] = {.name = "keyholder",
			 "the port's keyholders crash, hang, or send this many malformed answers",
			 "how=garbage&count=5",
			 {CHOICE("how", how, "crash", "crash", "hang", "garbage"),
			  NUMBER("count", count, "1", 1, COUNT)},
			 .of_tls = true},
    [FAULT_UPSTREAM] = {.name = "upstream",
			"the upstream refuses the connection, does not answer, ends its response "
			"after this many bytes, sends it at this many a second, sends no HTTP, or "
			"answers with this status",
			"",
			{CHOICE("how", how, "refuse", "refuse", "silence", "cut", "drip",
				"malformed", "status"),
			 RANGE(FAULT_SIZE, "after", after, "0", 0, 16 * MEGABYTE, NULL),
			 RANGE(FAULT_SIZE, "rate", rate, "10", 1, 16 * MEGABYTE, NULL),
			 NUMBER("code", code, "503", 500, 599)},
			.of_proxy = true},
};

static const struct fault_parameter common[] = {
    RANGE(FAULT_FRACTION, "probability", probability, "1", 0, FAULT_PROBABILITY_ONE, NULL),
    NUMBER("seed", seed, "0", 0, UINT64_MAX),
};

const struct fault_info *fault_info(enum fault_kind kind)
{
	return &catalogue[kind];
}

const struct fault_parameter *fault_parameter(enum fault_kind kind, size_t i)
{
	const struct fault_parameter *own = catalogue[kind].own;
	size_t count = 0;
	while (count < FAULT_OWN_MAX && own[count].name != NULL)
		count++;
	if (i < count)
		return &own[i];
	return i - count < sizeof(common) / sizeof(common[0]) ? &common[i - count] : NULL;
}

int fault_signal(const struct fault *f)
{
	const char *name = signals[f->signal];
	int number = NSIG - 1;
	while (number > 0 &&
	       (sigabbrev_np(number) == NULL || strcmp(sigabbrev_np(number), name) != 0))
		number--;
	return number;
}

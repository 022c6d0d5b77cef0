/*
 * The faults that a port can have on purpose: their kinds, their parameters, and the dice that
 * decide when one strikes. Pure: nothing here carries out a fault (src/handler and src/worker do).
 *
 * The catalogue is one table (catalogue.c). The configuration, the queries of a control location,
 * the list that it shows and the log lines all come from it, so that they cannot disagree.
 */
#ifndef FAULT_FAULT_H
#define FAULT_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct text;

enum fault_kind {
	FAULT_CRASH,
	FAULT_ABORT,
	FAULT_EXIT,
	FAULT_STOP,
	FAULT_HANG,
	FAULT_LEAK_MEMORY,
	FAULT_LEAK_DESCRIPTORS,
	FAULT_RESET,
	FAULT_TRUNCATE,
	FAULT_DRIP,
	FAULT_DELAY,
	FAULT_STATUS,
	FAULT_MALFORMED,
	FAULT_HANDSHAKE,
	FAULT_CERTIFICATE,
	FAULT_VIOLATION,
	FAULT_KEYHOLDER,
	FAULT_UPSTREAM,
	FAULT_KINDS
};

/* The choices of the parameters, in the order of the table. */
enum fault_when { FAULT_BEFORE, FAULT_AFTER_HEAD, FAULT_DURING, FAULT_AFTER };
enum fault_crash { FAULT_BY_SIGNAL, FAULT_BY_NULL, FAULT_BY_HEAP, FAULT_BY_STACK };
enum fault_hang { FAULT_BY_LOOP, FAULT_BY_SLEEP, FAULT_BY_SYSCALL, FAULT_BY_DEADLOCK };
enum fault_distribution { FAULT_FIXED, FAULT_UNIFORM, FAULT_NORMAL, FAULT_EXPONENTIAL };
enum fault_malformed { FAULT_STATUS_LINE, FAULT_HEADER, FAULT_LENGTH, FAULT_CHUNK, FAULT_GARBAGE };
enum fault_handshake { FAULT_STALL, FAULT_BREAK, FAULT_CORRUPT };
enum fault_certificate { FAULT_WRONG, FAULT_EXPIRED, FAULT_CERTIFICATES };
enum fault_violation {
	FAULT_CALL_SOCKET,
	FAULT_CALL_OPEN,
	FAULT_CALL_EXECVE,
	FAULT_CALL_PTRACE,
	FAULT_CALL_KILL
};
/* Of an upstream, as if it had done that itself (src/handler/proxy_fault.h). */
enum fault_upstream {
	FAULT_BY_REFUSAL,
	FAULT_BY_SILENCE,
	FAULT_BY_CUT,
	FAULT_BY_DRIP,
	FAULT_BY_GARBAGE,
	FAULT_BY_STATUS
};
enum fault_keyholder { FAULT_KEY_CRASH, FAULT_KEY_HANG, FAULT_KEY_GARBAGE, FAULT_KEY_HOWS };

/* One complete fault; members that its kind does not use are 0. */
struct fault {
	enum fault_kind kind;
	uint32_t given; /* a bit per parameter that was set explicitly */
	uint64_t when, how, signal, status, for_ms, rate, count, bytes, after, code, call;
	uint64_t mean_ms, deviation_ms, min_ms, max_ms;
	uint64_t probability; /* millionths */
	uint64_t seed;
};

#define FAULT_PROBABILITY_ONE 1000000

enum fault_type { FAULT_NUMBER, FAULT_SIZE, FAULT_DURATION, FAULT_FRACTION, FAULT_CHOICE };

struct fault_parameter {
	const char *name;
	enum fault_type type;
	const char *preset;         /* the default, as it would be written */
	uint64_t min, max;          /* for all types except choices */
	const char *zero;           /* the word for 0 (below min), or NULL */
	const char *const *choices; /* ended by NULL; the index is the value */
	size_t offset;              /* in struct fault */
};

#define FAULT_OWN_MAX 5 /* parameters of one kind, besides the common ones */

struct fault_info {
	const char *name;
	const char *effect;  /* a sentence without its full stop */
	const char *example; /* a query, "signal=SEGV&when=after-head"; may be "" */
	struct fault_parameter own[FAULT_OWN_MAX];
	bool of_tls;   /* only a port with TLS can have it */
	bool of_proxy; /* only a location with `proxy` can have it */
};

const struct fault_info *fault_info(enum fault_kind);
/* The i-th parameter of a kind, its own ones before the common ones; NULL: no more. */
const struct fault_parameter *fault_parameter(enum fault_kind, size_t i);

/*
 * From words to a fault. Each returns 0, or -EINVAL and a sentence that says what is allowed
 * (printable, whatever the words contain); fault_begin() returns -ENOENT if there is no such kind.
 * Call begin, then set any number of times, then check, which finds contradictions.
 */
int fault_begin(struct fault *, const char *kind, size_t len, struct err *);
int fault_set(struct fault *, const char *name, size_t name_len, const char *value,
	      size_t value_len, struct err *);
int fault_check(const struct fault *, struct err *);

/* Reads a whole query (name=value&…, percent-encoded, RFC 3986); errors as above. */
int fault_parse_query(struct fault *, const char *kind, size_t kind_len, const char *query,
		      size_t query_len, struct err *);

/* Writes a fault in its one canonical form: "crash when before how signal signal SEGV", with every
 * parameter of its kind; probability and seed if they are not the default. Parses back to the same
 * fault. */
void fault_describe(const struct fault *, struct text *);
/* Writes the allowed values of a parameter: "before, during or after", "1 to 100 or all". */
void fault_allowed_describe(const struct fault_parameter *, struct text *);

/* The number, in signal(7), of a crash's signal. */
int fault_signal(const struct fault *);

/*
 * The dice: a number that depends on the three arguments and nothing else, so that the same
 * requests to the same configuration meet the same faults. loop: the event loop within the port;
 * count: how many draws it has made for that rule.
 */
uint64_t fault_draw(uint64_t seed, uint32_t loop, uint64_t count);
bool fault_strikes(const struct fault *, uint64_t draw);
/* The length of a delay, by the fault's distribution and within its bounds. */
uint64_t fault_delay_ms(const struct fault *, uint64_t draw);

#endif

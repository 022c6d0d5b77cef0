/* Runs in a master that takes over from a program that writes states of version 2. Pure. */
#include "master/upgrade/version2.h"

#include <stddef.h>

/* The names of that program's counters, in their order in memory; NULL: not used. Nothing is ever
 * added here: it says what was. */
static const char *const numbers[VERSION_2_NUMBERS] = {
    "accepted",
    "limit_reached",
    "handshakes_full",
    "handshakes_resumed",
    "handshakes_failed.closed",
    "handshakes_failed.timeout",
    "handshakes_failed.version",
    "handshakes_failed.choice",
    "handshakes_failed.alert",
    "handshakes_failed.malformed",
    "handshakes_failed.key",
    "handshakes_failed.memory",
    "handshakes_failed.other",
    "requests",
    "responses.none",
    NULL,
    "responses.2xx",
    "responses.3xx",
    "responses.4xx",
    "responses.5xx",
    "latency.100",
    "latency.250",
    "latency.500",
    "latency.1000",
    "latency.2500",
    "latency.5000",
    "latency.10000",
    "latency.25000",
    "latency.50000",
    "latency.100000",
    "latency.250000",
    "latency.500000",
    "latency.1000000",
    "latency.2500000",
    "latency.5000000",
    "latency.10000000",
    "latency.more",
    "bytes_in",
    "bytes_out",
    "log_dropped",
    "signatures",
    "signatures_refused",
};

enum { COUNTERS_AT = 24, SLOT_BYTES = 1024, BOARD_BYTES = 1600 };

const struct version_2_size version_2_sizes[] = {
    {"messages", 18},
    {"settings", 16},
    {"board", BOARD_BYTES},
    {"slot", SLOT_BYTES},
    {"counters", 336},
    {"keys", 280},
    {NULL, 0},
};

void version_2_layout(struct ipc_layout *l)
{
	static const struct {
		const char *name;
		uint32_t at, bytes;
	} members[] = {
	    {"busy_since_ms", 0, 8}, {"connections", 8, 8}, {"thread", 16, 4},
	    {"lack", 20, 4},         {"request", 360, 356}, {"crash", 720, 296},
	};
	ipc_layout_clear(l);
	l->modules = 8;
	l->module_bytes = 64;
	l->modules_max = 24;
	l->slots = BOARD_BYTES;
	l->slot_bytes = SLOT_BYTES;
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		ipc_layout_set(l, members[i].name, members[i].at, members[i].bytes);
	for (uint32_t i = 0; i < VERSION_2_NUMBERS; i++)
		if (numbers[i] != NULL)
			ipc_layout_set(l, numbers[i], COUNTERS_AT + i * 8, 8);
}

void version_2_totals(struct ipc_counters *to, const uint64_t totals[VERSION_2_NUMBERS])
{
	for (size_t i = 0; i < VERSION_2_NUMBERS; i++) {
		const size_t number =
		    numbers[i] != NULL ? ipc_number_find(numbers[i]) : IPC_NUMBERS;
		if (number < IPC_NUMBERS)
			ipc_number_set(to, number, totals[i]);
	}
}

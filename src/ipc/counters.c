/* Runs everywhere. Pure: the table and sums. */
#include "ipc/counters.h"

#include <stdio.h>
#include <string.h>

/* --- names of parts -------------------------------------------------------------------------- */

#define FAILURE_NAME(constant, name) [IPC_FAILURE_##constant] = (name),
static const char *const failures[IPC_FAILURES] = {IPC_FAILURE_LIST(FAILURE_NAME)};

static const char *failure_part(size_t i)
{
	return failures[i];
}

#define LIMITED_NAME(constant, name) [IPC_LIMITED_##constant] = (name),
static const char *limited_part(size_t i)
{
	static const char *const limits[IPC_LIMITED] = {IPC_LIMITED_LIST(LIMITED_NAME)};
	return limits[i];
}

#define PROXY_NAME(constant, name) [IPC_PROXY_##constant] = (name),
static const char *const proxies[IPC_PROXIES] = {IPC_PROXY_LIST(PROXY_NAME)};

static const char *proxy_part(size_t i)
{
	return proxies[i];
}

static const char *class_part(size_t i)
{
	static const char *const classes[IPC_CLASSES] = {"none", NULL, "2xx", "3xx", "4xx", "5xx"};
	return classes[i];
}

#define BOUND_NAME(us) #us,
/* The upper bound, so that buckets of other versions are compared by their meaning. */
static const char *latency_part(size_t i)
{
	static const char *const buckets[IPC_LATENCIES] = {IPC_LATENCY_LIST(BOUND_NAME) "more"};
	return buckets[i];
}

/* --- the table ------------------------------------------------------------------------------- */

#define ONE(name, kind, logged, title, unit, help) \
	{                                          \
	    #name,                                 \
	    IPC_KIND_##kind,                       \
	    logged,                                \
	    title,                                 \
	    unit,                                  \
	    help,                                  \
	    offsetof(struct ipc_counters, name),   \
	    1,                                     \
	    NULL},
#define MANY(name, parts, part, kind, logged, title, unit, help) \
	{#name,                                                  \
	 IPC_KIND_##kind,                                        \
	 logged,                                                 \
	 title,                                                  \
	 unit,                                                   \
	 help,                                                   \
	 offsetof(struct ipc_counters, name),                    \
	 parts,                                                  \
	 part},
static const struct ipc_counter table[] = {IPC_COUNTER_LIST(ONE, MANY)};
#define ROWS (sizeof(table) / sizeof(table[0]))

const struct ipc_counter *ipc_counter_at(size_t row)
{
	return row < ROWS ? &table[row] : NULL;
}

const struct ipc_counter *ipc_counter_find(const char *name)
{
	for (size_t i = 0; i < ROWS; i++)
		if (strcmp(table[i].name, name) == 0)
			return &table[i];
	return NULL;
}

/* --- single numbers -------------------------------------------------------------------------- */

static size_t first_number(const struct ipc_counter *row)
{
	return row->offset / sizeof(uint64_t);
}

static bool number_describe(const struct ipc_counter *row, size_t i, char ret[IPC_NUMBER_NAME_MAX])
{
	const char *part = row->part != NULL ? row->part(i) : "";
	if (part == NULL)
		return false;
	const int n = snprintf(ret, IPC_NUMBER_NAME_MAX, "%s%s%s", row->name,
			       part[0] != '\0' ? "." : "", part);
	return n > 0 && n < IPC_NUMBER_NAME_MAX;
}

bool ipc_number_name(size_t number, char ret[IPC_NUMBER_NAME_MAX])
{
	for (size_t i = 0; i < ROWS; i++)
		if (number < first_number(&table[i]) + table[i].count)
			return number_describe(&table[i], number - first_number(&table[i]), ret);
	return false;
}

static size_t part_find(const struct ipc_counter *row, const char *part)
{
	for (size_t i = 0; i < row->count; i++) {
		const char *name = row->part(i);
		if (name != NULL && strcmp(name, part) == 0)
			return first_number(row) + i;
	}
	return IPC_NUMBERS;
}

size_t ipc_number_find(const char *name)
{
	const size_t len = strcspn(name, ".");
	for (size_t i = 0; i < ROWS; i++) {
		const struct ipc_counter *row = &table[i];
		if (strncmp(row->name, name, len) != 0 || row->name[len] != '\0')
			continue;
		if (row->part != NULL)
			return name[len] == '.' ? part_find(row, name + len + 1) : IPC_NUMBERS;
		return name[len] == '\0' ? first_number(row) : IPC_NUMBERS;
	}
	return IPC_NUMBERS;
}

void ipc_number_set(struct ipc_counters *c, size_t number, uint64_t value)
{
	((uint64_t *)(void *)c)[number] = value < IPC_COUNT_MAX ? value : IPC_COUNT_MAX;
}

/* --- sums ------------------------------------------------------------------------------------ */

void ipc_counters_add(struct ipc_counters *to, const struct ipc_counters *from)
{
	uint64_t *sum = (uint64_t *)(void *)to;
	const uint64_t *part = (const uint64_t *)(const void *)from;
	for (size_t i = 0; i < IPC_NUMBERS; i++)
		sum[i] = ipc_count_add(sum[i], part[i]);
}

void ipc_counters_keep(struct ipc_counters *to, const struct ipc_counters *from)
{
	struct ipc_counters sums = *from;
	for (size_t i = 0; i < ROWS; i++)
		if (table[i].kind == IPC_KIND_GAUGE)
			memset(ipc_counter_numbers(&sums, &table[i]), 0,
			       table[i].count * sizeof(uint64_t));
	ipc_counters_add(to, &sums);
}

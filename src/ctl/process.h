/*
 * What the kernel says about a process: proc(5), stat and smaps_rollup.
 */
#ifndef CTL_PROCESS_H
#define CTL_PROCESS_H

#include <stdint.h>
#include <sys/types.h>

struct process {
	int64_t cpu_ms;    /* user and system; -1: unknown */
	int64_t pss_bytes; /* proportional set size; -1: unknown, or not permitted */
	int64_t uptime_ms; /* -1: unknown */
};

/* Reads the first size - 1 bytes of /proc/PID/NAME by one read(2) and terminates them. Returns how
 * many, or -1. */
ssize_t process_file(pid_t, const char *name, char *out, size_t size);

void process_look(struct process *, pid_t);

/* utime and stime from a line of /proc/PID/stat, in clock ticks; -1 for an invalid line. */
int64_t process_ticks(const char *stat);
/* The start time in clock ticks since the system's; -1: invalid. */
int64_t process_start(const char *stat);
/* The bytes of "Pss:" from /proc/PID/smaps_rollup; -1: invalid. */
int64_t process_pss(const char *rollup);

#endif

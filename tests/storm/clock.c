/*
 * Preloaded into every process of a server: the wall clock jumps a day forward and a day back, for
 * all of them at the same moment, since the moment is read from the monotonic clock: every two
 * seconds it is right, then a day ahead, then a day behind. (libfaketime reads the time from a
 * file, which a confined process cannot open.)
 */
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define PHASE_S 2
#define DAY_S   86400

int clock_gettime(clockid_t clock, struct timespec *ts)
{
	if (syscall(SYS_clock_gettime, clock, ts) < 0)
		return -1;
	if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) {
		static const int offsets[] = {0, DAY_S, -DAY_S};
		struct timespec steady;
		(void)syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &steady);
		ts->tv_sec += offsets[steady.tv_sec / PHASE_S % 3];
	}
	return 0;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	struct timespec ts;
	(void)zone;
	(void)clock_gettime(CLOCK_REALTIME, &ts);
	*tv = (struct timeval){.tv_sec = ts.tv_sec, .tv_usec = ts.tv_nsec / 1000};
	return 0;
}

time_t time(time_t *ret)
{
	struct timespec ts;
	(void)clock_gettime(CLOCK_REALTIME, &ts);
	if (ret != NULL)
		*ret = ts.tv_sec;
	return ts.tv_sec;
}

/*
 * Runs in workers and holders while they start. Must never raise a limit above the
 * inherited hard one, nor fail because that one is low: if it is too low, the call that needs more
 * reports it.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/num.h"
#include "internal.h"

#define OOM_SCORE_MAX  1000 /* proc(5), /proc/pid/oom_score_adj */
#define OOM_WORKER_ADD 200
#define OOM_HOLDER_ADD 100

/* Queued signals are counted for the whole user, although each process has its own limit. This one
 * leaves room for the user's other processes, which may not belong to the server. It is not 0,
 * because then the sender of SIGABRT would be lost. */
#define SIGNALS_QUEUED 64

/* When memory is short, the kernel should end a worker rather than a holder that serves it, and
 * that rather than the master. Best effort: without /proc the scores stay equal. */
int limits_offer_to_oom_killer(const struct sandbox_plan *p, struct sandbox_level *l,
			       struct err *err)
{
	char digits[16];
	struct text t;
	uint64_t inherited = 0;
	int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, digits, sizeof(digits));
	(void)l;
	(void)err;
	if (n > 1) {
		const size_t sign = digits[0] == '-', line_end = digits[n - 1] == '\n';
		(void)num_parse(digits + sign, (size_t)n - sign - line_end, 0, OOM_SCORE_MAX,
				&inherited);
		int score = sign ? -(int)inherited : (int)inherited;
		score += p->role == SANDBOX_WORKER ? OOM_WORKER_ADD : OOM_HOLDER_ADD;
		text_init(&t, digits, sizeof(digits));
		text_addf(&t, "%d", score < OOM_SCORE_MAX ? score : OOM_SCORE_MAX);
		(void)!pwrite(fd, t.data, t.len, 0);
	}
	fd_close(&fd);
	return 0;
}

static int limit_set(__rlimit_resource_t resource, const char *name, uint64_t value,
		     struct err *err)
{
	struct rlimit limit;
	if (getrlimit(resource, &limit) == 0) {
		if (value < limit.rlim_max)
			limit.rlim_max = value;
		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(resource, &limit) == 0)
			return 0;
	}
	err_set(err, "setrlimit(%s): %s", name, strerror(errno));
	return -1;
}

int limits_set(const struct sandbox_plan *p, struct sandbox_level *l, struct err *err)
{
	const uint64_t core_bytes = p->role == SANDBOX_WORKER ? p->core_bytes : 0;
	(void)l;
	if (limit_set(RLIMIT_NOFILE, "RLIMIT_NOFILE", p->descriptors, err) < 0 ||
	    limit_set(RLIMIT_MEMLOCK, "RLIMIT_MEMLOCK", 0, err) < 0 ||
	    limit_set(RLIMIT_SIGPENDING, "RLIMIT_SIGPENDING", SIGNALS_QUEUED, err) < 0 ||
	    limit_set(RLIMIT_MSGQUEUE, "RLIMIT_MSGQUEUE", 0, err) < 0 ||
	    limit_set(RLIMIT_CORE, "RLIMIT_CORE", core_bytes, err) < 0)
		return -1;
	if (p->memory_bytes == 0 ||
	    calls_sanitized) /* a sanitizer's shadow memory needs terabytes */
		return 0;
	return limit_set(RLIMIT_AS, "RLIMIT_AS", p->memory_bytes, err);
}

/* Must come after all threads are made: the limit counts threads, too. */
int limits_no_processes(const struct sandbox_plan *p, struct sandbox_level *l, struct err *err)
{
	(void)p;
	(void)l;
	return calls_sanitized ? 0 : limit_set(RLIMIT_NPROC, "RLIMIT_NPROC", 0, err);
}

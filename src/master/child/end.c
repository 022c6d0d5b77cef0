/* Runs in the master: ends a child, in order or at once. A signal may need the child's own user.
 * Must never signal a process that was reaped: its number may be another one's. */
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "master/child/child.h"

static int signal_send(pid_t pid, int thread, int number)
{
	return thread > 0 ? tgkill(pid, thread, number) : kill(pid, number);
}

/* If the master is not root but may change users (capabilities(7)), only the child's own user can
 * signal a child that changed its user. */
static void signal_as(uid_t uid, pid_t pid, int thread, int number)
{
	uid_t own = geteuid();
	if (setresuid((uid_t)-1, uid, (uid_t)-1) < 0)
		return;
	(void)signal_send(pid, thread, number);
	(void)!setresuid((uid_t)-1, own, (uid_t)-1);
}

void child_signal(const struct child *c, int thread, int number)
{
	if (c->state == CHILD_NONE || c->pid <= 0) /* kill(-1) would reach every process */
		return;
	if (signal_send(c->pid, thread, number) < 0 && errno == EPERM)
		signal_as(child_identity(c)->uid, c->pid, thread, number);
}

void child_kill(struct child *c, const char *why)
{
	c->killed_for = why;
	c->watch.verdict = WATCH_FINE; /* the hurried end comes first */
	child_signal(c, 0, SIGKILL);
}

void child_drain(struct child *c, enum ipc_type how)
{
	c->leaving = how == IPC_RETIRE && is_worker(c) && !c->left;
	c->state = CHILD_DRAINING;
	loop_timer_cancel(&c->port->master->loop, &c->deadline);
	if (is_worker(c) && c->channel.fd >= 0)
		(void)child_send(c, how, NULL, 0);
}

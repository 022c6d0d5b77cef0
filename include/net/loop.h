/*
 * The event loop: one epoll set and timers. It knows descriptors, never clients.
 *
 * A loop belongs to one thread. Callbacks run to completion; they may add, change and close any
 * descriptor or timer of the loop, including their own. The caller owns the memory of a loop_io or
 * loop_timer and keeps it valid until loop_close(), loop_remove() or loop_timer_release().
 *
 * Readiness is level-triggered (epoll(7)). A turn: events, timers, and what was asked for by
 * loop_soon() in earlier turns or by loop_late(). Each turn reads CLOCK_MONOTONIC once, into now_ms
 * and, for measurements, now_ns.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct epoll_event;
struct loop;

struct loop_io {
	int fd;
	uint32_t events; /* the registered interest; 0 is not the same as not being in the set */
	/* events: EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP as reported */
	void (*ready)(struct loop *, struct loop_io *, uint32_t events);
};

struct loop_timer {
	uint64_t deadline_ms;
	uint64_t key_ms; /* its key in the heap, never later than deadline_ms */
	size_t position; /* in the heap; LOOP_TIMER_UNSET while it is not set */
	void (*expired)(struct loop *, struct loop_timer *);
};

/* Something to do in the next turn, whether or not a descriptor is ready by then. */
struct loop_task {
	TAILQ_ENTRY(loop_task) link;
	uint64_t turn; /* in which it was queued */
	bool queued;
	void (*run)(struct loop *, struct loop_task *);
};

#define LOOP_TIMER_UNSET SIZE_MAX
#define LOOP_EVENTS_MAX  64 /* taken from epoll per turn */

struct loop {
	int epoll_fd;
	uint64_t now_ms;
	uint64_t now_ns;
	struct loop_timer **heap; /* ordered by key_ms, the smallest first */
	size_t heap_len;
	size_t heap_size;
	size_t timers; /* initialized timers; the heap always has room for all of them */
	TAILQ_HEAD(loop_tasks, loop_task) soon; /* the run list, the oldest first */
	uint64_t turn;
	/* When the present turn began (CLOCK_MONOTONIC, milliseconds); 0 while the loop waits. The
	 * master's watchdog reads it. Points to idle until the owner points it elsewhere. */
	uint64_t *busy_since_ms;
	/* How many events a turn takes, at most LOOP_EVENTS_MAX, which is the default. Those that
	 * are left come first in the next turn. */
	int events_max;
	uint64_t idle;
	struct epoll_event *batch; /* the events of the present turn */
	int batch_next;
	int batch_len;
	bool batch_full; /* there may be more events, which the next turn takes */
};

int loop_init(struct loop *); /* 0 or -errno */
void loop_release(struct loop *);

/* Waits for events or the next timer and runs the callbacks of both. max_wait_ms bounds the wait;
 * -1 is no bound. Returns 0, or -errno when epoll itself failed. */
int loop_turn(struct loop *, int max_wait_ms);

/* Call it after the last turn: the watchdog must not count what follows as a long turn. */
static inline void loop_rest(struct loop *l)
{
	__atomic_store_n(l->busy_since_ms, 0, __ATOMIC_RELAXED);
}

/* events: EPOLLIN and so on, also EPOLLEXCLUSIVE. Returns 0 or -errno. */
int loop_add(struct loop *, struct loop_io *, uint32_t events);
/* Changes the interest; makes no system call when it is the same. */
int loop_modify(struct loop *, struct loop_io *, uint32_t events);
/* Removes it from the set; the descriptor stays open. No callback comes after this. */
void loop_remove(struct loop *, struct loop_io *);
/* Did the kernel have nothing to report of it when this turn began, or was it delivered already?
 * False if a turn could not take all events. Makes no system call. */
bool loop_is_quiet(const struct loop *, const struct loop_io *);
/* Closes the descriptor and sets fd to -1. Closing also removes it from the set, provided that no
 * other process holds a duplicate. No callback comes after this. */
void loop_close(struct loop *, struct loop_io *);

/* Removes and closes. Needed where another process may hold a duplicate, as a child does of every
 * descriptor between fork and exec: a descriptor that is only closed would stay in the set and
 * report events for memory that is in other use by then. Does nothing if fd is -1. */
void loop_remove_and_close(struct loop *, struct loop_io *);

/* Runs the task once, in the next turn, after its events and timers: what others have to do comes
 * in between, however often a task queues itself. Does nothing if it is queued. The caller keeps
 * its memory valid until it has run or was cancelled. */
void loop_soon(struct loop *, struct loop_task *);
/* The same for something that another descriptor's event or a timer has caused: it runs in this
 * turn, after the events and timers, and so needs no other wait. To go on, a task queues itself
 * with loop_soon(). */
void loop_late(struct loop *, struct loop_task *);
void loop_soon_cancel(struct loop *, struct loop_task *);

/* Reserves a place in the heap: 0 or -ENOMEM. Setting the timer cannot fail after that. */
int loop_timer_init(struct loop *, struct loop_timer *,
		    void (*expired)(struct loop *, struct loop_timer *));
/* Cancels the timer and frees its place. */
void loop_timer_release(struct loop *, struct loop_timer *);
/* Starts or restarts the timer. Moving a deadline to a later time costs next to nothing, so it may
 * be done for each request. */
void loop_timer_set(struct loop *, struct loop_timer *, uint64_t deadline_ms);
void loop_timer_cancel(struct loop *, struct loop_timer *);

static inline bool loop_timer_is_set(const struct loop_timer *t)
{
	return t->position != LOOP_TIMER_UNSET;
}

#endif

/*
 * The event loop: one epoll set, timers, nothing else. It knows descriptors, never clients.
 *
 * One loop belongs to one thread. Callbacks run to completion; they may add, change and close any
 * descriptor or timer of the loop, their own included. The memory of a loop_io or a loop_timer is
 * the caller's and must stay valid until loop_close()/loop_remove() or loop_timer_release().
 *
 * Readiness is level-triggered (epoll(7)). Time is CLOCK_MONOTONIC, read once per turn:
 * loop->now_ms, and for whoever measures, loop->now_ns.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct epoll_event;
struct loop;

struct loop_io {
	int fd;
	uint32_t events; /* registered interest; 0 and not in the set are different things */
	/* events: EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP as reported */
	void (*ready)(struct loop *, struct loop_io *, uint32_t events);
};

struct loop_timer {
	uint64_t deadline_ms;
	uint64_t key_ms; /* where it stands in the heap: never later than deadline_ms */
	size_t position; /* in the heap, LOOP_TIMER_UNSET while not set */
	void (*expired)(struct loop *, struct loop_timer *);
};

#define LOOP_TIMER_UNSET SIZE_MAX
#define LOOP_EVENTS_MAX  64 /* taken per turn */

struct loop {
	int epoll_fd;
	uint64_t now_ms;
	uint64_t now_ns;
	struct loop_timer **heap; /* by key_ms, the smallest first */
	size_t heap_len;
	size_t heap_size;
	size_t timers; /* initialized: the heap always has room for all of them */
	/* When the turn under way began (CLOCK_MONOTONIC, milliseconds), 0 while it waits: written
	 * for whoever watches over the process. Points to idle until the owner says otherwise. */
	uint64_t *busy_since_ms;
	uint64_t idle;
	struct epoll_event *batch; /* of the turn under way */
	int batch_next;
	int batch_len;
};

int loop_init(struct loop *); /* 0 or -errno */
void loop_release(struct loop *);

/* Waits for events or the next timer, runs the callbacks of both. max_wait_ms bounds the wait, -1
 * for no bound. 0, or -errno when epoll itself failed. */
int loop_turn(struct loop *, int max_wait_ms);

/* The last turn is over: nobody is to take what follows for a long one. */
static inline void loop_rest(struct loop *l)
{
	__atomic_store_n(l->busy_since_ms, 0, __ATOMIC_RELAXED);
}

/* events: EPOLLIN and so on, EPOLLEXCLUSIVE too. 0 or -errno. */
int loop_add(struct loop *, struct loop_io *, uint32_t events);
/* Changes the interest; no system call when nothing changes. */
int loop_modify(struct loop *, struct loop_io *, uint32_t events);
/* Takes it out of the set; the descriptor stays open. No callback comes after this. */
void loop_remove(struct loop *, struct loop_io *);
/* Closes the descriptor, which takes it out of the set as well, as long as nobody else holds a
 * duplicate; fd becomes -1. No callback comes after this. */
void loop_close(struct loop *, struct loop_io *);

/* Both, where somebody else may hold a duplicate, as a child does of everything between fork and
 * exec: what is only closed stays in the set then, and wakes whoever has its place by that time. fd
 * -1: nothing. */
void loop_remove_and_close(struct loop *, struct loop_io *);

/* Reserves a place for it: 0 or -ENOMEM. After that setting it cannot fail. */
int loop_timer_init(struct loop *, struct loop_timer *,
		    void (*expired)(struct loop *, struct loop_timer *));
/* Cancels it and gives the place back. */
void loop_timer_release(struct loop *, struct loop_timer *);
/* (Re)starts it. Moving a deadline to a later time costs next to nothing: a request may do it. */
void loop_timer_set(struct loop *, struct loop_timer *, uint64_t deadline_ms);
void loop_timer_cancel(struct loop *, struct loop_timer *);

static inline bool loop_timer_is_set(const struct loop_timer *t)
{
	return t->position != LOOP_TIMER_UNSET;
}

#endif

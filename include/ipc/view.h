/*
 * The master's view of a child's memory (ipc/slot.h), which may be that of a child of another
 * version of this program: after an upgrade in place the children of the earlier version serve on,
 * and they write where their own program has its counters.
 *
 * So nothing here is read by a C type of this program. A layout says where a child has what, as
 * offsets and sizes. This program's layout is made from its structs; one of another version was
 * handed over with the child (master/upgrade), which names each member. A member that a child's
 * program does not have reads as 0; one that this program does not know is not read; a member
 * whose size differs is read as far as both know it. No read leaves the child's memory, whatever
 * the layout says and whatever the child wrote.
 */
#ifndef IPC_VIEW_H
#define IPC_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc/slot.h"

/* Parts of the memory that are no counters. */
enum ipc_part {
	IPC_PART_BUSY,    /* "busy_since_ms" */
	IPC_PART_THREAD,  /* "thread" */
	IPC_PART_LACK,    /* "lack" */
	IPC_PART_REQUEST, /* "request": struct ipc_request, which only grows at its end */
	IPC_PART_CRASH,   /* "crash": struct ipc_crash, the same */
	IPC_PARTS
};

/* All in bytes. A member at 0 of 0 bytes is not there. */
struct ipc_layout {
	uint32_t modules, module_bytes, modules_max; /* on the board */
	uint32_t slots, slot_bytes;                  /* the first slot, and from one to the next */
	struct {
		uint32_t at, bytes; /* in a slot */
	} parts[IPC_PARTS];
	uint32_t numbers[IPC_NUMBERS]; /* counters: where in a slot; IPC_NOWHERE: it has none */
};

#define IPC_NOWHERE      UINT32_MAX
#define IPC_MODULES_MOST 1024 /* of a child of any version */

/* That of this program. */
const struct ipc_layout *ipc_layout_own(void);
/* One without any member. */
void ipc_layout_clear(struct ipc_layout *);
/* Names the members for another version: calls put for each. */
void ipc_layout_describe(const struct ipc_layout *,
			 void (*put)(void *arg, const char *name, uint32_t at, uint32_t bytes),
			 void *arg);
/* Sets the member of that name. A name that this program does not know is ignored. */
void ipc_layout_set(struct ipc_layout *, const char *name, uint32_t at, uint32_t bytes);
/* Does it fit into a memory of this size, with every member within its slot and aligned? */
bool ipc_layout_fits(const struct ipc_layout *, size_t loops, size_t bytes);

/* Closed (all zero): everything reads as 0. */
struct ipc_view {
	const unsigned char *memory;
	size_t bytes;
	unsigned loops;
	const struct ipc_layout *layout; /* borrowed */
};

/* The view of a board that this program has made; the caller keeps the mapping until the view is
 * closed. */
struct ipc_view ipc_view_own(const struct ipc_board *, unsigned loops);
/* Maps a board from its descriptor. Returns 0; -EINVAL: the memory can be resized under the reader,
 * or the layout does not fit into it; or another -errno. */
int ipc_view_open(struct ipc_view *, int fd, unsigned loops, const struct ipc_layout *);
void ipc_view_close(struct ipc_view *);

/* Of one loop, from 0. */
uint64_t ipc_view_busy_since(const struct ipc_view *, unsigned loop);
int32_t ipc_view_thread(const struct ipc_view *, unsigned loop);
enum ipc_lack ipc_view_lack(const struct ipc_view *, unsigned loop);
int32_t ipc_view_crash_signal(const struct ipc_view *, unsigned loop); /* 0: no crash */
/* Stable copies, with every length and number within its bounds and every text NUL-terminated. The
 * bytes are still whatever the child wrote. */
void ipc_view_request(const struct ipc_view *, unsigned loop, struct ipc_request *ret);
void ipc_view_crash(const struct ipc_view *, unsigned loop, struct ipc_crash *ret);
/* Adds the counters of the loop to *sum; each is capped at IPC_COUNT_MAX. */
void ipc_view_count(const struct ipc_view *, unsigned loop, struct ipc_counters *sum);

/* The i-th of the child's modules; false after the last that it can have. */
bool ipc_view_module(const struct ipc_view *, unsigned i, struct ipc_module *ret);

#endif

/* ipc/view.h: the memory of a child of this program or of another version, read by names and within
 * its bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "ipc/view.h"
#include "master/upgrade/version2.h"

/* --- programs of another version ---------------------------------------------------------------
 */

struct told {
	struct ipc_layout *layout;
	unsigned count;
};

static void tell(void *arg, const char *name, uint32_t at, uint32_t bytes)
{
	struct told *t = arg;
	t->count++;
	ipc_layout_set(t->layout, name, at, bytes);
}

static void copy_frame(struct ipc_layout *to, const struct ipc_layout *from)
{
	ipc_layout_clear(to);
	to->modules = from->modules;
	to->module_bytes = from->module_bytes;
	to->modules_max = from->modules_max;
	to->slots = from->slots;
	to->slot_bytes = from->slot_bytes;
}

static void the_own_layout_survives_its_description(void **state)
{
	struct ipc_layout again;
	struct told told = {.layout = &again};
	(void)state;
	copy_frame(&again, ipc_layout_own());
	ipc_layout_describe(ipc_layout_own(), tell, &told);
	assert_true(told.count > IPC_PARTS + 30);
	for (size_t i = 0; i < IPC_PARTS; i++)
		assert_memory_equal(&again.parts[i], &ipc_layout_own()->parts[i],
				    sizeof(again.parts[i]));
	for (size_t i = 0; i < IPC_NUMBERS; i++) {
		char name[IPC_NUMBER_NAME_MAX];
		if (ipc_number_name(i, name)) {
			assert_int_equal(again.numbers[i], ipc_layout_own()->numbers[i]);
			assert_int_equal(ipc_number_find(name), i);
		}
	}
	assert_true(
	    ipc_layout_fits(&again, 2, sizeof(struct ipc_board) + 2 * sizeof(struct ipc_slot)));
}

static void names_of_numbers_are_found_and_others_are_not(void **state)
{
	static const char *const none[] = {"",
					   ".",
					   "request",
					   "requestss",
					   "requests.",
					   "requests.x",
					   "handshakes_failed",
					   "handshakes_failed.",
					   "handshakes_failed.clos",
					   "handshakes_failed.closed.x",
					   "responses.1",
					   "latency.",
					   "latency.101"};
	(void)state;
	assert_int_equal(ipc_number_find("requests"),
			 offsetof(struct ipc_counters, requests) / sizeof(uint64_t));
	assert_int_equal(ipc_number_find("handshakes_failed.alert"),
			 offsetof(struct ipc_counters, handshakes_failed[IPC_FAILURE_ALERT]) /
			     sizeof(uint64_t));
	assert_int_equal(ipc_number_find("responses.5xx"),
			 offsetof(struct ipc_counters, responses[5]) / sizeof(uint64_t));
	assert_int_equal(ipc_number_find("latency.more"),
			 offsetof(struct ipc_counters, latency[IPC_LATENCIES - 1]) /
			     sizeof(uint64_t));
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_int_equal(ipc_number_find(none[i]), IPC_NUMBERS);
}

/* An earlier version: fewer counters, a shorter crash and request, smaller slots and modules. */
struct old_slot {
	uint64_t requests;
	uint64_t busy;
	int32_t thread;
	uint32_t lack;
	uint64_t closed;
	char request[offsetof(struct ipc_request, method)];
	_Alignas(8) char crash[offsetof(struct ipc_crash, frames)];
};

struct old_module {
	uint64_t bias, start, end;
};

struct old_board {
	struct old_module modules[2];
	struct old_slot slots[3];
};

static void old_layout(struct ipc_layout *l)
{
	ipc_layout_clear(l);
	l->modules = 0;
	l->module_bytes = sizeof(struct old_module);
	l->modules_max = 2;
	l->slots = offsetof(struct old_board, slots);
	l->slot_bytes = sizeof(struct old_slot);
	ipc_layout_set(l, "requests", offsetof(struct old_slot, requests), 8);
	ipc_layout_set(l, "busy_since_ms", offsetof(struct old_slot, busy), 8);
	ipc_layout_set(l, "thread", offsetof(struct old_slot, thread), 4);
	ipc_layout_set(l, "lack", offsetof(struct old_slot, lack), 4);
	ipc_layout_set(l, "handshakes_failed.closed", offsetof(struct old_slot, closed), 8);
	ipc_layout_set(l, "request", offsetof(struct old_slot, request),
		       sizeof(((struct old_slot *)0)->request));
	ipc_layout_set(l, "crash", offsetof(struct old_slot, crash),
		       sizeof(((struct old_slot *)0)->crash));
	ipc_layout_set(l, "a_counter_that_is_no_more", 0, 8);
}

/* A sealed memory, as a child gets it; it ends right after the content's last page. */
static int board_of(const void *content, size_t size)
{
	int fd = memfd_create("board", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, size), (ssize_t)size);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL), 0);
	return fd;
}

static void a_smaller_board_of_an_earlier_version_is_read_by_its_own_strides(void **state)
{
	struct old_board board = {.modules = {{1, 2, 3}, {4, 5, 6}}};
	struct ipc_layout layout;
	struct ipc_view view = {.memory = NULL};
	struct ipc_counters sum = {0}, zero = {0};
	struct ipc_request request;
	struct ipc_crash crash = {0};
	struct ipc_module module;
	(void)state;
	crash.signal = 11;
	crash.frames_count = 9;
	crash.pc = 77;
	for (unsigned i = 0; i < 3; i++) {
		struct old_slot *s = &board.slots[i];
		s->requests = 100 + i;
		s->closed = 200 + i;
		s->busy = 300 + i;
		s->thread = 400 + (int)i;
		s->lack = i;
		memcpy(s->crash, &crash, sizeof(s->crash));
		memset(s->request, 0xff, sizeof(s->request));
	}
	old_layout(&layout);
	int fd = board_of(&board, sizeof(board));
	assert_int_equal(ipc_view_open(&view, fd, 4, &layout), -EINVAL); /* it has three slots */
	assert_int_equal(ipc_view_open(&view, fd, 3, &layout), 0);
	ipc_view_count(&view, 2, &sum);
	assert_int_equal(sum.requests, 102);
	assert_int_equal(sum.handshakes_failed[IPC_FAILURE_CLOSED], 202);
	sum.requests = sum.handshakes_failed[IPC_FAILURE_CLOSED] = 0;
	assert_memory_equal(&sum, &zero, sizeof(sum)); /* and none that it does not have */
	assert_int_equal(ipc_view_busy_since(&view, 1), 301);
	assert_int_equal(ipc_view_thread(&view, 2), 402);
	assert_int_equal(ipc_view_lack(&view, 2), IPC_LACK_DESCRIPTORS);
	assert_int_equal(ipc_view_crash_signal(&view, 2), 11);
	ipc_view_crash(&view, 0, &crash);
	assert_int_equal(crash.pc, 77);
	assert_int_equal(crash.frames_count, 9);
	for (size_t i = 0; i < IPC_FRAMES_MAX; i++)
		assert_int_equal(crash.frames[i], 0);
	ipc_view_request(&view, 0, &request);
	assert_int_equal(request.method_len, IPC_METHOD_MAX);
	assert_int_equal(strlen(request.client), ADDRESS_TEXT_MAX - 1);
	assert_int_equal(request.method[0], 0);
	assert_true(ipc_view_module(&view, 1, &module));
	assert_int_equal(module.end, 6);
	assert_string_equal(module.name, "");
	assert_false(ipc_view_module(&view, 2, &module));
	/* A loop that it does not have, and any after the end. */
	assert_int_equal(ipc_view_busy_since(&view, 3), 0);
	assert_int_equal(ipc_view_thread(&view, UINT32_MAX), 0);
	ipc_view_close(&view);
	assert_int_equal(ipc_view_busy_since(&view, 0), 0);
	close(fd);
}

/* A later version: more of everything, everywhere. */
struct new_slot {
	uint64_t more[7];
	struct ipc_counters counters[2]; /* the second one is meant */
	struct {
		struct ipc_crash known;
		uint64_t more[100];
	} crash;
	struct {
		struct ipc_request known;
		char more[999];
	} request;
	_Alignas(64) uint64_t busy;
};

struct new_board {
	char more[4096];
	struct {
		struct ipc_module known;
		char more[40];
	} modules[IPC_MODULES_MAX + 9];
	_Alignas(64) struct new_slot slots[2];
};

static void a_larger_board_of_a_later_version_is_read_by_its_own_strides(void **state)
{
	struct new_board *board = calloc(1, sizeof(*board));
	struct ipc_layout layout;
	struct ipc_view view = {.memory = NULL};
	struct ipc_counters sum = {0};
	struct ipc_request request;
	struct ipc_crash crash;
	struct ipc_module module;
	char name[IPC_NUMBER_NAME_MAX];
	(void)state;
	assert_non_null(board);
	ipc_layout_clear(&layout);
	layout.modules = offsetof(struct new_board, modules);
	layout.module_bytes = sizeof(board->modules[0]);
	layout.modules_max = IPC_MODULES_MAX + 9;
	layout.slots = offsetof(struct new_board, slots);
	layout.slot_bytes = sizeof(struct new_slot);
	for (size_t i = 0; i < IPC_NUMBERS; i++)
		if (ipc_number_name(i, name)) {
			const size_t at = offsetof(struct new_slot, counters[1]) + 8 * i;
			ipc_layout_set(&layout, name, (uint32_t)at, 8);
			ipc_number_set(&board->slots[1].counters[1], i, 1000 + i);
		}
	ipc_layout_set(&layout, "requests.by_weekday", 0, 8);
	ipc_layout_set(&layout, "crash", offsetof(struct new_slot, crash),
		       sizeof(board->slots[0].crash));
	ipc_layout_set(&layout, "request", offsetof(struct new_slot, request),
		       sizeof(board->slots[0].request));
	ipc_layout_set(&layout, "busy_since_ms", offsetof(struct new_slot, busy), 8);
	board->slots[1].busy = 42;
	board->slots[1].crash.known.signal = 6;
	board->slots[1].crash.known.frames_count = 5000;
	board->slots[1].crash.known.frames[IPC_FRAMES_MAX - 1] = 9;
	memset(&board->slots[1].request, 0xff, sizeof(board->slots[1].request));
	memset(board->modules[IPC_MODULES_MAX + 8].known.name, 'x', IPC_MODULE_NAME);
	int fd = board_of(board, sizeof(*board));
	assert_int_equal(ipc_view_open(&view, fd, 2, &layout), 0);
	ipc_view_count(&view, 1, &sum);
	for (size_t i = 0; i < IPC_NUMBERS; i++)
		assert_int_equal(ipc_number_value(&sum, i),
				 ipc_number_name(i, name) ? 1000 + i : 0);
	assert_int_equal(ipc_view_busy_since(&view, 1), 42);
	assert_int_equal(ipc_view_crash_signal(&view, 1), 6);
	assert_int_equal(ipc_view_crash_signal(&view, 0), 0);
	assert_int_equal(ipc_view_thread(&view, 1), 0); /* it has none */
	ipc_view_crash(&view, 1, &crash);
	assert_int_equal(crash.frames_count, IPC_FRAMES_MAX);
	assert_int_equal(crash.frames[IPC_FRAMES_MAX - 1], 9);
	ipc_view_request(&view, 1, &request);
	assert_int_equal(request.target_len, IPC_TARGET_MAX);
	assert_int_equal(strlen(request.id), IPC_ID_MAX - 1);
	assert_true(ipc_view_module(&view, IPC_MODULES_MAX + 8, &module));
	assert_int_equal(strlen(module.name), IPC_MODULE_NAME - 1);
	assert_false(ipc_view_module(&view, IPC_MODULES_MAX + 9, &module));
	ipc_view_close(&view);
	close(fd);
	free(board);
}

/* --- garbage -----------------------------------------------------------------------------------
 */

#define BYTES (sizeof(struct ipc_board) + 2 * sizeof(struct ipc_slot))

static void refused(const struct ipc_layout *good, uint32_t *field, uint32_t value)
{
	struct ipc_layout bad = *good;
	*(uint32_t *)(void *)((char *)&bad + ((char *)field - (const char *)good)) = value;
	if (ipc_layout_fits(&bad, 2, BYTES))
		fail_msg("%u at byte %zu of the layout was let through", value,
			 (size_t)((char *)field - (const char *)good));
}

static void sizes_and_places_that_do_not_fit_are_refused(void **state)
{
	struct ipc_layout good = *ipc_layout_own();
	const uint32_t slot = sizeof(struct ipc_slot);
	(void)state;
	assert_true(ipc_layout_fits(&good, 2, BYTES));
	assert_false(ipc_layout_fits(&good, 2, BYTES - 1));
	assert_false(ipc_layout_fits(&good, 3, BYTES));
	assert_false(ipc_layout_fits(&good, SIZE_MAX, BYTES));
	assert_false(ipc_layout_fits(&good, 2, 0));
	uint32_t *const frame[] = {&good.modules, &good.module_bytes, &good.modules_max,
				   &good.slots, &good.slot_bytes};
	for (size_t i = 0; i < sizeof(frame) / sizeof(frame[0]); i++) {
		refused(&good, frame[i], UINT32_MAX);
		refused(&good, frame[i], UINT32_MAX - 7);
		refused(&good, frame[i], BYTES);
	}
	refused(&good, &good.modules_max, IPC_MODULES_MOST + 1);
	refused(&good, &good.slots, good.slots + 1);
	refused(&good, &good.slot_bytes, slot - 4);
	refused(&good, &good.slot_bytes, 8);
	for (size_t i = 0; i < IPC_PARTS; i++) {
		refused(&good, &good.parts[i].at, slot);
		refused(&good, &good.parts[i].at, UINT32_MAX);
		refused(&good, &good.parts[i].at, UINT32_MAX - good.parts[i].bytes + 1);
		refused(&good, &good.parts[i].bytes, slot + 1);
		refused(&good, &good.parts[i].bytes, UINT32_MAX);
	}
	refused(&good, &good.parts[IPC_PART_BUSY].at, 4);
	refused(&good, &good.parts[IPC_PART_BUSY].bytes, 4);
	refused(&good, &good.parts[IPC_PART_THREAD].at, 2);
	refused(&good, &good.parts[IPC_PART_CRASH].at, good.parts[IPC_PART_CRASH].at - 4);
	for (size_t i = 0; i < IPC_NUMBERS; i++) {
		refused(&good, &good.numbers[i], slot);
		refused(&good, &good.numbers[i], slot - 7);
		refused(&good, &good.numbers[i], 4);
		refused(&good, &good.numbers[i], UINT32_MAX - 7);
	}
}

static void a_counter_of_another_size_is_not_read(void **state)
{
	struct ipc_layout l;
	(void)state;
	ipc_layout_clear(&l);
	ipc_layout_set(&l, "requests", 8, 4);
	ipc_layout_set(&l, "accepted", 8, 16);
	for (size_t i = 0; i < IPC_NUMBERS; i++)
		assert_int_equal(l.numbers[i], IPC_NOWHERE);
}

/* A child could cut it under the reader, which would end the master by SIGBUS. */
static void a_memory_that_can_shrink_or_is_none_is_refused(void **state)
{
	struct ipc_view view = {.memory = NULL};
	int fd = memfd_create("board", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int pipes[2];
	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, BYTES), 0);
	assert_int_equal(ipc_view_open(&view, fd, 2, ipc_layout_own()), -EINVAL);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	assert_int_equal(ipc_view_open(&view, fd, 2, ipc_layout_own()), 0);
	ipc_view_close(&view);
	close(fd);
	assert_true(ipc_view_open(&view, fd, 2, ipc_layout_own()) < 0);
	assert_int_equal(pipe(pipes), 0);
	assert_true(ipc_view_open(&view, pipes[0], 2, ipc_layout_own()) < 0);
	close(pipes[0]);
	close(pipes[1]);
	fd = board_of("", 1);
	assert_int_equal(ipc_view_open(&view, fd, 1, ipc_layout_own()), -EINVAL);
	close(fd);
	assert_null(view.memory);
}

/* What the programs before the first release left behind, as their headers had it. */
static void the_memory_and_totals_of_version_2_are_read(void **state)
{
	uint64_t board[(1600 + 2 * 1024) / 8] = {0}, totals[VERSION_2_NUMBERS];
	uint64_t *const slot = &board[(1600 + 1024) / 8];
	struct ipc_counters sum = {0}, kept = {0};
	struct ipc_layout layout;
	struct ipc_view view = {.memory = NULL};
	(void)state;
	slot[0] = 5; /* busy_since_ms */
	slot[1] = 6; /* connections */
	for (size_t i = 0; i < VERSION_2_NUMBERS; i++)
		slot[3 + i] = totals[i] = 100 + i;
	((int32_t *)(void *)slot)[720 / 4 + 8] = 11; /* crash.signal */
	version_2_layout(&layout);
	int fd = board_of(board, sizeof(board));
	assert_int_equal(ipc_view_open(&view, fd, 2, &layout), 0);
	ipc_view_count(&view, 1, &sum);
	version_2_totals(&kept, totals);
	assert_int_equal(sum.connections, 6);
	sum.connections = 0;
	assert_memory_equal(&sum, &kept, sizeof(sum));
	assert_int_equal(sum.accepted, 100);
	assert_int_equal(sum.handshakes_failed[IPC_FAILURE_OTHER], 112);
	assert_int_equal(sum.requests, 113);
	assert_int_equal(sum.responses[0], 114);
	assert_int_equal(sum.responses[5], 119);
	assert_int_equal(sum.latency[0], 120);
	assert_int_equal(sum.latency[IPC_LATENCIES - 1], 136);
	assert_int_equal(sum.signatures_refused, 141);
	assert_int_equal(ipc_view_busy_since(&view, 1), 5);
	assert_int_equal(ipc_view_crash_signal(&view, 1), 11);
	ipc_view_close(&view);
	close(fd);
}

static void a_gauge_ends_with_its_process_and_sums_do_not(void **state)
{
	struct ipc_counters kept = {.connections = 0}, child = {.connections = 3, .requests = 5};
	(void)state;
	ipc_counters_keep(&kept, &child);
	ipc_counters_keep(&kept, &child);
	assert_int_equal(kept.connections, 0);
	assert_int_equal(kept.requests, 10);
	assert_int_equal(child.connections, 3);
}

static void a_false_number_is_capped(void **state)
{
	struct ipc_board *board = aligned_alloc(_Alignof(struct ipc_board), BYTES);
	struct ipc_counters sum = {.requests = 7};
	(void)state;
	assert_non_null(board);
	memset(board, 0xff, BYTES);
	const struct ipc_view view = ipc_view_own(board, 2);
	ipc_view_count(&view, 1, &sum);
	for (size_t i = 0; i < IPC_NUMBERS; i++)
		assert_true(ipc_number_value(&sum, i) == IPC_COUNT_MAX);
	assert_int_equal(ipc_view_lack(&view, 1), IPC_LACK_NONE);
	free(board);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_own_layout_survives_its_description),
	    cmocka_unit_test(names_of_numbers_are_found_and_others_are_not),
	    cmocka_unit_test(a_smaller_board_of_an_earlier_version_is_read_by_its_own_strides),
	    cmocka_unit_test(a_larger_board_of_a_later_version_is_read_by_its_own_strides),
	    cmocka_unit_test(sizes_and_places_that_do_not_fit_are_refused),
	    cmocka_unit_test(a_counter_of_another_size_is_not_read),
	    cmocka_unit_test(a_memory_that_can_shrink_or_is_none_is_refused),
	    cmocka_unit_test(the_memory_and_totals_of_version_2_are_read),
	    cmocka_unit_test(a_gauge_ends_with_its_process_and_sums_do_not),
	    cmocka_unit_test(a_false_number_is_capped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

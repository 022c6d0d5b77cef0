/* ipc/use: what loops count about upstreams is added up, outlives them, and is not believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ipc/slot.h"
#include "ipc/use.h"

static const struct ipc_use_size size = {.loops = 3, .endpoints = 5, .upstreams = 2};

static void each_loop_has_a_part_of_its_own(void **state)
{
	struct ipc_use master, worker;
	struct ipc_endpoint_use e;
	struct ipc_upstream_use u;
	(void)state;
	const int fd = ipc_use_create(&size, &master);
	assert_true(fd >= 0);
	assert_int_equal(ipc_use_open(fd, &size, &worker), 0);
	for (uint32_t loop = 0; loop < size.loops; loop++) {
		assert_int_equal((uintptr_t)ipc_use_endpoints(&worker, loop) % 64, 0);
		for (uint32_t i = 0; i < size.endpoints; i++)
			ipc_slot_add(&ipc_use_endpoints(&worker, loop)[i].requests, i + 1);
		for (uint32_t i = 0; i < size.upstreams; i++)
			ipc_slot_add(&ipc_use_upstreams(&worker, loop)[i].retries, 100 * (i + 1));
	}
	for (uint32_t i = 0; i < size.endpoints; i++) {
		ipc_use_endpoint(&master, i, &e);
		assert_int_equal(e.requests, 3 * (i + 1));
		assert_int_equal(e.bytes_received, 0);
	}
	for (uint32_t i = 0; i < size.upstreams; i++) {
		ipc_use_upstream(&master, i, &u);
		assert_int_equal(u.retries, 300 * (i + 1));
		assert_int_equal(u.shed, 0);
	}
	ipc_use_close(&worker);
	ipc_use_close(&master);
	(void)close(fd);
}

static void the_next_loop_goes_on_without_the_gauges(void **state)
{
	struct ipc_use master, worker;
	struct ipc_endpoint_use e;
	struct ipc_upstream_use u;
	(void)state;
	const int fd = ipc_use_create(&size, &master);
	assert_int_equal(ipc_use_open(fd, &size, &worker), 0);
	ipc_use_endpoints(&worker, 1)[4].active = 7;
	ipc_use_endpoints(&worker, 1)[4].requests = 8;
	ipc_use_endpoints(&worker, 2)[4].active = 1;
	ipc_use_upstreams(&worker, 1)[0].queued = 9;
	ipc_use_upstreams(&worker, 1)[0].retries = 10;
	ipc_use_begin(&worker, 1);
	ipc_use_endpoint(&master, 4, &e);
	assert_int_equal(e.active, 1);
	assert_int_equal(e.requests, 8);
	ipc_use_upstream(&master, 0, &u);
	assert_int_equal(u.queued, 0);
	assert_int_equal(u.retries, 10);
	ipc_use_close(&worker);
	ipc_use_close(&master);
	(void)close(fd);
}

static void false_numbers_are_capped(void **state)
{
	struct ipc_use master, worker;
	struct ipc_endpoint_use e;
	(void)state;
	const int fd = ipc_use_create(&size, &master);
	assert_int_equal(ipc_use_open(fd, &size, &worker), 0);
	ipc_use_endpoints(&worker, 0)[0].requests = UINT64_MAX;
	ipc_use_endpoints(&worker, 1)[0].requests = UINT64_MAX;
	ipc_use_endpoint(&master, 0, &e);
	assert_int_equal(e.requests, IPC_COUNT_MAX);
	ipc_use_close(&worker);
	ipc_use_close(&master);
	(void)close(fd);
}

static void memory_of_another_size_is_refused_and_cannot_shrink(void **state)
{
	struct ipc_use master, worker = {.memory = NULL};
	struct ipc_use_size other = size;
	(void)state;
	const int fd = ipc_use_create(&size, &master);
	other.endpoints += 4;
	assert_int_equal(ipc_use_open(fd, &other, &worker), -EINVAL);
	assert_null(worker.memory);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(mprotect(master.memory, 64, PROT_READ), 0);
	ipc_use_close(&master);
	(void)close(fd);
}

static void a_closed_one_has_zeros(void **state)
{
	const struct ipc_use closed = {.memory = NULL};
	struct ipc_endpoint_use e;
	(void)state;
	memset(&e, 1, sizeof(e));
	ipc_use_endpoint(&closed, 0, &e);
	assert_int_equal(e.requests, 0);
}

/* Every number of the structs belongs to one row, and every part that is used has a name. */
static void rows_check(const struct ipc_counter *(*at)(size_t), size_t bytes)
{
	const struct ipc_counter *c;
	size_t next = 0;
	for (size_t i = 0; (c = at(i)) != NULL; i++) {
		assert_int_equal(c->offset, next);
		next += c->count * sizeof(uint64_t);
		assert_true(c->name[0] != '\0' && c->title[0] != '\0' && c->unit[0] != '\0');
		assert_true(c->help[strlen(c->help) - 1] == '.');
		assert_true((c->part == NULL) == (c->count == 1));
	}
	assert_int_equal(next, bytes);
}

static void the_tables_have_every_number(void **state)
{
	(void)state;
	rows_check(ipc_endpoint_counter, sizeof(struct ipc_endpoint_use));
	rows_check(ipc_upstream_counter, sizeof(struct ipc_upstream_use));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_loop_has_a_part_of_its_own),
	    cmocka_unit_test(the_next_loop_goes_on_without_the_gauges),
	    cmocka_unit_test(false_numbers_are_capped),
	    cmocka_unit_test(memory_of_another_size_is_refused_and_cannot_shrink),
	    cmocka_unit_test(a_closed_one_has_zeros),
	    cmocka_unit_test(the_tables_have_every_number),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

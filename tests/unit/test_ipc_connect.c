/* ipc: packets of the connect channel are accepted in exactly one form, and a descriptor comes with
 * CONNECTED alone. What connectors and resolvers write is bounded for readers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc/addresses.h"
#include "ipc/channel.h"
#include "ipc/connect.h"
#include "ipc/health.h"

/* --- the channel ------------------------------------------------------------------------------ */

static const struct ipc_connect_request good_request = {.id = 7, .endpoint = 3, .timeout_ms = 2000};

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void a_connection_crosses(void **state)
{
	int channel[2], connected[2], got = -1;
	struct ipc_connect_request request;
	const struct ipc_connect_answer answer = {
	    .id = 7, .status = IPC_CONNECTED, .address = {0, 0xffff7f000001}};
	struct ipc_connect_answer back;
	(void)state;
	assert_int_equal(ipc_connect_channel(channel), 0);
	assert_int_equal(pipe(connected), 0);
	assert_int_equal(ipc_connect_receive_request(channel[1], &request), -EAGAIN);
	assert_int_equal(ipc_connect_receive_answer(channel[0], &back, &got), -EAGAIN);
	assert_int_equal(ipc_connect_ask(channel[0], &good_request), 0);
	assert_int_equal(ipc_connect_receive_request(channel[1], &request), 1);
	assert_memory_equal(&request, &good_request, sizeof(request));
	assert_int_equal(ipc_connect_answer(channel[1], &answer, connected[1]), 0);
	assert_true(is_open(connected[1])); /* the caller keeps it */
	close(connected[1]);
	assert_int_equal(ipc_connect_receive_answer(channel[0], &back, &got), 1);
	assert_memory_equal(&back, &answer, sizeof(answer));
	assert_true(got >= 0);
	assert_int_equal(fcntl(got, F_GETFD), FD_CLOEXEC);
	assert_int_equal(write(got, "x", 1), 1); /* it is the pipe */
	char c;
	assert_int_equal(read(connected[0], &c, 1), 1);
	close(got);
	close(connected[0]);
	close(channel[1]);
	assert_int_equal(ipc_connect_receive_answer(channel[0], &back, &got), 0);
	assert_int_equal(ipc_connect_ask(channel[0], &good_request), -EPIPE);
	close(channel[0]);
}

static void reasons_cross_without_a_descriptor(void **state)
{
	int channel[2];
	(void)state;
	assert_int_equal(ipc_connect_channel(channel), 0);
	for (uint32_t status = IPC_CONNECT_REFUSED; status < IPC_CONNECT_STATUSES; status++) {
		const struct ipc_connect_answer answer = {
		    .id = status == IPC_CONNECT_AGAIN ? 0 : 9,
		    .status = status,
		    .error = status == IPC_CONNECT_REFUSED ? ECONNREFUSED : 0};
		struct ipc_connect_answer back;
		int got = 99;
		assert_int_equal(ipc_connect_answer(channel[1], &answer, -1), 0);
		assert_int_equal(ipc_connect_receive_answer(channel[0], &back, &got), 1);
		assert_int_equal(got, -1);
		assert_memory_equal(&back, &answer, sizeof(answer));
	}
	close(channel[0]);
	close(channel[1]);
}

static void send_with(int fd, const void *data, size_t len, int with)
{
	struct iovec iov = {(void *)(uintptr_t)data, len};
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(2 * sizeof(int))];
	} control = {.bytes = {0}};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	if (with >= 0) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control.bytes);
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(2 * sizeof(int));
		memcpy(CMSG_DATA(c), (int[]){with, with}, 2 * sizeof(int));
	}
	assert_int_equal(sendmsg(fd, &msg, 0), (ssize_t)len);
}

static int descriptors_open(void)
{
	int count = 0;
	for (int fd = 0; fd < 256; fd++)
		count += is_open(fd);
	return count;
}

static void request_refused(struct ipc_connect_request r, size_t size, int with)
{
	int channel[2];
	struct ipc_connect_request got;
	char room[sizeof(r) + 8] = {0};
	memcpy(room, &r, sizeof(r));
	assert_int_equal(ipc_connect_channel(channel), 0);
	const int before = descriptors_open();
	send_with(channel[0], room, size, with);
	assert_int_equal(ipc_connect_receive_request(channel[1], &got), -EBADMSG);
	assert_int_equal(descriptors_open(), before);
	close(channel[0]);
	close(channel[1]);
}

static void a_malformed_request_is_refused(void **state)
{
	struct ipc_connect_request r = good_request;
	(void)state;
	request_refused(r, sizeof(r) - 1, -1);
	request_refused(r, sizeof(r) + 1, -1);
	request_refused(r, 1, -1);
	request_refused(r, sizeof(r), STDERR_FILENO); /* a descriptor that nobody wants */
	r.id = 0;
	request_refused(r, sizeof(r), -1);
	r = good_request;
	r.timeout_ms = 0;
	request_refused(r, sizeof(r), -1);
	r.timeout_ms = IPC_CONNECT_TIMEOUT_MAX_MS + 1;
	request_refused(r, sizeof(r), -1);
}

static void answer_refused(struct ipc_connect_answer a, size_t size, int with)
{
	int channel[2], got = -1;
	struct ipc_connect_answer back;
	char room[sizeof(a) + 8] = {0};
	memcpy(room, &a, sizeof(a));
	assert_int_equal(ipc_connect_channel(channel), 0);
	const int before = descriptors_open();
	send_with(channel[1], room, size, with);
	assert_int_equal(ipc_connect_receive_answer(channel[0], &back, &got), -EBADMSG);
	assert_int_equal(descriptors_open(), before);
	close(channel[0]);
	close(channel[1]);
}

static void a_malformed_answer_is_refused(void **state)
{
	const struct ipc_connect_answer good = {.id = 7, .status = IPC_CONNECT_TIMED_OUT};
	struct ipc_connect_answer a = good;
	(void)state;
	answer_refused(a, sizeof(a) - 1, -1);
	answer_refused(a, sizeof(a) + 1, -1);
	answer_refused(a, sizeof(a), STDERR_FILENO);
	a.status = IPC_CONNECTED;
	answer_refused(a, sizeof(a), -1);
	a.status = 0;
	answer_refused(a, sizeof(a), -1);
	a.status = IPC_CONNECT_STATUSES;
	answer_refused(a, sizeof(a), -1);
	a = good;
	a.id = 0;
	answer_refused(a, sizeof(a), -1);
	a = good;
	a.status = IPC_CONNECT_AGAIN;
	answer_refused(a, sizeof(a), -1);
	a = good;
	a.error = -ECONNREFUSED;
	answer_refused(a, sizeof(a), -1);
}

static void an_empty_packet_is_an_end(void **state)
{
	int channel[2], got = -1;
	struct ipc_connect_request request;
	struct ipc_connect_answer answer;
	(void)state;
	assert_int_equal(ipc_connect_channel(channel), 0);
	const int before = descriptors_open();
	send_with(channel[0], "", 0, -1);
	send_with(channel[0], "", 0, STDERR_FILENO);
	send_with(channel[1], "", 0, STDERR_FILENO);
	assert_int_equal(ipc_connect_receive_request(channel[1], &request), 0);
	assert_int_equal(ipc_connect_receive_request(channel[1], &request), 0);
	assert_int_equal(ipc_connect_receive_answer(channel[0], &answer, &got), 0);
	assert_int_equal(descriptors_open(), before);
	close(channel[0]);
	close(channel[1]);
}

/* A connector's answers to a loop that does not read must not fill its user's descriptors in
 * flight. */
static void few_answers_wait_unread(void **state)
{
	int channel[2], count = 0, error;
	const struct ipc_connect_answer answer = {.id = 7, .status = IPC_CONNECTED};
	(void)state;
	assert_int_equal(ipc_connect_channel(channel), 0);
	while ((error = ipc_connect_answer(channel[1], &answer, STDERR_FILENO)) == 0)
		count++;
	assert_int_equal(error, -EAGAIN);
	assert_in_range(count, 1, 16);
	/* requests have room for all that may be under way */
	for (unsigned i = 0; i < 128; i++)
		assert_int_equal(ipc_connect_ask(channel[0], &good_request), 0);
	close(channel[0]);
	close(channel[1]);
}

/* The worker has too many descriptors: it must hear so, and not take the answer for a lie. */
static void a_connection_without_room_is_full(void **state)
{
	int channel[2], got = -1;
	struct rlimit limit, none;
	const struct ipc_connect_answer answer = {.id = 7, .status = IPC_CONNECTED};
	struct ipc_connect_answer back;
	(void)state;
	assert_int_equal(ipc_connect_channel(channel), 0);
	assert_int_equal(ipc_connect_answer(channel[1], &answer, STDERR_FILENO), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	const int n = ipc_connect_receive_answer(channel[0], &back, &got);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(n, 1);
	assert_int_equal(got, -1);
	assert_int_equal(back.id, 7);
	assert_int_equal(back.status, IPC_CONNECT_FULL);
	assert_int_equal(back.error, EMFILE);
	close(channel[0]);
	close(channel[1]);
}

/* --- health ----------------------------------------------------------------------------------- */

#define COUNT 5

static void health_is_written_by_one_and_read_by_others(void **state)
{
	struct ipc_health now;
	(void)state;
	const int fd = ipc_health_create(COUNT);
	assert_true(fd >= 0);
	const int read_fd = ipc_health_read_only(fd);
	assert_true(read_fd >= 0);
	struct ipc_healths *own = ipc_health_map(fd, COUNT);
	const struct ipc_healths *theirs = ipc_health_look(read_fd, COUNT);
	assert_non_null(own);
	assert_non_null(theirs);
	assert_int_equal(theirs->count, COUNT);
	assert_int_equal(ipc_health_state(&theirs->list[4]), IPC_HEALTH_UNKNOWN);
	ipc_health_begin(&own->list[4]);
	own->list[4].state = IPC_HEALTH_DOWN;
	strcpy(own->list[4].why, "answered 500");
	ipc_health_end(&own->list[4]);
	assert_int_equal(ipc_health_state(&theirs->list[4]), IPC_HEALTH_DOWN);
	ipc_health_read(&theirs->list[4], &now);
	assert_int_equal(now.state, IPC_HEALTH_DOWN);
	assert_string_equal(now.why, "answered 500");

	/* nothing makes the readers' memory writable */
	assert_null(ipc_health_map(read_fd, COUNT));
	assert_int_equal(
	    mprotect((void *)(uintptr_t)theirs, sizeof(*theirs), PROT_READ | PROT_WRITE), -1);
	assert_int_equal(write(read_fd, "x", 1), -1);
	assert_int_equal(ftruncate(fd, 0), -1);
	/* another number of endpoints is another memory */
	assert_null(ipc_health_map(fd, COUNT + 1));
	assert_null(ipc_health_look(read_fd, COUNT - 1));
	ipc_health_unmap(own, COUNT);
	ipc_health_unmap(theirs, COUNT);
	close(fd);
	close(read_fd);
}

static void what_a_hostile_connector_writes_is_bounded(void **state)
{
	struct ipc_health now;
	(void)state;
	const int fd = ipc_health_create(1);
	struct ipc_healths *own = ipc_health_map(fd, 1);
	assert_non_null(own);
	memset(own->list, 0xff, sizeof(own->list[0]));
	ipc_health_read(&own->list[0], &now); /* and it ends */
	assert_int_equal(now.state, IPC_HEALTH_UNKNOWN);
	assert_int_equal(now.order, IPC_ORDER_NONE);
	assert_int_equal(now.why[sizeof(now.why) - 1], '\0');
	ipc_health_unmap(own, 1);
	/* its successor ends the change that it began */
	own = ipc_health_map(fd, 1);
	assert_int_equal(own->list[0].changes % 2, 0);
	ipc_health_unmap(own, 1);
	close(fd);
}

/* --- names ------------------------------------------------------------------------------------ */

static union ipc_address address_of(unsigned char last)
{
	union ipc_address a = {.bytes = {0}};
	struct sockaddr *sa = &a.any;
	sa->sa_family = AF_INET;
	a.bytes[7] = last;
	return a;
}

static void a_name_has_its_newest_addresses(void **state)
{
	struct ipc_block b;
	size_t first = 0;
	(void)state;
	const int fd = ipc_names_create(3), read_fd = ipc_names_read_only(fd);
	assert_true(fd >= 0 && read_fd >= 0);
	struct ipc_name *all = ipc_names_map(fd, 3);
	assert_non_null(all);
	assert_null(ipc_names_map(read_fd, 3));
	assert_null(ipc_names_map(fd, 300));
	const union ipc_address fixed[] = {address_of(1), address_of(2)};
	assert_int_equal(ipc_block_make(fixed, 2, read_fd, 300, &b), -EINVAL);
	assert_int_equal(ipc_block_make(fixed, 2, read_fd, 3, &b), 0);
	assert_int_equal((uintptr_t)b.places % b.bytes, 0);
	assert_int_equal(b.bytes & (b.bytes - 1), 0);
	assert_true(b.count * sizeof(union ipc_address) <= b.bytes);
	assert_memory_equal(b.places, fixed, sizeof(fixed));
	assert_int_equal(ipc_names_read(b.names, 2, &first), 0);
	union ipc_address list[IPC_NAME_ADDRESSES_MAX + 4];
	for (unsigned turn = 1; turn < 5; turn++) {
		for (unsigned i = 0; i < IPC_NAME_ADDRESSES_MAX + 4; i++)
			list[i] = address_of((unsigned char)(16 * turn + i));
		ipc_names_put(all, 3, 2, list, turn == 4 ? IPC_NAME_ADDRESSES_MAX + 4 : turn);
		const size_t count = ipc_names_read(b.names, 2, &first);
		assert_int_equal(count, turn == 4 ? IPC_NAME_ADDRESSES_MAX : turn);
		assert_memory_equal(&b.places[b.names_first + first], list,
				    count * sizeof(list[0]));
		assert_true(b.names[2].resolved_ms > 0);
	}
	assert_int_equal(ipc_names_read(b.names, 1, &first), 0);
	all[1].counts[0] = UINT32_MAX; /* a resolver that was taken over */
	assert_int_equal(ipc_names_read(b.names, 1, &first), IPC_NAME_ADDRESSES_MAX);
	assert_true(b.names_first + first + IPC_NAME_ADDRESSES_MAX <= b.count);
	ipc_names_unmap(all, 3);
	close(fd);
	close(read_fd);
}

/* --- the block -------------------------------------------------------------------------------- */

static void a_block_cannot_be_made_writable(void **state)
{
	struct ipc_block b;
	(void)state;
	for (size_t count = 0; count < 200; count += 33) {
		union ipc_address *fixed = calloc(count + 1, sizeof(*fixed));
		assert_non_null(fixed);
		for (size_t i = 0; i < count; i++)
			fixed[i] = address_of((unsigned char)i);
		assert_int_equal(ipc_block_make(fixed, count, -1, 0, &b), 0);
		assert_int_equal(b.count, count);
		assert_null(b.names);
		assert_memory_equal(b.places, fixed, count * sizeof(*fixed));
		free(fixed);
		char *at = (char *)(uintptr_t)b.places;
		for (size_t page = 0; page < b.bytes; page += 4096)
			assert_int_equal(mprotect(at + page, 4096, PROT_READ | PROT_WRITE), -1);
		/* a read of a descriptor does not write there, either */
		int ends[2];
		assert_int_equal(pipe(ends), 0);
		assert_int_equal(write(ends[1], "x", 1), 1);
		assert_int_equal(read(ends[0], at, 1), -1);
		assert_int_equal(errno, EFAULT);
		assert_int_equal(madvise(at, b.bytes, MADV_REMOVE), -1);
		assert_int_equal(madvise(at, b.bytes, MADV_DONTNEED), 0);
		assert_true(count < 8 || b.places[7].bytes[7] == 7);
		close(ends[0]);
		close(ends[1]);
		munmap(at, b.bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_connection_crosses),
	    cmocka_unit_test(reasons_cross_without_a_descriptor),
	    cmocka_unit_test(a_malformed_request_is_refused),
	    cmocka_unit_test(a_malformed_answer_is_refused),
	    cmocka_unit_test(an_empty_packet_is_an_end),
	    cmocka_unit_test(few_answers_wait_unread),
	    cmocka_unit_test(a_connection_without_room_is_full),
	    cmocka_unit_test(health_is_written_by_one_and_read_by_others),
	    cmocka_unit_test(what_a_hostile_connector_writes_is_bounded),
	    cmocka_unit_test(a_name_has_its_newest_addresses),
	    cmocka_unit_test(a_block_cannot_be_made_writable),
	};
	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("ipc_connect", tests, NULL, NULL);
}

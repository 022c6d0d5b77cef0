/* ipc: messages arrive whole or not at all, and a role receives only permitted ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "ipc/channel.h"
#include "ipc/handed.h"
#include "ipc/key.h"
#include "ipc/slot.h"
#include "ipc/tickets.h"
#include "sandbox/sandbox.h"

static unsigned descriptors_open(void)
{
	unsigned n = 0;
	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* tests/system/test_taken_over.py sends these as bytes. If the numbers changed, it would still
 * see a worker end, for another reason. */
_Static_assert(IPC_READY == 2 && IPC_FAILED == 3 && IPC_DRAIN == 4 && IPC_FAULT == 11 &&
		   IPC_FILES == 12 && IPC_CERTIFICATE == 13 && IPC_START == 1 && IPC_HANDED == 18 &&
		   IPC_COMPLETE == 19,
	       "the numbers there");
_Static_assert(sizeof(struct sandbox_level) == 68 && sizeof(struct ipc_files) == 32 &&
		   sizeof(struct ipc_certificate) == 280 && sizeof(struct ipc_fault) == 8,
	       "the sizes there");

static void a_message_brings_its_descriptors(void **state)
{
	int channel[2], fds[4];
	struct ipc_message m;
	const struct ipc_item items[4] = {{IPC_FD_CERTIFICATE, 7}};
	struct ipc_item got;
	(void)state;
	assert_int_equal(ipc_channel(channel), 0);
	for (int i = 0; i < 4; i++)
		fds[i] = fd_sealed_memory("test", &"abcd"[i], 1);
	assert_int_equal(ipc_send(channel[0], IPC_HANDED, items, sizeof(items), fds, 4), 0);
	assert_int_equal(ipc_receive(channel[1], ipc_to_new_child, IPC_BEGINNING, &m), 1);
	assert_int_equal(m.type, IPC_HANDED);
	assert_int_equal(m.fds_count, 4);
	memcpy(&got, m.payload, sizeof(got));
	assert_int_equal(got.kind, IPC_FD_CERTIFICATE);
	assert_int_equal(got.of, 7);
	for (int i = 0; i < 4; i++) {
		char byte;
		assert_int_equal(pread(m.fds[i], &byte, 1, 0), 1);
		assert_int_equal(byte, 'a' + i);
		assert_int_equal(fcntl(m.fds[i], F_GETFD), FD_CLOEXEC);
		close(fds[i]);
	}
	ipc_message_release(&m);
	close(channel[0]);
	assert_int_equal(ipc_receive(channel[1], ipc_to_worker, IPC_SERVING, &m), 0);
	close(channel[1]);
}

/* Processes of two versions live together after an upgrade in place, so numbers and the beginnings
 * of payloads never change. New ones are added here at the end. */
_Static_assert(IPC_START == 1 && IPC_KEY_CHANNELS == 6 && IPC_KEY_SILENT == 7 &&
		   IPC_KEY_ABUSED == 8 && IPC_PING == 9 && IPC_PONG == 10 && IPC_SERVE == 14 &&
		   IPC_SETTINGS == 15 && IPC_RETIRE == 16 && IPC_DRAINING == 17,
	       "numbers of messages");
_Static_assert(sizeof(struct ipc_settings) >= 16 && offsetof(struct ipc_settings, drain_ms) == 8 &&
		   sizeof(struct ipc_key_channels) >= 8 &&
		   offsetof(struct ipc_certificate, subject) == 24,
	       "payloads of messages");
_Static_assert(IPC_KEY_REQUEST_HEAD == 16 && IPC_KEY_ANSWER_HEAD == 16 && IPC_KEY_AGAIN == 4 &&
		   offsetof(struct ipc_tickets, turn) == 2 * sizeof(struct ipc_ticket_keys),
	       "packets to the keyholder, and the memory of tickets");
_Static_assert(
    offsetof(struct ipc_request, client) == 6 && offsetof(struct ipc_request, id) == 52 &&
	offsetof(struct ipc_request, method) == 84 && offsetof(struct ipc_request, target) == 100 &&
	offsetof(struct ipc_crash, pc) == 24 && offsetof(struct ipc_crash, signal) == 32 &&
	offsetof(struct ipc_crash, frames) == 40 && offsetof(struct ipc_module, name) == 32,
    "parts of the memory of a child");

static void another_version_may_say_more_and_less(void **state)
{
	enum { LATER = IPC_TYPES + 5 };
	const int fds[2] = {0, 0};
	const unsigned before = descriptors_open();
	struct sandbox_level level = {.role = SANDBOX_WORKER, .reached = 7, .uid = 99}, got;
	char payload[IPC_PAYLOAD_MAX];
	struct ipc_message m;
	int channel[2];
	(void)state;
	memset(payload, 'x', sizeof(payload));
	assert_int_equal(ipc_channel(channel), 0);
	/* a message of a later version, with anything */
	assert_int_equal(
	    ipc_send(channel[1], (enum ipc_type)LATER, payload, sizeof(payload), fds, 2), 0);
	assert_int_equal(ipc_receive_other(channel[0], ipc_from_worker, IPC_SERVING, &m), 1);
	assert_int_equal(m.type, IPC_TYPES);
	ipc_message_release(&m);
	assert_int_equal(descriptors_open(), before + 2);
	/* a longer struct */
	memcpy(payload, &level, sizeof(level));
	assert_int_equal(ipc_send(channel[1], IPC_READY, payload, sizeof(payload), NULL, 0), 0);
	assert_int_equal(ipc_receive_other(channel[0], ipc_from_worker, IPC_BEGINNING, &m), 1);
	assert_int_equal(m.len, sizeof(level));
	assert_memory_equal(m.payload, &level, sizeof(level));
	assert_int_equal(m.payload[m.len], 0);
	/* a shorter one, after the longer one has been in the same place */
	assert_int_equal(ipc_send(channel[1], IPC_READY, payload, 8, NULL, 0), 0);
	assert_int_equal(ipc_receive_other(channel[0], ipc_from_worker, IPC_BEGINNING, &m), 1);
	assert_int_equal(m.len, 8);
	memcpy(&got, m.payload, sizeof(got));
	assert_int_equal(got.reached, 7);
	assert_int_equal(got.uid, 0);
	/* what is refused of any version */
	static const struct {
		enum ipc_type type;
		enum ipc_phase phase;
		size_t fds;
	} bad[] = {{IPC_READY, IPC_SERVING, 0}, {IPC_READY, IPC_BEGINNING, 1},
		   {IPC_FILES, IPC_LEFT, 0},    {IPC_PING, IPC_SERVING, 0},
		   {IPC_START, IPC_SERVING, 0}, {(enum ipc_type)0, IPC_SERVING, 0}};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(
		    ipc_send(channel[1], bad[i].type, payload, sizeof(level), fds, bad[i].fds), 0);
		assert_int_equal(ipc_receive_other(channel[0], ipc_from_worker, bad[i].phase, &m),
				 -EBADMSG);
	}
	assert_int_equal(descriptors_open(), before + 2);
	close(channel[0]);
	close(channel[1]);
}

/* Every message that is not in the table, with descriptors that must not stay open. */
static void what_is_not_permitted_is_refused_and_leaks_nothing(void **state)
{
	static const struct {
		const char *what;
		uint32_t type;
		size_t len;
		size_t fds;
	} bad[] = {
	    {"a type that does not exist", IPC_TYPES, 0, 0},
	    {"a huge type", 0xffffffff, 0, 0},
	    {"type 0", 0, 0, 0},
	    {"what only the master may send", IPC_DRAIN, 0, 0},
	    {"what only the keyholder may send", IPC_PONG, 0, 0},
	    {"READY without a level", IPC_READY, 0, 0},
	    {"READY with too much", IPC_READY, sizeof(struct sandbox_level) + 1, 0},
	    {"READY with a descriptor", IPC_READY, sizeof(struct sandbox_level), 1},
	    {"FAILED without a text", IPC_FAILED, 0, 0},
	    {"FAILED with descriptors", IPC_FAILED, 4, 3},
	    {"FAULT without saying which", IPC_FAULT, 0, 0},
	    {"FAULT with too much", IPC_FAULT, sizeof(struct ipc_fault) + 1, 0},
	    {"FAULT with a descriptor", IPC_FAULT, sizeof(struct ipc_fault), 1},
	};
	int channel[2];
	struct ipc_message m;
	struct sandbox_level level = {0};
	char payload[IPC_PAYLOAD_MAX] = "text";
	(void)state;
	assert_int_equal(ipc_channel(channel), 0);
	unsigned before = descriptors_open();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int fds[3] = {0, 0, 0};
		assert_int_equal(ipc_send(channel[1], (enum ipc_type)bad[i].type, payload,
					  bad[i].len, fds, bad[i].fds),
				 0);
		if (ipc_receive(channel[0], ipc_from_worker, IPC_BEGINNING, &m) != -EBADMSG)
			fail_msg("%s was let through", bad[i].what);
		assert_int_equal(descriptors_open(), before);
	}
	/* And the channel is still in step. */
	assert_int_equal(ipc_send(channel[1], IPC_READY, &level, sizeof(level), NULL, 0), 0);
	assert_int_equal(ipc_receive(channel[0], ipc_from_worker, IPC_BEGINNING, &m), 1);
	assert_int_equal(m.type, IPC_READY);
	close(channel[0]);
	close(channel[1]);
}

/*
 * Every type in every phase, in both directions. Reports of a child's files, of a failed start
 * and of its confinement are permitted until it is ready and refused afterwards; all others are
 * refused before that.
 */
static void what_may_be_said_depends_on_how_far_the_child_is(void **state)
{
	enum { BEGINNING = IPC_BEGINNING, SERVING = IPC_SERVING, LEFT = IPC_LEFT };
	static const struct {
		const struct ipc_permit *permits;
		unsigned phases[IPC_TYPES];
	} all[] = {
	    {ipc_from_worker,
	     {[IPC_FILES] = BEGINNING,
	      [IPC_CERTIFICATE] = BEGINNING,
	      [IPC_FAILED] = BEGINNING,
	      [IPC_READY] = BEGINNING,
	      [IPC_KEY_SILENT] = BEGINNING | SERVING | LEFT,
	      [IPC_FAULT] = SERVING | LEFT,
	      [IPC_DRAINING] = SERVING}},
	    {ipc_from_keyholder,
	     {[IPC_FILES] = BEGINNING,
	      [IPC_FAILED] = BEGINNING,
	      [IPC_READY] = BEGINNING,
	      [IPC_KEY_ABUSED] = SERVING | LEFT,
	      [IPC_PONG] = SERVING | LEFT}},
	    {ipc_to_new_child,
	     {[IPC_START] = BEGINNING, [IPC_HANDED] = BEGINNING, [IPC_COMPLETE] = BEGINNING}},
	    {ipc_to_worker,
	     {[IPC_DRAIN] = SERVING | LEFT,
	      [IPC_SERVE] = SERVING | LEFT,
	      [IPC_RETIRE] = SERVING | LEFT,
	      [IPC_SETTINGS] = SERVING | LEFT}},
	    {ipc_to_keyholder,
	     {[IPC_DRAIN] = SERVING | LEFT,
	      [IPC_KEY_CHANNELS] = SERVING | LEFT,
	      [IPC_PING] = SERVING | LEFT,
	      [IPC_SETTINGS] = SERVING | LEFT,
	      [IPC_FAULT] = SERVING | LEFT}},
	};
	static const char payload[IPC_PAYLOAD_MAX] = "text";
	const int fds[2] = {0, 0};
	int channel[2];
	struct ipc_message m;
	(void)state;
	assert_int_equal(ipc_channel(channel), 0);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		for (unsigned type = 0; type < IPC_TYPES; type++)
			for (unsigned phase = BEGINNING; phase <= LEFT; phase <<= 1) {
				const struct ipc_permit *p = &all[i].permits[type];
				const bool fine = (all[i].phases[type] & phase) != 0;
				assert_int_equal(ipc_send(channel[1], (enum ipc_type)type, payload,
							  p->payload_min, fds, p->fds_min),
						 0);
				const int n = ipc_receive(channel[0], all[i].permits,
							  (enum ipc_phase)phase, &m);
				if (n != (fine ? 1 : -EBADMSG))
					fail_msg("table %zu, type %u, phase %u: %d", i, type, phase,
						 n);
				if (n == 1)
					ipc_message_release(&m);
			}
	close(channel[0]);
	close(channel[1]);
}

/* The wish for a fault goes from workers to the master and from there to keyholders, never else. */
static void faults_go_one_way(void **state)
{
	static const struct {
		const struct ipc_permit *receiver;
		enum ipc_phase phase;
		int result;
	} ways[] = {
	    {ipc_from_worker, IPC_SERVING, 1},      {ipc_from_worker, IPC_BEGINNING, -EBADMSG},
	    {ipc_to_keyholder, IPC_SERVING, 1},     {ipc_from_keyholder, IPC_SERVING, -EBADMSG},
	    {ipc_to_worker, IPC_SERVING, -EBADMSG}, {ipc_to_new_child, IPC_BEGINNING, -EBADMSG}};
	const struct ipc_fault fault = {.how = 2, .count = 7};
	struct ipc_fault got;
	int channel[2];
	struct ipc_message m;
	(void)state;
	assert_int_equal(ipc_channel(channel), 0);
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		assert_int_equal(ipc_send(channel[1], IPC_FAULT, &fault, sizeof(fault), NULL, 0),
				 0);
		assert_int_equal(ipc_receive(channel[0], ways[i].receiver, ways[i].phase, &m),
				 ways[i].result);
		if (ways[i].result != 1)
			continue;
		memcpy(&got, m.payload, sizeof(got));
		assert_int_equal(got.how, 2);
		assert_int_equal(got.count, 7);
	}
	close(channel[0]);
	close(channel[1]);
}

static void raw_packets_of_a_wrong_size_are_refused(void **state)
{
	int channel[2];
	struct ipc_message m;
	static char big[IPC_PAYLOAD_MAX + 100];
	uint32_t type = IPC_FAILED;
	(void)state;
	assert_int_equal(ipc_channel(channel), 0);
	assert_int_equal(send(channel[1], "abc", 3, 0), 3); /* half a header */
	assert_int_equal(ipc_receive(channel[0], ipc_from_worker, IPC_BEGINNING, &m), -EBADMSG);
	memcpy(big, &type, sizeof(type));
	assert_int_equal(send(channel[1], big, sizeof(big), 0), (ssize_t)sizeof(big));
	assert_int_equal(ipc_receive(channel[0], ipc_from_worker, IPC_BEGINNING, &m), -EBADMSG);
	assert_int_equal(ipc_receive(channel[0], ipc_from_worker, IPC_BEGINNING, &m), -EAGAIN);
	close(channel[0]);
	close(channel[1]);
}

/* It reads as the end of the channel; its descriptors must not stay open. */
static void an_empty_packet_leaks_no_descriptors(void **state)
{
	int channel[2];
	struct ipc_message m;
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * 2)];
	} control = {.align = {.cmsg_len = CMSG_LEN(sizeof(int) * 2),
			       .cmsg_level = SOL_SOCKET,
			       .cmsg_type = SCM_RIGHTS}};
	const struct msghdr msg = {.msg_control = &control, .msg_controllen = sizeof(control)};
	(void)state;
	assert_int_equal(ipc_channel(channel), 0);
	unsigned before = descriptors_open();
	memcpy(CMSG_DATA(&control.align), channel, sizeof(channel));
	assert_int_equal(sendmsg(channel[1], &msg, 0), 0);
	assert_int_equal(ipc_receive(channel[0], ipc_from_worker, IPC_BEGINNING, &m), 0);
	assert_int_equal(descriptors_open(), before);
	close(channel[0]);
	close(channel[1]);
}

static void the_longest_text_arrives_terminated(void **state)
{
	int channel[2];
	struct ipc_message m;
	char payload[IPC_PAYLOAD_MAX];
	(void)state;
	memset(payload, 'x', sizeof(payload));
	assert_int_equal(ipc_channel(channel), 0);
	assert_int_equal(ipc_send(channel[1], IPC_FAILED, payload, sizeof(payload), NULL, 0), 0);
	assert_int_equal(ipc_receive(channel[0], ipc_from_worker, IPC_BEGINNING, &m), 1);
	assert_int_equal(m.len, IPC_PAYLOAD_MAX);
	assert_int_equal(strlen((char *)m.payload), IPC_PAYLOAD_MAX);
	assert_int_equal(ipc_send(channel[1], IPC_FAILED, payload, IPC_PAYLOAD_MAX + 1, NULL, 0),
			 -EMSGSIZE);
	close(channel[0]);
	close(channel[1]);
}

static void sending_never_blocks_and_says_when_the_peer_is_gone(void **state)
{
	int channel[2], result = 0;
	char payload[IPC_PAYLOAD_MAX] = "x";
	(void)state;
	assert_int_equal(ipc_channel(channel), 0);
	for (int i = 0; i < 100000 && result == 0; i++)
		result = ipc_send(channel[1], IPC_FAILED, payload, sizeof(payload), NULL, 0);
	assert_int_equal(result, -EAGAIN);
	close(channel[0]);
	close(channel[1]);

	assert_int_equal(ipc_channel(channel), 0);
	close(channel[0]);
	assert_int_equal(ipc_send(channel[1], IPC_DRAINING, NULL, 0, NULL, 0), -EPIPE);
	close(channel[1]);
}

static void counters_are_seen_by_the_reader_and_cannot_be_resized(void **state)
{
	const struct ipc_board *view;
	(void)state;
	int fd = ipc_board_create(3, &view);
	assert_true(fd >= 0);
	struct ipc_board *mine = ipc_board_map(fd, 3);
	assert_non_null(mine);
	ipc_slot_add(&mine->slots[2].counters.requests, 5);
	ipc_slot_add(&mine->slots[2].counters.requests, (uint64_t)-1);
	assert_int_equal(ipc_slot_read(&view->slots[2].counters.requests), 4);
	assert_int_equal(ipc_slot_read(&view->slots[1].counters.requests), 0);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_null(ipc_board_map(fd, 1000));
	ipc_board_unmap(mine, 3);
	ipc_board_unmap(view, 3);
	close(fd);
}

static void counters_of_slots_add_up(void **state)
{
	struct ipc_counters sum = {.requests = 1}, part = {.requests = 2, .signatures_refused = 3};
	(void)state;
	part.latency[IPC_LATENCIES - 1] = 4;
	ipc_counters_add(&sum, &part);
	ipc_counters_add(&sum, &part);
	assert_int_equal(sum.requests, 5);
	assert_int_equal(sum.signatures_refused, 6);
	assert_int_equal(sum.latency[IPC_LATENCIES - 1], 8);
	/* A false value is at most what JSON can hold, and never falls. */
	part.requests = UINT64_MAX;
	ipc_counters_add(&sum, &part);
	assert_true(sum.requests == IPC_COUNT_MAX);
	part.requests = 7;
	ipc_counters_add(&sum, &part);
	assert_true(sum.requests == IPC_COUNT_MAX);
}

static void latencies_fall_into_the_bucket_of_their_bound(void **state)
{
	static const uint64_t bounds[] = IPC_LATENCY_BOUNDS;
	struct ipc_counters c = {0};
	(void)state;
	for (unsigned i = 0; i < IPC_LATENCIES - 1; i++) {
		ipc_counters_latency(&c, bounds[i]);
		assert_int_equal(c.latency[i], i == 0 ? 1 : 2);
		ipc_counters_latency(&c, bounds[i] + 1);
		assert_int_equal(c.latency[i + 1], 1);
	}
	ipc_counters_latency(&c, UINT64_MAX);
	assert_int_equal(c.latency[IPC_LATENCIES - 1], 2);
}

/* The writer may be hostile: any bytes at all. */
static void what_is_copied_is_within_its_bounds(void **state)
{
	struct ipc_request request;
	struct ipc_crash crash;
	(void)state;
	memset(&request, 0xff, sizeof(request));
	memset(&crash, 0xff, sizeof(crash));
	ipc_request_bound(&request);
	assert_int_equal(request.method_len, IPC_METHOD_MAX);
	assert_int_equal(request.target_len, IPC_TARGET_MAX);
	assert_int_equal(strlen(request.client), ADDRESS_TEXT_MAX - 1);
	assert_int_equal(strlen(request.id), IPC_ID_MAX - 1);
	ipc_crash_bound(&crash);
	assert_int_equal(crash.frames_count, IPC_FRAMES_MAX);
}

static void last_words_survive_a_reset(void **state)
{
	int channel[2];
	struct ipc_message m;
	(void)state;
	assert_int_equal(ipc_channel(channel), 0);
	assert_int_equal(ipc_send(channel[0], IPC_DRAIN, NULL, 0, NULL, 0), 0);
	assert_int_equal(ipc_send(channel[1], IPC_FAILED, "why", 3, NULL, 0), 0);
	close(channel[1]); /* with DRAIN unread */
	assert_int_equal(ipc_receive(channel[0], ipc_from_worker, IPC_BEGINNING, &m), 1);
	assert_string_equal((char *)m.payload, "why");
	assert_int_equal(ipc_receive(channel[0], ipc_from_worker, IPC_BEGINNING, &m), 0);
	close(channel[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_message_brings_its_descriptors),
	    cmocka_unit_test(what_is_not_permitted_is_refused_and_leaks_nothing),
	    cmocka_unit_test(another_version_may_say_more_and_less),
	    cmocka_unit_test(what_may_be_said_depends_on_how_far_the_child_is),
	    cmocka_unit_test(faults_go_one_way),
	    cmocka_unit_test(raw_packets_of_a_wrong_size_are_refused),
	    cmocka_unit_test(an_empty_packet_leaks_no_descriptors),
	    cmocka_unit_test(the_longest_text_arrives_terminated),
	    cmocka_unit_test(sending_never_blocks_and_says_when_the_peer_is_gone),
	    cmocka_unit_test(last_words_survive_a_reset),
	    cmocka_unit_test(counters_of_slots_add_up),
	    cmocka_unit_test(latencies_fall_into_the_bucket_of_their_bound),
	    cmocka_unit_test(what_is_copied_is_within_its_bounds),
	    cmocka_unit_test(counters_are_seen_by_the_reader_and_cannot_be_resized),
	};
	(void)signal(SIGPIPE, SIG_IGN); /* as every process that uses this module does */
	return cmocka_run_group_tests(tests, NULL, NULL);
}

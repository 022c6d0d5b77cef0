/*
 * ipc: a new child is handed any number of descriptors, each with its kind and its number, and
 * nothing that is out of form.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "ipc/handed.h"

#define WAIT_MS 20

static int channel[2], file_fd;

static int make(void **state)
{
	(void)state;
	file_fd = fd_sealed_memory("file", "x", 1);
	return file_fd < 0 || ipc_channel(channel) < 0;
}

static int release(void **state)
{
	(void)state;
	fd_close(&channel[0]);
	fd_close(&channel[1]);
	fd_close(&file_fd);
	return 0;
}

static unsigned descriptors_open(void)
{
	unsigned n = 0;
	for (int fd = 0; fd < 4096; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void start_send(uint32_t role)
{
	const struct ipc_start start = {.role = role, .port = 8443, .number = 2};
	assert_int_equal(ipc_send(channel[0], IPC_START, &start, sizeof(start), NULL, 0), 0);
}

static void complete_send(const struct ipc_complete *complete)
{
	assert_int_equal(ipc_send(channel[0], IPC_COMPLETE, complete, sizeof(*complete), NULL, 0),
			 0);
}

/* What every worker has, besides its certificates. */
static void worker_add(struct ipc_batch *b)
{
	static const enum ipc_handed kinds[] = {IPC_FD_CONF, IPC_FD_SLOT, IPC_FD_TICKETS,
						IPC_FD_KEY_CHANNEL, IPC_FD_LISTENER};
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		assert_true(ipc_batch_add(b, kinds[i], 0, file_fd));
}

static void many_files_take_several_messages(void **state)
{
	enum { FILES = 1000 };
	struct ipc_batch batch = {.count = 0};
	struct ipc_complete complete = {{0}};
	struct ipc_handed_list l;
	struct ipc_start start;
	struct stat st;
	const char *why;
	unsigned messages = 0;
	(void)state;
	const unsigned before = descriptors_open();
	start_send(IPC_WORKER);
	worker_add(&batch);
	for (size_t i = 0; i < FILES; i++)
		if (!ipc_batch_add(&batch, IPC_FD_CERTIFICATE, i, file_fd)) {
			assert_int_equal(ipc_batch_send(&batch, channel[0], &complete), 0);
			messages++;
			assert_true(ipc_batch_add(&batch, IPC_FD_CERTIFICATE, i, file_fd));
		}
	assert_int_equal(ipc_batch_send(&batch, channel[0], &complete), 0);
	assert_int_equal(messages + 1, 5);
	complete_send(&complete);
	assert_true(ipc_has_unread(channel[0]));

	assert_int_equal(ipc_handed_receive(channel[1], WAIT_MS, &start, &l, &why), 0);
	assert_false(ipc_has_unread(channel[0]));
	assert_int_equal(start.port, 8443);
	assert_int_equal(start.number, 2);
	assert_int_equal(l.counts[IPC_FD_CERTIFICATE], FILES);
	assert_int_equal(l.counts[IPC_FD_KEY], 0);
	for (size_t i = 0; i < FILES; i += 333) {
		int fd = ipc_handed_take(&l, IPC_FD_CERTIFICATE, i);
		assert_int_equal(fstat(fd, &st), 0);
		assert_int_equal(st.st_size, 1);
		assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
		fd_close(&fd);
		assert_int_equal(ipc_handed_take(&l, IPC_FD_CERTIFICATE, i), -1);
	}
	assert_int_equal(ipc_handed_take(&l, IPC_FD_CERTIFICATE, FILES), -1);
	assert_int_equal(ipc_handed_take(&l, IPC_FD_KEY, 0), -1);
	ipc_handed_release(&l);
	assert_int_equal(descriptors_open(), before);
}

/* The numbers need not be without gaps: not every place of a port has a file. */
static void numbers_may_have_gaps(void **state)
{
	struct ipc_batch batch = {.count = 0};
	struct ipc_complete complete = {{0}};
	struct ipc_handed_list l;
	struct ipc_start start;
	const char *why;
	(void)state;
	start_send(IPC_WORKER);
	worker_add(&batch);
	assert_true(ipc_batch_add(&batch, IPC_FD_CERTIFICATE, 3, file_fd));
	assert_true(ipc_batch_add(&batch, IPC_FD_CERTIFICATE, 60000, file_fd));
	assert_int_equal(ipc_batch_send(&batch, channel[0], &complete), 0);
	complete_send(&complete);
	assert_int_equal(ipc_handed_receive(channel[1], WAIT_MS, &start, &l, &why), 0);
	assert_int_equal(ipc_handed_take(&l, IPC_FD_CERTIFICATE, 0), -1);
	int fd = ipc_handed_take(&l, IPC_FD_CERTIFICATE, 60000);
	assert_true(fd >= 0);
	fd_close(&fd);
	ipc_handed_release(&l);
}

/* Sends what is out of form in one way, after a good beginning if that is asked for. */
struct fault {
	const char *what;
	uint32_t role; /* of START; 0: none is sent */
	struct ipc_item items[6];
	size_t items_count;
	size_t fds_count;
	int more_in_complete; /* this many more certificates */
	bool without_complete, start_again, closes;
	int error;
};

#define WORKER_HAS                                                                        \
	{IPC_FD_CONF, 0}, {IPC_FD_SLOT, 0}, {IPC_FD_TICKETS, 0}, {IPC_FD_KEY_CHANNEL, 0}, \
	{                                                                                 \
		IPC_FD_LISTENER, 0                                                        \
	}

static const struct fault faults[] = {
    {"no START", 0, {{IPC_FD_CONF, 0}}, 1, 1, 0, false, false, false, -EBADMSG},
    {"a role that does not exist", 9, {{IPC_FD_CONF, 0}}, 1, 1, 0, false, false, false, -EBADMSG},
    {"START twice", IPC_WORKER, {{IPC_FD_CONF, 0}}, 1, 1, 0, true, true, false, -EBADMSG},
    {"a kind that does not exist",
     IPC_WORKER,
     {{IPC_FD_KINDS, 0}},
     1,
     1,
     0,
     true,
     false,
     false,
     -EBADMSG},
    {"a huge kind", IPC_WORKER, {{65535, 0}}, 1, 1, 0, true, false, false, -EBADMSG},
    {"a key for a worker", IPC_WORKER, {{IPC_FD_KEY, 0}}, 1, 1, 0, true, false, false, -EBADMSG},
    {"a listener for a keyholder",
     IPC_KEYHOLDER,
     {{IPC_FD_LISTENER, 0}},
     1,
     1,
     0,
     true,
     false,
     false,
     -EBADMSG},
    {"a certificate for a keyholder",
     IPC_KEYHOLDER,
     {{IPC_FD_CERTIFICATE, 0}},
     1,
     1,
     0,
     true,
     false,
     false,
     -EBADMSG},
    {"two configurations",
     IPC_WORKER,
     {{IPC_FD_CONF, 0}, {IPC_FD_CONF, 1}},
     2,
     2,
     0,
     true,
     false,
     false,
     -EBADMSG},
    {"a number twice",
     IPC_WORKER,
     {{IPC_FD_CERTIFICATE, 4}, {IPC_FD_CERTIFICATE, 4}},
     2,
     2,
     0,
     true,
     false,
     false,
     -EBADMSG},
    {"a number that goes back",
     IPC_WORKER,
     {{IPC_FD_CERTIFICATE, 4}, {IPC_FD_CONF, 0}, {IPC_FD_CERTIFICATE, 3}},
     3,
     3,
     0,
     true,
     false,
     false,
     -EBADMSG},
    {"more items than descriptors",
     IPC_WORKER,
     {{IPC_FD_CERTIFICATE, 0}, {IPC_FD_CERTIFICATE, 1}},
     2,
     1,
     0,
     true,
     false,
     false,
     -EBADMSG},
    {"more descriptors than items",
     IPC_WORKER,
     {{IPC_FD_CERTIFICATE, 0}},
     1,
     3,
     0,
     true,
     false,
     false,
     -EBADMSG},
    {"no descriptors",
     IPC_WORKER,
     {{IPC_FD_CERTIFICATE, 0}},
     1,
     0,
     0,
     true,
     false,
     false,
     -EBADMSG},
    {"no listener", IPC_WORKER, {WORKER_HAS}, 4, 4, 0, false, false, false, -EBADMSG},
    {"no configuration",
     IPC_KEYHOLDER,
     {{IPC_FD_SLOT, 0}, {IPC_FD_KEY, 0}},
     2,
     2,
     0,
     false,
     false,
     false,
     -EBADMSG},
    {"fewer than COMPLETE says",
     IPC_WORKER,
     {WORKER_HAS, {IPC_FD_CERTIFICATE, 0}},
     6,
     6,
     1,
     false,
     false,
     false,
     -EBADMSG},
    {"more than COMPLETE says",
     IPC_WORKER,
     {WORKER_HAS, {IPC_FD_CERTIFICATE, 0}},
     6,
     6,
     -1,
     false,
     false,
     false,
     -EBADMSG},
    {"no end",
     IPC_WORKER,
     {WORKER_HAS, {IPC_FD_CERTIFICATE, 0}},
     6,
     6,
     0,
     true,
     false,
     false,
     -ETIMEDOUT},
    {"a master that is gone",
     IPC_WORKER,
     {WORKER_HAS, {IPC_FD_CERTIFICATE, 0}},
     6,
     6,
     0,
     true,
     false,
     true,
     -EPIPE},
};

static void what_is_out_of_form_is_refused_and_leaks_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		const struct fault *f = &faults[i];
		struct ipc_complete complete = {{0}};
		struct ipc_handed_list l = {.count = 77};
		struct ipc_start start = {.port = 1};
		const char *why = NULL;
		int fds[6];
		for (size_t k = 0; k < 6; k++)
			fds[k] = file_fd;
		const unsigned before = descriptors_open();
		if (f->role != 0)
			start_send(f->role);
		(void)ipc_send(channel[0], IPC_HANDED, f->items,
			       f->items_count * sizeof(f->items[0]), fds, f->fds_count);
		for (size_t k = 0; k < f->items_count; k++)
			if (f->items[k].kind < IPC_FD_KINDS)
				complete.counts[f->items[k].kind]++;
		complete.counts[IPC_FD_CERTIFICATE] += (uint32_t)f->more_in_complete;
		if (f->start_again)
			start_send(f->role);
		if (!f->without_complete)
			complete_send(&complete);
		if (f->closes)
			fd_close(&channel[0]);
		const int error = ipc_handed_receive(channel[1], WAIT_MS, &start, &l, &why);
		if (error != f->error)
			fail_msg("%s: %d", f->what, error);
		assert_non_null(why);
		assert_int_equal(start.port, 1); /* outputs stay untouched */
		assert_int_equal(l.count, 77);
		assert_int_equal(descriptors_open(), before - f->closes);
		(void)release(NULL);
		assert_int_equal(make(NULL), 0);
	}
}

/* Other messages belong to a child that has begun, so none may come in between. */
static void an_order_in_between_is_refused(void **state)
{
	struct ipc_handed_list l;
	struct ipc_start start;
	const char *why;
	(void)state;
	start_send(IPC_WORKER);
	assert_int_equal(ipc_send(channel[0], IPC_DRAIN, NULL, 0, NULL, 0), 0);
	assert_int_equal(ipc_handed_receive(channel[1], WAIT_MS, &start, &l, &why), -EBADMSG);
}

/* In a child: with room for a few descriptors only. */
static int receive_with_few(void)
{
	const struct rlimit few = {16, 16};
	struct ipc_handed_list l;
	struct ipc_start start;
	const char *why;
	return setrlimit(RLIMIT_NOFILE, &few) < 0 ||
	       ipc_handed_receive(channel[1], WAIT_MS, &start, &l, &why) != -EMFILE;
}

static void a_limit_that_is_too_low_is_named(void **state)
{
	struct ipc_batch batch = {.count = 0};
	struct ipc_complete complete = {{0}};
	int status = -1;
	(void)state;
	start_send(IPC_WORKER);
	for (size_t i = 0; i < 100; i++)
		assert_true(ipc_batch_add(&batch, IPC_FD_CERTIFICATE, i, file_fd));
	assert_int_equal(ipc_batch_send(&batch, channel[0], &complete), 0);
	pid_t pid = fork();
	if (pid == 0)
		_exit(receive_with_few());
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* A child that does not read: the sender hears of it and never waits. */
static void sending_never_blocks(void **state)
{
	struct ipc_batch batch = {.count = 0};
	struct ipc_complete complete = {{0}};
	int error = 0;
	(void)state;
	alarm(60);
	for (size_t i = 0; i < 100000 && error == 0; i++) {
		batch.count = 0;
		assert_true(ipc_batch_add(&batch, IPC_FD_CERTIFICATE, i, file_fd));
		error = ipc_batch_send(&batch, channel[0], &complete);
	}
	alarm(0);
	assert_true(error == -EAGAIN || error == -ETOOMANYREFS);
	assert_int_equal(batch.count, 1); /* to be sent again */
	fd_close(&channel[1]);
	error = ipc_batch_send(&batch, channel[0], &complete);
	assert_true(error == -EPIPE || error == -ECONNRESET);
}

static void a_full_message_takes_no_more(void **state)
{
	struct ipc_batch batch = {.count = 0};
	(void)state;
	for (size_t i = 0; i < IPC_FDS_MAX; i++)
		assert_true(ipc_batch_add(&batch, IPC_FD_KEY, i, file_fd));
	assert_false(ipc_batch_add(&batch, IPC_FD_KEY, IPC_FDS_MAX, file_fd));
	assert_int_equal(batch.count, IPC_FDS_MAX);
}

/* The table, which says who may be handed what. */
static void a_key_is_for_keyholders_alone(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < IPC_FD_KINDS; kind++) {
		assert_non_null(ipc_handed_kinds[kind].name);
		assert_true(ipc_handed_kinds[kind].most >= ipc_handed_kinds[kind].least);
		assert_true(ipc_handed_kinds[kind].roles != 0);
	}
	assert_true(ipc_is_handed(IPC_FD_KEY, IPC_KEYHOLDER));
	assert_false(ipc_is_handed(IPC_FD_KEY, IPC_WORKER));
	assert_false(ipc_is_handed(IPC_FD_LISTENER, IPC_KEYHOLDER));
	assert_false(ipc_is_handed(IPC_FD_KEY_CHANNEL, IPC_KEYHOLDER));
}

#define WITH_CHANNEL(test) cmocka_unit_test_setup_teardown(test, make, release)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_CHANNEL(many_files_take_several_messages),
	    WITH_CHANNEL(numbers_may_have_gaps),
	    WITH_CHANNEL(what_is_out_of_form_is_refused_and_leaks_nothing),
	    WITH_CHANNEL(an_order_in_between_is_refused),
	    WITH_CHANNEL(a_limit_that_is_too_low_is_named),
	    WITH_CHANNEL(sending_never_blocks),
	    WITH_CHANNEL(a_full_message_takes_no_more),
	    WITH_CHANNEL(a_key_is_for_keyholders_alone),
	};
	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("ipc handed", tests, NULL, NULL);
}

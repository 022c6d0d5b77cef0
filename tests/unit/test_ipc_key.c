/* ipc: packets of the key channel are accepted in exactly one form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc/key.h"

static void a_request_and_its_answer_cross(void **state)
{
	int channel[2];
	struct ipc_key_request request = {.id = 1, .key = 2, .scheme = 0x0403, .len = 3}, got;
	struct ipc_key_answer answer = {.id = 1, .status = IPC_KEY_SIGNED, .len = 4}, back;
	(void)state;
	assert_int_equal(ipc_key_channel(channel), 0);
	assert_int_equal(ipc_key_receive_request(channel[1], &got), -EAGAIN);
	memcpy(request.data, "abc", 3);
	memcpy(answer.signature, "wxyz", 4);
	assert_int_equal(ipc_key_ask(channel[0], &request), 0);
	assert_int_equal(ipc_key_receive_request(channel[1], &got), 1);
	assert_memory_equal(&got, &request, ipc_key_request_size(&request));
	assert_int_equal(ipc_key_answer(channel[1], &answer), 0);
	assert_int_equal(ipc_key_receive_answer(channel[0], 0, &back), 1);
	assert_memory_equal(&back, &answer, ipc_key_answer_size(&answer));
	close(channel[1]);
	assert_int_equal(ipc_key_receive_answer(channel[0], 0, &back), 0);
	assert_int_equal(ipc_key_ask(channel[0], &request), -EPIPE);
	close(channel[0]);
}

/* Sends the first size bytes of a spoilt request. */
static int as_request(const struct ipc_key_request *r, size_t size)
{
	int channel[2];
	struct ipc_key_request got;
	uint8_t room[sizeof(*r) + 16] = {0};
	memcpy(room, r, sizeof(*r));
	assert_int_equal(ipc_key_channel(channel), 0);
	assert_int_equal(send(channel[0], room, size, 0), (ssize_t)size);
	int result = ipc_key_receive_request(channel[1], &got);
	close(channel[0]);
	close(channel[1]);
	return result;
}

static void requests_out_of_form_are_refused(void **state)
{
	const struct ipc_key_request good = {.id = 1, .key = 2, .scheme = 0x0403, .len = 32};
	struct ipc_key_request r;
	size_t size = ipc_key_request_size(&good);
	(void)state;
	assert_int_equal(as_request(&good, size), 1);
	for (size_t n = 1; n < size; n++)
		assert_int_equal(as_request(&good, n), -EBADMSG);
	assert_int_equal(as_request(&good, size + 1), -EBADMSG);
	assert_int_equal(as_request(&good, sizeof(good) + 16), -EBADMSG);
	r = good;
	r.id = 0;
	assert_int_equal(as_request(&r, size), -EBADMSG);
	r = good;
	r.zero = 1;
	assert_int_equal(as_request(&r, size), -EBADMSG);
	r = good;
	r.len = 0;
	assert_int_equal(as_request(&r, IPC_KEY_REQUEST_HEAD), -EBADMSG);
	r = good;
	r.len = IPC_KEY_DATA_MAX + 1;
	assert_int_equal(as_request(&r, IPC_KEY_REQUEST_HEAD + IPC_KEY_DATA_MAX + 1), -EBADMSG);
	r.len = 0xffff;
	assert_int_equal(as_request(&r, size), -EBADMSG);
}

static void answers_out_of_form_are_refused(void **state)
{
	const struct ipc_key_answer good = {.id = 1, .status = IPC_KEY_SIGNED, .len = 70};
	const struct ipc_key_answer refused = {.id = 1, .status = IPC_KEY_REFUSED};
	const struct ipc_key_answer again = {.status = IPC_KEY_AGAIN};
	struct ipc_key_answer a;
	(void)state;
	assert_int_equal(ipc_key_answer_check(&good, ipc_key_answer_size(&good)), 0);
	assert_int_equal(ipc_key_answer_check(&refused, IPC_KEY_ANSWER_HEAD), 0);
	assert_int_equal(ipc_key_answer_check(&again, IPC_KEY_ANSWER_HEAD), 0);
	for (size_t n = 0; n < ipc_key_answer_size(&good); n++)
		assert_int_equal(ipc_key_answer_check(&good, n), -EBADMSG);
	a = good;
	a.len = IPC_KEY_SIGNATURE_MAX + 1;
	assert_int_equal(ipc_key_answer_check(&a, ipc_key_answer_size(&a)), -EBADMSG);
	a = refused;
	a.status = 0;
	assert_int_equal(ipc_key_answer_check(&a, IPC_KEY_ANSWER_HEAD), -EBADMSG);
	a.status = IPC_KEY_STATUSES;
	assert_int_equal(ipc_key_answer_check(&a, IPC_KEY_ANSWER_HEAD), -EBADMSG);
	a = refused; /* signed, and no signature */
	a.status = IPC_KEY_SIGNED;
	assert_int_equal(ipc_key_answer_check(&a, IPC_KEY_ANSWER_HEAD), -EBADMSG);
	a = again; /* of no request, so it has no number */
	a.id = 1;
	assert_int_equal(ipc_key_answer_check(&a, IPC_KEY_ANSWER_HEAD), -EBADMSG);
	a = refused;
	a.id = 0;
	assert_int_equal(ipc_key_answer_check(&a, IPC_KEY_ANSWER_HEAD), -EBADMSG);
	a = refused;
	a.zero = 1;
	assert_int_equal(ipc_key_answer_check(&a, IPC_KEY_ANSWER_HEAD), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_request_and_its_answer_cross),
	    cmocka_unit_test(requests_out_of_form_are_refused),
	    cmocka_unit_test(answers_out_of_form_are_refused),
	};
	(void)signal(SIGPIPE, SIG_IGN); /* as every process that uses this module does */
	return cmocka_run_group_tests_name("ipc key", tests, NULL, NULL);
}

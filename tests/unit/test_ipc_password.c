/* ipc: packets of the password channel are accepted in exactly one form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc/password.h"

#define HEAD offsetof(struct ipc_password_request, data)

static struct ipc_password_request request_of(const char *user, const char *password)
{
	struct ipc_password_request r = {.id = 1,
					 .file = 2,
					 .user_len = (uint16_t)strlen(user),
					 .password_len = (uint16_t)strlen(password)};
	memcpy(r.data, user, r.user_len);
	memcpy(r.data + r.user_len, password, r.password_len);
	return r;
}

static void a_request_and_its_answer_cross(void **state)
{
	int channel[2];
	const struct ipc_password_request request = request_of("bob", "secret");
	struct ipc_password_request got;
	struct ipc_password_answer answer = {.id = 1, .status = IPC_PASSWORD_RIGHT}, back;
	(void)state;
	assert_int_equal(ipc_password_channel(channel), 0);
	assert_int_equal(ipc_password_receive_request(channel[1], &got), -EAGAIN);
	assert_int_equal(ipc_password_receive_answer(channel[0], &back), -EAGAIN);
	assert_int_equal(ipc_password_ask(channel[0], &request), 0);
	assert_int_equal(ipc_password_receive_request(channel[1], &got), 1);
	assert_memory_equal(&got, &request, ipc_password_request_size(&request));
	assert_int_equal(ipc_password_answer(channel[1], &answer), 0);
	assert_int_equal(ipc_password_receive_answer(channel[0], &back), 1);
	assert_memory_equal(&back, &answer, sizeof(answer));
	close(channel[1]);
	assert_int_equal(ipc_password_receive_answer(channel[0], &back), 0);
	assert_int_equal(ipc_password_ask(channel[0], &request), -EPIPE);
	close(channel[0]);
}

/* The first size bytes of it, and zeros after its end. */
static int received(const void *packet, size_t len, size_t size, bool answer)
{
	int channel[2];
	struct ipc_password_request request;
	struct ipc_password_answer back;
	char room[sizeof(request) + 64] = {0};
	memcpy(room, packet, len);
	assert_true(size <= sizeof(room));
	assert_int_equal(ipc_password_channel(channel), 0);
	assert_int_equal(send(channel[0], room, size, 0), (ssize_t)size);
	const int result = answer ? ipc_password_receive_answer(channel[1], &back)
				  : ipc_password_receive_request(channel[1], &request);
	close(channel[0]);
	close(channel[1]);
	return result;
}

static int as_request(const struct ipc_password_request *r, size_t size)
{
	return received(r, sizeof(*r), size, false);
}

static int as_answer(const struct ipc_password_answer *a, size_t size)
{
	return received(a, sizeof(*a), size, true);
}

static void requests_out_of_form_are_refused(void **state)
{
	const struct ipc_password_request good = request_of("bob", "secret");
	struct ipc_password_request r;
	const size_t size = ipc_password_request_size(&good);
	(void)state;
	assert_int_equal(size, HEAD + 9);
	assert_int_equal(as_request(&good, size), 1);
	for (size_t n = 1; n < size; n++)
		assert_int_equal(as_request(&good, n), -EBADMSG);
	assert_int_equal(as_request(&good, size + 1), -EBADMSG);
	assert_int_equal(as_request(&good, sizeof(good)), -EBADMSG);
	assert_int_equal(as_request(&good, sizeof(good) + 64), -EBADMSG);
	r = good;
	r.id = 0;
	assert_int_equal(as_request(&r, size), -EBADMSG);
	r = good;
	r.id = UINT64_MAX;
	assert_int_equal(as_request(&r, size), 1);
	for (unsigned bit = 0; bit < 16; bit++) {
		r = good;
		r.zero = (uint16_t)(1u << bit);
		assert_int_equal(as_request(&r, size), -EBADMSG);
	}
	r = good; /* the file is the role's to check */
	r.file = UINT16_MAX;
	assert_int_equal(as_request(&r, size), 1);
}

static void lengths_of_requests_are_bounded_each(void **state)
{
	struct ipc_password_request r = {.id = 1};
	static const struct {
		unsigned user, password;
		int result;
	} rows[] = {
	    {0, 0, 1},
	    {IPC_USER_MAX, IPC_PASSWORD_MAX, 1},
	    {IPC_USER_MAX, 0, 1},
	    {0, IPC_PASSWORD_MAX, 1},
	    {IPC_USER_MAX + 1, 0, -EBADMSG},
	    {IPC_USER_MAX + 1, IPC_PASSWORD_MAX - 1, -EBADMSG},
	    {0, IPC_PASSWORD_MAX + 1, -EBADMSG},
	    {IPC_USER_MAX - 1, IPC_PASSWORD_MAX + 1, -EBADMSG},
	    {UINT16_MAX, 0, -EBADMSG},
	    {UINT16_MAX, UINT16_MAX, -EBADMSG},
	};
	(void)state;
	memset(r.data, 'x', sizeof(r.data));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		r.user_len = (uint16_t)rows[i].user;
		r.password_len = (uint16_t)rows[i].password;
		size_t size = ipc_password_request_size(&r);
		if (size > sizeof(r) + 64)
			size = sizeof(r);
		assert_int_equal(as_request(&r, size), rows[i].result);
	}
	/* as many bytes in all, but others in each: what counts is each length */
	r.user_len = 10;
	r.password_len = UINT16_MAX - 9; /* 16 bits would wrap to 0 */
	assert_int_equal(as_request(&r, HEAD), -EBADMSG);
}

/* crypt(3) would end there, and what begins like the password would be right. */
static void no_request_has_a_nul(void **state)
{
	const struct ipc_password_request good = request_of("bob", "secret");
	(void)state;
	for (size_t at = 0; at < 9; at++) {
		struct ipc_password_request r = good;
		r.data[at] = '\0';
		assert_int_equal(as_request(&r, ipc_password_request_size(&r)), -EBADMSG);
	}
}

static void answers_out_of_form_are_refused(void **state)
{
	const struct ipc_password_answer good = {.id = 1, .status = IPC_PASSWORD_WRONG};
	struct ipc_password_answer a;
	(void)state;
	for (size_t n = 1; n < sizeof(good) + 64; n++)
		assert_int_equal(as_answer(&good, n), n == sizeof(good) ? 1 : -EBADMSG);
	for (uint32_t status = 0; status < 300; status++)
		for (uint64_t id = 0; id < 2; id++) {
			/* AGAIN is of no request; all others are of one */
			const bool fits = status == IPC_PASSWORD_AGAIN
					      ? id == 0
					      : status >= IPC_PASSWORD_RIGHT &&
						    status < IPC_PASSWORD_STATUSES && id != 0;
			a = (struct ipc_password_answer){.id = id, .status = status};
			assert_int_equal(as_answer(&a, sizeof(a)), fits ? 1 : -EBADMSG);
		}
	a = good;
	a.status |= 1u << 31;
	assert_int_equal(as_answer(&a, sizeof(a)), -EBADMSG);
	for (unsigned bit = 0; bit < 32; bit++) {
		a = good;
		a.zero = 1u << bit;
		assert_int_equal(as_answer(&a, sizeof(a)), -EBADMSG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_request_and_its_answer_cross),
	    cmocka_unit_test(requests_out_of_form_are_refused),
	    cmocka_unit_test(lengths_of_requests_are_bounded_each),
	    cmocka_unit_test(no_request_has_a_nul),
	    cmocka_unit_test(answers_out_of_form_are_refused),
	};
	(void)signal(SIGPIPE, SIG_IGN); /* as every process that uses this module does */
	return cmocka_run_group_tests_name("ipc password", tests, NULL, NULL);
}

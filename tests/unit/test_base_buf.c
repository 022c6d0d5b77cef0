/* struct buf: never more than max, all or nothing, and the bytes come out as they went in. */
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

static void test_empty(void **state)
{
	(void)state;
	struct buf b = BUF_INIT(10);
	assert_int_equal(buf_len(&b), 0);
	assert_null(buf_head(&b));
	assert_int_equal(buf_append(&b, NULL, 0), 0);
	assert_null(b.data); /* costs the struct alone */
	buf_consume(&b, 0);
	buf_release(&b);
}

static void test_append_is_all_or_nothing(void **state)
{
	(void)state;
	struct buf b = BUF_INIT(10);
	assert_int_equal(buf_append(&b, "01234567", 8), 0);
	assert_int_equal(buf_append(&b, "89x", 3), -ENOBUFS);
	assert_int_equal(buf_len(&b), 8);
	assert_int_equal(buf_append(&b, "89", 2), 0);
	assert_int_equal(buf_append(&b, "x", 1), -ENOBUFS);
	assert_int_equal(buf_append(&b, "x", SIZE_MAX), -ENOBUFS);
	assert_memory_equal(buf_head(&b), "0123456789", 10);
	assert_true(b.allocated <= 10);
	buf_release(&b);
	assert_int_equal(buf_append(&b, "again", 5), 0);
	assert_memory_equal(buf_head(&b), "again", 5);
	buf_release(&b);
}

static void test_consumed_room_comes_back(void **state)
{
	(void)state;
	struct buf b = BUF_INIT(8);
	assert_int_equal(buf_append(&b, "01234567", 8), 0);
	buf_consume(&b, 6);
	assert_int_equal(buf_append(&b, "89abcd", 6), 0);
	assert_memory_equal(buf_head(&b), "6789abcd", 8);
	buf_consume(&b, 8);
	assert_int_equal(buf_len(&b), 0);
	assert_int_equal(b.start, 0);
	buf_release(&b);
}

static void test_reserve_and_advance(void **state)
{
	(void)state;
	struct buf b = BUF_INIT(4096);
	uint8_t *to = buf_reserve(&b, 1000);
	assert_non_null(to);
	memset(to, 'a', 1000);
	buf_advance(&b, 600); /* fewer than reserved is fine */
	assert_int_equal(buf_len(&b), 600);
	assert_null(buf_reserve(&b, 4096 - 600 + 1));
	assert_null(buf_reserve(&b, SIZE_MAX));
	assert_non_null(buf_reserve(&b, 4096 - 600));
	assert_int_equal(buf_head(&b)[599], 'a');
	buf_release(&b);
}

/* A long run of odd sizes, compared with a counter as the model. */
static void test_order_is_kept(void **state)
{
	(void)state;
	struct buf b = BUF_INIT(3000);
	uint8_t in = 0, out = 0;
	for (unsigned round = 0; round < 5000; round++) {
		uint8_t piece[257];
		size_t len = round * 7 % sizeof(piece);
		for (size_t i = 0; i < len; i++)
			piece[i] = (uint8_t)(in + i);
		if (buf_append(&b, piece, len) == 0)
			in = (uint8_t)(in + len);
		size_t take = round * 11 % 300;
		if (take > buf_len(&b))
			take = buf_len(&b);
		for (size_t i = 0; i < take; i++)
			assert_int_equal(buf_head(&b)[i], (uint8_t)(out + i));
		out = (uint8_t)(out + take);
		buf_consume(&b, take);
		assert_true(buf_len(&b) <= b.max && b.allocated <= b.max);
	}
	buf_release(&b);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_empty),
	    cmocka_unit_test(test_append_is_all_or_nothing),
	    cmocka_unit_test(test_consumed_room_comes_back),
	    cmocka_unit_test(test_reserve_and_advance),
	    cmocka_unit_test(test_order_is_kept),
	};
	return cmocka_run_group_tests_name("base_buf", tests, NULL, NULL);
}

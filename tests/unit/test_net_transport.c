/* The plain transport: every byte passes once, unchanged, and its end is seen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "net/transport.h"

#define DATA "0123456789"

static struct transport_wire wire;
static struct transport transport;

static void begin(size_t out_max)
{
	wire = (struct transport_wire){.out = BUF_INIT(out_max)};
	assert_true(transport_plain.size >= sizeof(transport));
	transport_plain.init(&transport, NULL, &wire);
	assert_ptr_equal(transport.ops, &transport_plain);
}

static void arrive(const char *data)
{
	wire.in = (const uint8_t *)data;
	wire.in_len = strlen(data);
}

static void bytes_pass_in_pieces_of_any_size(void **state)
{
	(void)state;
	for (size_t size = 1; size <= sizeof(DATA); size++) {
		uint8_t heard[2 * sizeof(DATA)];
		size_t len = 0;
		ssize_t n;
		begin(100);
		arrive(DATA);
		while ((n = transport_plain.receive(&transport, heard + len, size)) > 0)
			len += (size_t)n;
		assert_int_equal(n, TRANSPORT_AGAIN);
		assert_int_equal(wire.in_len, 0);
		assert_int_equal(len, sizeof(DATA) - 1);
		assert_memory_equal(heard, DATA, len);
		transport_plain.release(&transport);
	}
}

static void the_end_comes_after_the_last_byte(void **state)
{
	uint8_t heard[sizeof(DATA)];
	(void)state;
	begin(100);
	arrive(DATA);
	wire.in_ended = true;
	assert_int_equal(transport_plain.receive(&transport, heard, sizeof(heard)),
			 sizeof(DATA) - 1);
	assert_int_equal(transport_plain.receive(&transport, heard, sizeof(heard)),
			 TRANSPORT_CLOSED);
	transport_plain.release(&transport);
}

static void it_takes_no_more_than_there_is_room_for(void **state)
{
	uint8_t heard[4] = {0};
	(void)state;
	begin(100);
	arrive(DATA);
	assert_int_equal(transport_plain.receive(&transport, heard, sizeof(heard)), sizeof(heard));
	assert_int_equal(wire.in_len, sizeof(DATA) - 1 - sizeof(heard));
	assert_memory_equal(wire.in, &DATA[sizeof(heard)], wire.in_len);
	/* the rest may come again with newer bytes after it, from another place */
	arrive("456789more");
	assert_int_equal(transport_plain.receive(&transport, heard, sizeof(heard)), sizeof(heard));
	assert_memory_equal(heard, "4567", sizeof(heard));
	transport_plain.release(&transport);
}

static void without_a_byte_there_is_an_end_only_if_it_was_seen(void **state)
{
	uint8_t heard[4];
	(void)state;
	begin(100);
	assert_int_equal(transport_plain.receive(&transport, heard, sizeof(heard)),
			 TRANSPORT_AGAIN);
	wire.in_ended = true;
	for (int i = 0; i < 2; i++)
		assert_int_equal(transport_plain.receive(&transport, heard, sizeof(heard)),
				 TRANSPORT_CLOSED);
	transport_plain.release(&transport);
}

/* The owner asks by these what it has to do itself. */
static void it_has_no_handshake_no_words_and_no_memory(void **state)
{
	(void)state;
	assert_null(transport_plain.handshake);
	assert_null(transport_plain.close);
	assert_null(transport_plain.protocol);
	assert_null(transport_plain.facts);
	assert_int_equal(transport_plain.size, sizeof(struct transport));
	assert_int_equal(transport_plain.memory_max(TRANSPORT_DATA_MAX), 0);
}

static void what_is_sent_is_appended_or_refused_whole(void **state)
{
	const size_t len = sizeof(DATA) - 1;
	(void)state;
	begin(2 * len);
	for (int i = 0; i < 2; i++)
		assert_int_equal(transport_plain.send(&transport, (const uint8_t *)DATA, len),
				 TRANSPORT_OK);
	assert_int_equal(transport_plain.send(&transport, (const uint8_t *)"x", 1),
			 TRANSPORT_FAILED);
	assert_int_equal(buf_len(&wire.out), 2 * len);
	assert_memory_equal(buf_head(&wire.out), DATA DATA, 2 * len);
	buf_release(&wire.out);
	transport_plain.release(&transport);
}

static void it_has_no_handshake_no_protocol_and_no_facts(void **state)
{
	(void)state;
	assert_null(transport_plain.handshake);
	assert_null(transport_plain.protocol);
	assert_null(transport_plain.facts);
	assert_int_equal(transport_plain.memory_max(65536), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bytes_pass_in_pieces_of_any_size),
	    cmocka_unit_test(the_end_comes_after_the_last_byte),
	    cmocka_unit_test(it_takes_no_more_than_there_is_room_for),
	    cmocka_unit_test(without_a_byte_there_is_an_end_only_if_it_was_seen),
	    cmocka_unit_test(it_has_no_handshake_no_words_and_no_memory),
	    cmocka_unit_test(what_is_sent_is_appended_or_refused_whole),
	    cmocka_unit_test(it_has_no_handshake_no_protocol_and_no_facts),
	};
	return cmocka_run_group_tests_name("net transport", tests, NULL, NULL);
}

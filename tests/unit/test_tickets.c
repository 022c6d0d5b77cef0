/* master/port/tickets: when a port gets a new key, and whether it accepts tickets of the former
 * one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <string.h>
#include <sysexits.h>

#include "master/port/port.h"

#define LIFETIME_MS   3600000
#define EXITED(code)  ((code) << 8)
#define SIGNALLED(no) (no)

static struct master master;
static struct conf_port conf = {.number = 8000, .tickets_ms = LIFETIME_MS};
static struct port port, old;
static struct port *ports[] = {&port, &old};

static struct ipc_ticket_keys keys_of(const struct port *p)
{
	struct ipc_ticket_keys keys;
	const struct ipc_tickets *view = ipc_tickets_map(p->tickets_fd);
	assert_non_null(view);
	(void)ipc_tickets_read(view, 0, &keys);
	ipc_tickets_unmap(view);
	return keys;
}

static bool same_key(const uint8_t *a, const uint8_t *b)
{
	return memcmp(a, b, IPC_TICKET_KEY_BYTES) == 0;
}

static int make(void **state)
{
	struct err err;
	(void)state;
	master = (struct master){.ports = ports, .ports_count = 1, .loop = {.now_ms = 1000}};
	port = (struct port){.master = &master,
			     .conf = &conf,
			     .stage = STAGE_CURRENT,
			     .state = PORT_SERVING,
			     .tickets_fd = -1};
	old = port;
	old.stage = STAGE_RETIRED;
	assert_int_equal(port_get_tickets(&port, NULL, &err), 0);
	return 0;
}

static int release(void **state)
{
	(void)state;
	port_drop_tickets(&port);
	port_drop_tickets(&old);
	return 0;
}

/* A worker may be taken over as soon as it is ready. Only one that ends by the master's order
 * counts as honest, since it can choose its own status. */
static void a_holder_that_ends_badly_takes_the_key_along(void **state)
{
	static const struct {
		const char *what;
		enum ipc_role role;
		enum child_state state;
		const char *level;
		int status;
		bool renews;
	} ends[] = {
	    {"drained", IPC_WORKER, CHILD_DRAINING, "x", EXITED(0), false},
	    {"drained too late", IPC_WORKER, CHILD_DRAINING, "x", EXITED(EX_TEMPFAIL), true},
	    {"killed while draining", IPC_WORKER, CHILD_DRAINING, "x", SIGNALLED(SIGKILL), true},
	    {"gone by itself", IPC_WORKER, CHILD_SERVING, "x", EXITED(0), true},
	    {"the same, as if drained", IPC_WORKER, CHILD_SERVING, "x", EXITED(EX_TEMPFAIL), true},
	    {"crashed", IPC_WORKER, CHILD_SERVING, "x", SIGNALLED(SIGSEGV), true},
	    {"violation", IPC_WORKER, CHILD_SERVING, "x", SIGNALLED(SIGSYS), true},
	    {"killed", IPC_WORKER, CHILD_SERVING, "x", SIGNALLED(SIGKILL), true},
	    {"never ready", IPC_WORKER, CHILD_STARTING, "", SIGNALLED(SIGSEGV), false},
	    {"a keyholder", IPC_KEYHOLDER, CHILD_SERVING, "x", SIGNALLED(SIGSEGV), false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct child c = {.port = &port, .role = ends[i].role, .state = ends[i].state};
		const struct ipc_ticket_keys before = keys_of(&port);
		strcpy(c.level, ends[i].level);
		tickets_holder_ended(&c, ends[i].status);
		const struct ipc_ticket_keys after = keys_of(&port);
		if (same_key(before.current, after.current) == ends[i].renews)
			fail_msg("%s: the key is %s", ends[i].what,
				 ends[i].renews ? "the same" : "another");
		assert_true(after.previous_until_ms == 0);
	}
}

static void a_key_is_used_for_one_lifetime_and_taken_for_one_more(void **state)
{
	(void)state;
	const struct ipc_ticket_keys before = keys_of(&port);
	master.loop.now_ms += LIFETIME_MS - 1;
	tickets_look(&master);
	assert_true(same_key(before.current, keys_of(&port).current));
	master.loop.now_ms++;
	tickets_look(&master);
	const struct ipc_ticket_keys after = keys_of(&port);
	assert_false(same_key(before.current, after.current));
	assert_true(same_key(before.current, after.previous));
	assert_true(after.previous_until_ms == master.loop.now_ms + LIFETIME_MS);
	tickets_look(&master); /* and not again at once */
	assert_true(same_key(after.current, keys_of(&port).current));
}

static void generations_share_a_key_as_long_as_their_files_are_the_same(void **state)
{
	struct port_file now[3] = {{IPC_FD_CERTIFICATE, 0, -1, {0}, NULL},
				   {IPC_FD_KEY, 0, -1, {0}, NULL},
				   {IPC_FD_ROOT, 0, -1, {0}, NULL}},
			 then[3];
	memcpy(then, now, sizeof(then));
	struct err err;
	(void)state;
	old = port;
	old.stage = STAGE_RETIRED;
	port.tickets = NULL;
	port.tickets_fd = -1;
	old.files = (struct port_files){.list = then, .count = 2};
	port.files = (struct port_files){.list = now, .count = 3};
	now[2].mark.inode++; /* a document root is none of them */
	assert_int_equal(port_get_tickets(&port, &old, &err), 0);
	assert_ptr_equal(port.tickets, old.tickets);
	port_drop_tickets(&port);

	now[1].mark.size++;
	assert_int_equal(port_get_tickets(&port, &old, &err), 0);
	assert_ptr_not_equal(port.tickets, old.tickets);
	assert_false(same_key(keys_of(&port).current, keys_of(&old).current));
}

/* The processes that serve now may know the former generation's key, as its heirs. */
static void a_retired_holder_that_ends_badly_takes_its_heir_s_key_along(void **state)
{
	struct err err;
	struct child c = {.port = &old, .role = IPC_WORKER, .state = CHILD_DRAINING, .level = "x"};
	(void)state;
	master.ports_count = 2;
	assert_int_equal(port_get_tickets(&old, NULL, &err), 0);
	const struct ipc_ticket_keys before = keys_of(&port);
	tickets_holder_ended(&c, SIGNALLED(SIGKILL));
	assert_false(same_key(before.current, keys_of(&port).current));
}

static void a_port_that_is_started_again_has_another_key(void **state)
{
	struct err err;
	(void)state;
	const struct ipc_ticket_keys before = keys_of(&port);
	assert_int_equal(port_get_tickets(&port, NULL, &err), 0);
	assert_false(same_key(before.current, keys_of(&port).current));
	assert_true(keys_of(&port).previous_until_ms == 0);
}

static void the_former_version_s_key_is_taken_for_one_lifetime(void **state)
{
	(void)state;
	const struct ipc_ticket_keys before = keys_of(&port);
	struct port former = port;
	port.tickets = NULL; /* as it is handed over */
	assert_int_equal(port_adopt_tickets(&port), 0);
	const struct ipc_ticket_keys after = keys_of(&port);
	assert_false(same_key(before.current, after.current));
	assert_true(same_key(before.current, after.previous));
	assert_true(after.previous_until_ms == master.loop.now_ms + LIFETIME_MS);
	former.tickets_fd = -1;
	port_drop_tickets(&former);

	port_drop_tickets(&port); /* of a port that never had one */
	assert_int_equal(port_adopt_tickets(&port), 0);
	assert_null(port.tickets);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_holder_that_ends_badly_takes_the_key_along, make,
					    release),
	    cmocka_unit_test_setup_teardown(a_key_is_used_for_one_lifetime_and_taken_for_one_more,
					    make, release),
	    cmocka_unit_test_setup_teardown(
		generations_share_a_key_as_long_as_their_files_are_the_same, make, release),
	    cmocka_unit_test_setup_teardown(
		a_retired_holder_that_ends_badly_takes_its_heir_s_key_along, make, release),
	    cmocka_unit_test_setup_teardown(a_port_that_is_started_again_has_another_key, make,
					    release),
	    cmocka_unit_test_setup_teardown(the_former_version_s_key_is_taken_for_one_lifetime,
					    make, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

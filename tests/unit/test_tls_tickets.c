/* tls/tickets with ipc/tickets: the keys whose tickets are accepted, tried with a GnuTLS
 * client. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../tls_peer.h"
#include "base/clock.h"
#include "base/fd.h"

#define LIFETIME_MS 3600000

static const char *const versions[] = {PEER_TLS13, PEER_TLS12};
#define VERSIONS (sizeof(versions) / sizeof(versions[0]))

static struct tls_policy *policy;
static struct tls_context *context;
static struct ipc_tickets *tickets;
static int tickets_fd;

static int make(void **state)
{
	(void)state;
	tickets_fd = ipc_tickets_create(&tickets);
	assert_true(tickets_fd >= 0);
	context = peer_context_with(&policy, tickets, LIFETIME_MS);
	return 0;
}

static int release(void **state)
{
	(void)state;
	peer_context_free(context);
	tls_policy_free(policy);
	ipc_tickets_unmap(tickets);
	fd_close(&tickets_fd);
	return 0;
}

static size_t all(void *arg)
{
	(void)arg;
	return 0;
}

/* One connection, with that ticket if there is one. Stores the session for the next one; size
 * 0: the server has issued no ticket. */
static const char *host; /* that the client asks for; NULL: none */

static bool connect_with(const char *version, const gnutls_datum_t *with, gnutls_datum_t *ret)
{
	static struct peer p;
	char byte;
	*ret = (gnutls_datum_t){0};
	peer_init(&p, context, version);
	if (host != NULL)
		assert_int_equal(
		    gnutls_server_name_set(p.client, GNUTLS_NAME_DNS, host, strlen(host)), 0);
	if (with != NULL)
		assert_int_equal(gnutls_session_set_data(p.client, with->data, with->size), 0);
	assert_int_equal(peer_handshake(&p, all, NULL), 0);
	(void)gnutls_record_recv(p.client, &byte, 1); /* takes the ticket of TLS 1.3 */
	if ((gnutls_session_get_flags(p.client) & GNUTLS_SFLAGS_SESSION_TICKET) != 0)
		assert_int_equal(gnutls_session_get_data2(p.client, ret), 0);
	const bool is = p.server.facts.resumed;
	assert_int_equal(gnutls_session_is_resumed(p.client) != 0, is);
	peer_release(&p);
	return is;
}

static bool resumes(const char *version, const gnutls_datum_t *ticket)
{
	gnutls_datum_t next;
	const bool is = connect_with(version, ticket, &next);
	gnutls_free(next.data);
	return is;
}

static gnutls_datum_t ticket_of(const char *version)
{
	gnutls_datum_t ticket;
	assert_false(connect_with(version, NULL, &ticket));
	assert_true(ticket.size > 0);
	return ticket;
}

static void a_ticket_of_the_key_in_use_is_taken(void **state)
{
	(void)state;
	for (size_t i = 0; i < VERSIONS; i++) {
		gnutls_datum_t ticket = ticket_of(versions[i]);
		assert_true(resumes(versions[i], &ticket));
		gnutls_free(ticket.data);
	}
}

static void a_ticket_of_a_former_key_is_taken_until_its_time(void **state)
{
	(void)state;
	for (size_t i = 0; i < VERSIONS; i++) {
		gnutls_datum_t former = ticket_of(versions[i]);
		assert_int_equal(ipc_tickets_renew(tickets, clock_ms() + 60000), 0);
		assert_true(resumes(versions[i], &former));
		gnutls_datum_t ticket = ticket_of(versions[i]);
		assert_true(resumes(versions[i], &ticket));
		assert_true(resumes(versions[i], &former));
		/* The same two keys, and the time is over. */
		tickets->pairs[tickets->turn & 1].previous_until_ms = clock_ms() - 1;
		assert_false(resumes(versions[i], &former));
		assert_true(resumes(versions[i], &ticket));
		gnutls_free(former.data);
		gnutls_free(ticket.data);
	}
}

static void a_ticket_of_a_key_that_was_given_up_is_not_taken(void **state)
{
	(void)state;
	for (size_t i = 0; i < VERSIONS; i++) {
		gnutls_datum_t oldest = ticket_of(versions[i]);
		assert_int_equal(ipc_tickets_renew(tickets, clock_ms() + 60000), 0);
		gnutls_datum_t former = ticket_of(versions[i]);
		assert_int_equal(ipc_tickets_renew(tickets, 0), 0);
		assert_false(resumes(versions[i], &oldest));
		assert_false(resumes(versions[i], &former));
		/* One more change does not bring it back. */
		assert_int_equal(ipc_tickets_renew(tickets, clock_ms() + 60000), 0);
		assert_false(resumes(versions[i], &former));
		gnutls_free(oldest.data);
		gnutls_free(former.data);
	}
}

/* The client should change to the current key as soon as it can. */
static void who_comes_with_another_key_s_ticket_gets_one_of_the_key_in_use(void **state)
{
	(void)state;
	for (size_t i = 0; i < VERSIONS; i++) {
		gnutls_datum_t unknown = ticket_of(versions[i]), next;
		assert_int_equal(ipc_tickets_renew(tickets, 0), 0);
		assert_int_equal(ipc_tickets_renew(tickets, clock_ms() + 60000), 0);
		assert_false(connect_with(versions[i], &unknown, &next));
		assert_true(next.size > 0);
		assert_int_equal(ipc_tickets_renew(tickets, clock_ms() + 60000), 0);
		assert_true(resumes(versions[i], &next));
		gnutls_free(unknown.data);
		gnutls_free(next.data);
	}
}

/* RFC 6066, 3: under another name a session of TLS 1.2 is not resumed. With one certificate it is
 * under TLS 1.3 (RFC 8446, 4.6.1); with several, tests/system/test_tls.py. */
static void a_ticket_counts_for_its_host_alone(void **state)
{
	static const struct {
		const char *first, *second;
		bool same;
	} pairs[] = {{"one.example", "one.example", true},
		     {"one.example", "ONE.Example", true},
		     {"one.example", "two.example", false},
		     {"one.example", NULL, false},
		     {NULL, "one.example", false},
		     {NULL, NULL, true},
		     {"one.example", "one.example.org", false}};
	(void)state;
	for (size_t i = 0; i < VERSIONS; i++)
		for (size_t k = 0; k < sizeof(pairs) / sizeof(pairs[0]); k++) {
			host = pairs[k].first;
			gnutls_datum_t ticket = ticket_of(versions[i]);
			host = pairs[k].second;
			const bool is = resumes(versions[i], &ticket);
			/* And of the former key, too. */
			assert_int_equal(ipc_tickets_renew(tickets, clock_ms() + 60000), 0);
			const bool was = resumes(versions[i], &ticket);
			host = NULL;
			gnutls_free(ticket.data);
			const bool expected = pairs[k].same || versions[i] == versions[0];
			if (is != expected || was != expected)
				fail_msg("%s, then %s: %d, %d",
					 pairs[k].first != NULL ? pairs[k].first : "no name",
					 pairs[k].second != NULL ? pairs[k].second : "no name", is,
					 was);
		}
}

static void without_tickets_each_handshake_is_a_full_one(void **state)
{
	struct tls_context *with = context;
	struct tls_policy *none;
	gnutls_datum_t ticket;
	(void)state;
	context = peer_context_with(&none, tickets, 0);
	for (size_t i = 0; i < VERSIONS; i++) {
		assert_false(connect_with(versions[i], NULL, &ticket));
		assert_int_equal(ticket.size, 0);
	}
	peer_context_free(context);
	tls_policy_free(none);
	context = with;
}

/* --- the memory ------------------------------------------------------------------------------- */

static void who_is_handed_the_keys_reads_them_and_changes_none(void **state)
{
	struct ipc_ticket_keys keys;
	const size_t size = sizeof(*tickets);
	(void)state;
	const struct ipc_tickets *view = ipc_tickets_map(tickets_fd);
	assert_non_null(view);
	assert_int_equal(ipc_tickets_renew(tickets, 1000), 0);
	assert_true(ipc_tickets_read(view, 999, &keys));
	assert_false(ipc_tickets_read(view, 1000, &keys));
	assert_memory_equal(keys.current, tickets->pairs[tickets->turn & 1].current,
			    sizeof(keys.current));
	assert_int_equal(mprotect((void *)(uintptr_t)view, size, PROT_READ | PROT_WRITE), -1);
	assert_int_equal(errno, EACCES);
	assert_ptr_equal(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, tickets_fd, 0),
			 MAP_FAILED);
	assert_int_equal(errno, EPERM);
	assert_int_equal(pwrite(tickets_fd, "x", 1, 0), -1);
	assert_int_equal(ftruncate(tickets_fd, 0), -1);
	assert_int_equal(fallocate(tickets_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096),
			 -1);
	ipc_tickets_unmap(view);
}

/* The memory holds no key that is no longer used. */
static void a_key_that_is_given_up_is_gone(void **state)
{
	uint8_t given_up[IPC_TICKET_KEY_BYTES];
	(void)state;
	memcpy(given_up, tickets->pairs[tickets->turn & 1].current, sizeof(given_up));
	assert_int_equal(ipc_tickets_renew(tickets, 0), 0);
	assert_null(memmem(tickets, sizeof(*tickets), given_up, sizeof(given_up)));
}

static void the_key_of_a_former_version_is_taken_over(void **state)
{
	uint8_t former[IPC_TICKET_KEY_BYTES], old[IPC_TICKET_KEY_BYTES] = {7};
	struct ipc_ticket_keys keys;
	(void)state;
	assert_int_equal(ipc_tickets_former(tickets_fd, former), 0);
	assert_memory_equal(former, tickets->pairs[tickets->turn & 1].current, sizeof(former));
	int fd = fd_sealed_memory("tickets", old, 3);
	assert_int_equal(ipc_tickets_former(fd, former), -EIO);
	fd_close(&fd);
	ipc_tickets_inherit(tickets, old, 500);
	assert_true(ipc_tickets_read(tickets, 499, &keys));
	assert_memory_equal(keys.previous, old, sizeof(old));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_ticket_of_the_key_in_use_is_taken),
	    cmocka_unit_test(a_ticket_of_a_former_key_is_taken_until_its_time),
	    cmocka_unit_test(a_ticket_of_a_key_that_was_given_up_is_not_taken),
	    cmocka_unit_test(who_comes_with_another_key_s_ticket_gets_one_of_the_key_in_use),
	    cmocka_unit_test(a_ticket_counts_for_its_host_alone),
	    cmocka_unit_test(without_tickets_each_handshake_is_a_full_one),
	    cmocka_unit_test(who_is_handed_the_keys_reads_them_and_changes_none),
	    cmocka_unit_test(a_key_that_is_given_up_is_gone),
	    cmocka_unit_test(the_key_of_a_former_version_is_taken_over),
	};
	return cmocka_run_group_tests(tests, make, release);
}

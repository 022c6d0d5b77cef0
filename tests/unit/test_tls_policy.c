/* tls/policy: the algorithms that are offered, by the groups that the library has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <gnutls/gnutls.h>
#include <string.h>

#include "tls/policy.h"

#define CURVES "+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:+GROUP-SECP521R1"

static const char *written(const char *const *groups, size_t count, bool short_rsa)
{
	static char text[TLS_POLICY_MAX];
	struct text t;
	text_init(&t, text, sizeof(text));
	tls_policy_write(&t, NULL, &(struct tls_library){groups, count}, short_rsa);
	assert_false(t.truncated);
	return text;
}

/* What follows "no groups", which is its end. */
static const char *groups_in(const char *policy)
{
	const char *at = strstr(policy, "-GROUP-ALL:");
	assert_non_null(at);
	return at + strlen("-GROUP-ALL:");
}

static void the_curves_are_there_whatever_the_library_lists(void **state)
{
	static const char *const curves[] = {"SECP256R1", "X25519", "FFDHE2048"};
	(void)state;
	assert_string_equal(groups_in(written(NULL, 0, false)), CURVES);
	assert_string_equal(groups_in(written(curves, 3, false)), CURVES);
}

static void the_hybrid_comes_first_where_the_library_has_it(void **state)
{
	static const char *const first[] = {"X25519-MLKEM768", "SECP256R1", "X25519"};
	static const char *const last[] = {"SECP256R1", "X25519", "X25519-MLKEM768"};
	static const char *const other_name[] = {"SECP256R1", "X25519MLKEM768"};
	static const char *const twice[] = {"X25519-MLKEM768", "X25519MLKEM768"};
	(void)state;
	assert_string_equal(groups_in(written(first, 3, false)), "+GROUP-X25519-MLKEM768:" CURVES);
	assert_string_equal(groups_in(written(last, 3, false)), "+GROUP-X25519-MLKEM768:" CURVES);
	assert_string_equal(groups_in(written(other_name, 2, false)),
			    "+GROUP-X25519MLKEM768:" CURVES);
	assert_string_equal(groups_in(written(twice, 2, false)), "+GROUP-X25519-MLKEM768:" CURVES);
}

/* Drafts, hybrids that browsers do not offer, and ML-KEM alone. */
static void nothing_else_of_the_library_is_offered(void **state)
{
	static const char *const others[] = {"X25519-KYBER768",
					     "SECP256R1-MLKEM768",
					     "SECP384R1-MLKEM1024",
					     "MLKEM768",
					     "MLKEM1024",
					     "X25519-MLKEM7680",
					     "X448",
					     "FFDHE8192"};
	(void)state;
	assert_string_equal(groups_in(written(others, 8, false)), CURVES);
}

static void a_short_rsa_key_signs_without_sha_512(void **state)
{
	static const char *const hybrid[] = {"X25519-MLKEM768"};
	const char *policy = written(hybrid, 1, true);
	(void)state;
	assert_non_null(strstr(policy, ":-SIGN-RSA-PSS-RSAE-SHA512"));
	assert_non_null(strstr(policy, ":-SIGN-RSA-PSS-SHA512"));
	assert_null(strstr(written(hybrid, 1, false), "SHA512"));
}

static const char *chosen(struct tls_choice c)
{
	static const char *const groups[] = {"X25519", "SECP256R1", "X25519-MLKEM768"};
	static const struct tls_library library = {groups, 3};
	static char text[TLS_POLICY_MAX];
	struct text t;
	text_init(&t, text, sizeof(text));
	tls_policy_write(&t, &c, &library, false);
	assert_false(t.truncated);
	return text;
}

static struct tls_choice with(struct tls_choice c, enum tls_list list, const char *name)
{
	uint8_t words[TLS_CHOICE_MAX];
	const size_t count = tls_words_find(list, name, strlen(name), words);
	assert_true(count > 0);
	for (size_t i = 0; i < count; i++)
		assert_true(tls_choice_add(&c, list, words[i]));
	return c;
}

#define REST ":-RSA:%SERVER_PRECEDENCE:-SIGN-RSA-SHA1:-SIGN-ECDSA-SHA1:-CIPHER-ALL"

static void what_is_chosen_replaces_its_part(void **state)
{
	const struct tls_choice none = {.priority = NULL};
	struct tls_choice c;
	(void)state;
	c = with(with(none, TLS_LIST_VERSIONS, "1.2"), TLS_LIST_VERSIONS, "1.3");
	assert_string_equal(chosen(c), written((const char *const[]){"X25519-MLKEM768"}, 1, false));
	c = with(with(none, TLS_LIST_GROUPS, "secp256r1"), TLS_LIST_GROUPS, "X25519MLKEM768");
	assert_string_equal(groups_in(chosen(c)), "+GROUP-SECP256R1:+GROUP-X25519-MLKEM768");
	/* a group that is not there: tls_policy_new() refuses it */
	assert_string_equal(groups_in(chosen(with(c, TLS_LIST_GROUPS, "x448"))),
			    "+GROUP-SECP256R1:+GROUP-X25519-MLKEM768");
	c = with(with(none, TLS_LIST_VERSIONS, "1.2"), TLS_LIST_CIPHERS, "AES-256-GCM");
	c = with(with(c, TLS_LIST_CIPHERS, "CHACHA20-POLY1305"), TLS_LIST_GROUPS, "x25519");
	assert_string_equal(chosen(c), "-VERS-ALL:+VERS-TLS1.2" REST
				       ":+AES-256-GCM:+CHACHA20-POLY1305:-KX-ALL:+ECDHE-ECDSA:"
				       "+ECDHE-RSA:-GROUP-ALL:+GROUP-X25519");
	c = with(with(none, TLS_LIST_CIPHERS, "ECDHE-RSA-AES128-GCM-SHA256"), TLS_LIST_CIPHERS,
		 "TLS_AES_128_GCM_SHA256");
	c = with(c, TLS_LIST_GROUPS, "x25519");
	assert_string_equal(chosen(c), "-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2" REST
				       ":+AES-128-GCM:-KX-ALL:+ECDHE-RSA:-GROUP-ALL:"
				       "+GROUP-X25519");
	c = (struct tls_choice){.profile = TLS_PROFILE_MODERN};
	assert_string_equal(chosen(c), "-VERS-ALL:+VERS-TLS1.3" REST
				       ":+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:-GROUP-ALL:"
				       "+GROUP-X25519-MLKEM768:+GROUP-X25519:+GROUP-SECP256R1");
}

/* GnuTLS's own text is taken as it is, and then what no text can turn on is turned off. */
static void a_priority_is_all_of_it(void **state)
{
	char priority[] = "NORMAL:+VERS-TLS1.0:+RSA";
	const struct tls_choice c = {.priority = priority};
	(void)state;
	assert_string_equal(chosen(c), "NORMAL:+VERS-TLS1.0:+RSA:-VERS-SSL3.0:-VERS-TLS1.0:"
				       "-VERS-TLS1.1:-VERS-DTLS-ALL:-RSA");
	gnutls_priority_t p;
	const unsigned *all;
	assert_int_equal(gnutls_priority_init2(&p, chosen(c), NULL, 0), 0);
	const int count = gnutls_priority_protocol_list(p, &all);
	for (int i = 0; i < count; i++)
		assert_true(all[i] == GNUTLS_TLS1_2 || all[i] == GNUTLS_TLS1_3);
	const int kinds = gnutls_priority_kx_list(p, &all);
	for (int i = 0; i < kinds; i++)
		assert_int_not_equal(all[i], GNUTLS_KX_RSA);
	gnutls_priority_deinit(p);
}

/* With what this library lists, whatever that is. */
static void the_library_takes_it(void **state)
{
	const char *names[64];
	const unsigned *groups;
	size_t count = 0;
	bool has_hybrid = false;
	(void)state;
	for (const gnutls_group_t *g = gnutls_group_list(); *g != GNUTLS_GROUP_INVALID; g++) {
		names[count] = gnutls_group_get_name(*g);
		has_hybrid |= strcmp(names[count++], "X25519-MLKEM768") == 0;
	}
	for (int short_rsa = 0; short_rsa <= 1; short_rsa++) {
		gnutls_priority_t priority;
		assert_int_equal(gnutls_priority_init2(&priority, written(names, count, short_rsa),
						       NULL, GNUTLS_PRIORITY_INIT_DEF_APPEND),
				 0);
		assert_int_equal(gnutls_priority_group_list(priority, &groups), 4 + has_hybrid);
		assert_int_equal(groups[has_hybrid], GNUTLS_GROUP_X25519);
		assert_true(!has_hybrid || strcmp(gnutls_group_get_name((gnutls_group_t)groups[0]),
						  "X25519-MLKEM768") == 0);
		gnutls_priority_deinit(priority);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_curves_are_there_whatever_the_library_lists),
	    cmocka_unit_test(the_hybrid_comes_first_where_the_library_has_it),
	    cmocka_unit_test(nothing_else_of_the_library_is_offered),
	    cmocka_unit_test(a_short_rsa_key_signs_without_sha_512),
	    cmocka_unit_test(what_is_chosen_replaces_its_part),
	    cmocka_unit_test(a_priority_is_all_of_it),
	    cmocka_unit_test(the_library_takes_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

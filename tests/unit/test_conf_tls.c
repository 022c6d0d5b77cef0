/* conf/tls_choice: versions, groups and ciphers; their names, inheritance, and what is left. */
#include "conf_told.h"

#include "base/tls_choice.h"

#define PORT(policy) TLS "port 1 { tls { " policy " } echo }"

static const char *names_of(const struct tls_choice *c, enum tls_list list)
{
	static char text[1024];
	size_t len = 0;
	text[0] = '\0';
	for (size_t i = 0; i < c->lists[list].count; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i > 0 ? " " : "",
					tls_word_at(list, c->lists[list].words[i])->name);
	return text;
}

/* Each name that is taken, in the form of the canonical text. */
static void names_are_those_of_the_field(void **state)
{
	static const struct {
		const char *statement;
		enum tls_list list;
		const char *names;
	} cases[] = {
	    {"versions 1.3 1.2", TLS_LIST_VERSIONS, "1.3 1.2"},
	    {"versions TLSv1.2 tls1.3", TLS_LIST_VERSIONS, "1.2 1.3"},
	    {"groups X25519 prime256v1 P-384 SECP521R1 X448", TLS_LIST_GROUPS,
	     "x25519 secp256r1 secp384r1 secp521r1 x448"},
	    {"groups x25519mlkem768 X25519 secp256r1-mlkem768 SecP384r1MLKEM1024", TLS_LIST_GROUPS,
	     "X25519MLKEM768 x25519 SecP256r1MLKEM768 SecP384r1MLKEM1024"},
	    {"ciphers AES-256-GCM", TLS_LIST_CIPHERS,
	     "TLS_AES_256_GCM_SHA384 TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 "
	     "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"},
	    {"ciphers ECDHE-RSA-CHACHA20-POLY1305 TLS_CHACHA20_POLY1305_SHA256", TLS_LIST_CIPHERS,
	     "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 TLS_CHACHA20_POLY1305_SHA256"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[512];
		(void)snprintf(text, sizeof(text), PORT("%s"), cases[i].statement);
		struct conf *conf = parse(text);
		assert_string_equal(names_of(&conf->ports[0].tls, cases[i].list), cases[i].names);
		stable(conf);
		conf_free(conf);
	}
}

/* Of every word: each of its names finds it, and no name finds a word of two meanings. */
static void every_name_finds_its_word(void **state)
{
	uint8_t found[TLS_CHOICE_MAX];
	const struct tls_word *w;
	(void)state;
	for (unsigned list = 0; list < TLS_LISTS; list++)
		for (size_t i = 0; (w = tls_word_at(list, i)) != NULL; i++) {
			assert_int_equal(tls_words_find(list, w->name, strlen(w->name), found), 1);
			assert_int_equal(found[0], i);
			for (size_t k = 0; k < 3 && w->also[k] != NULL; k++)
				assert_int_equal(
				    tls_words_find(list, w->also[k], strlen(w->also[k]), found), 1);
			assert_int_equal(tls_words_find(list, w->gnutls, strlen(w->gnutls), found),
					 list == TLS_LIST_CIPHERS ? 3 : 1);
		}
	assert_int_equal(tls_words_find(TLS_LIST_GROUPS, "", 0, found), 0);
	assert_int_equal(tls_words_find(TLS_LIST_GROUPS, "x25519\0", 7, found), 0);
}

static void the_nearer_one_decides(void **state)
{
	(void)state;
	struct conf *conf =
	    parse("tls { profile modern groups x25519 certificate \"/c\" key \"/k\" }\n"
		  "port 1 { echo }\n"
		  "port 2 { tls { groups secp256r1 x25519 } echo }\n"
		  "port 3 { tls { profile intermediate } echo }\n"
		  "port 4 { tls { priority \"NORMAL\" } echo }\n"
		  "port 5 { tls off echo }");
	const struct conf_port *p = conf->ports;
	assert_int_equal(p[0].tls.profile, TLS_PROFILE_MODERN);
	assert_string_equal(names_of(&p[0].tls, TLS_LIST_GROUPS), "x25519");
	assert_int_equal(p[1].tls.profile, TLS_PROFILE_MODERN);
	assert_string_equal(names_of(&p[1].tls, TLS_LIST_GROUPS), "secp256r1 x25519");
	assert_int_equal(p[2].tls.profile, TLS_PROFILE_INTERMEDIATE);
	assert_int_equal(p[2].tls.lists[TLS_LIST_GROUPS].count, 0);
	assert_string_equal(p[3].tls.priority, "NORMAL");
	assert_int_equal(p[3].tls.profile, TLS_PROFILE_NONE);
	assert_int_equal(p[3].tls.lists[TLS_LIST_GROUPS].count, 0);
	assert_true(tls_choice_is_empty(&p[4].tls));
	stable(conf);
	conf_free(conf);
	conf = parse("tls { priority \"NORMAL\" certificate \"/c\" key \"/k\" }\n"
		     "port 1 { echo }\nport 2 { tls { versions 1.3 } echo }");
	assert_string_equal(conf->ports[0].tls.priority, "NORMAL");
	assert_null(conf->ports[1].tls.priority);
	assert_string_equal(names_of(&conf->ports[1].tls, TLS_LIST_VERSIONS), "1.3");
	stable(conf);
	conf_free(conf);
}

static void a_profile_is_lists(void **state)
{
	(void)state;
	struct tls_choice c = {.profile = TLS_PROFILE_MODERN};
	tls_choice_expand(&c);
	assert_string_equal(names_of(&c, TLS_LIST_VERSIONS), "1.3");
	assert_string_equal(names_of(&c, TLS_LIST_GROUPS),
			    "X25519MLKEM768 x25519 secp256r1 secp384r1");
	assert_string_equal(
	    names_of(&c, TLS_LIST_CIPHERS),
	    "TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256");
	c = (struct tls_choice){.profile = TLS_PROFILE_INTERMEDIATE};
	tls_choice_expand(&c);
	assert_string_equal(names_of(&c, TLS_LIST_VERSIONS), "1.2 1.3");
	assert_int_equal(c.lists[TLS_LIST_CIPHERS].count, 9);
}

static void the_development_certificate_has_a_policy(void **state)
{
	(void)state;
	struct conf *conf = parse("port 1 { tls { profile modern development } echo }\n"
				  "port 2 { tls { development } echo }\n"
				  "port 3 { tls { development unknown name refuse } echo }");
	assert_true(conf_wants_development(conf));
	assert_int_equal(conf->ports[0].tls.profile, TLS_PROFILE_MODERN);
	assert_true(conf->ports[2].refuses_unknown);
	char *text = dump(conf, &conf->ports[1]);
	assert_non_null(strstr(text, "\ttls development\n"));
	free(text);
	stable(conf);
	conf_free(conf);
}

#define HEAD "2:16 "

static void mistakes_are_told(void **state)
{
	static const struct {
		const char *statement, *messages;
	} cases[] = {
	    {"versions 1.1",
	     "2:25 the TLS version `1.1` is not offered: TLS 1.0 and 1.1 are deprecated (RFC "
	     "8996), and this server does not have them: 1.2 and 1.3\n"},
	    {"versions SSLv3",
	     "2:25 the TLS version `SSLv3` is not offered: SSL is forbidden (RFC 7568): 1.2 and "
	     "1.3\n"},
	    {"versions 1.3 1.3", "2:29 the TLS version `1.3` is in the list already\n"},
	    {"versions 2", "2:25 unknown TLS version `2`; there are 1.2 and 1.3\n"},
	    {"versions", "2:25 expected a version such as 1.3, found `}`\n"},
	    {"groups x25591", "2:23 unknown group `x25591`; did you mean `x25519`?\n"},
	    {"groups P-224",
	     "2:23 the group `P-224` is not offered: it has too few bits, and TLS 1.3 does not "
	     "have it\n"},
	    {"groups ffdhe2048",
	     "2:23 the group `ffdhe2048` is not offered: groups of finite fields cost a server "
	     "many times as much as x25519: `priority` can ask GnuTLS for them\n"},
	    {"ciphers TLS_AES_128_GCM_SHA255",
	     "2:24 unknown cipher `TLS_AES_128_GCM_SHA255`; did you mean "
	     "`TLS_AES_128_GCM_SHA256`?\n"},
	    {"ciphers ECDHE-RSA-AES128-SHA",
	     "2:24 the cipher `ECDHE-RSA-AES128-SHA` is not offered: it is no AEAD: browsers have "
	     "given it up, and HTTP/2 forbids it (RFC 9113, A); `priority` can ask GnuTLS for "
	     "it\n"},
	    {"ciphers HIGH:!aNULL",
	     "2:24 the cipher `HIGH:!aNULL` is not offered: write the names with blanks between "
	     "them\n"},
	    {"ciphers AES128-GCM-SHA256",
	     "2:24 the cipher `AES128-GCM-SHA256` is not offered: without ECDHE the key of the "
	     "certificate decrypts all that was recorded, and this server's key only signs\n"},
	    {"ciphers ECDHE-ECDSA-AES128-GCM-SHA256",
	     HEAD "TLS 1.3 has no cipher left: add one that it has to `ciphers`, or write "
		  "`versions 1.2`\n"},
	    {"ciphers ECDHE-ECDSA-AES128-GCM-SHA256 TLS_AES_256_GCM_SHA384",
	     HEAD "GnuTLS cannot offer TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 without "
		  "TLS_AES_128_GCM_SHA256: add that, too, or leave both out\n"},
	    {"versions 1.2 1.3 groups X25519MLKEM768 ciphers AES-128-GCM",
	     "2:33 TLS 1.2 has no group left: add one that it has to `groups`, or write "
	     "`versions 1.3`\n"
	     "2:33 warning: many clients have none of these groups: add x25519 or secp256r1\n"},
	    {"profile modern versions 1.2 1.3",
	     "2:31 TLS 1.2 has no cipher left: add one that it has to `ciphers`, or write "
	     "`versions 1.3`\n"},
	    {"priority \"NORMAL\" profile modern",
	     HEAD "`priority` is the whole policy, and `profile` stands beside it: keep one of "
		  "them\n"},
	    {"groups x25519 groups secp256r1",
	     "2:30 duplicate `groups`; the first one is at line 2\n"},
	    {"priority \"\"", "2:25 a priority cannot be empty\n"},
	    {"profile old", "2:24 expected `intermediate` or `modern`, found `old`\n"},
	    {"development certificate \"/a\" key \"/b\"",
	     "2:28 `development` is the only certificate of its block: leave it or the others "
	     "out\n"},
	    {"certificate \"/a\" key \"/b\" development",
	     "2:42 `development` is the only certificate of its block: leave it or the others "
	     "out\n"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[512];
		(void)snprintf(text, sizeof(text), "port 1 { tls { %s } echo }",
			       cases[i].statement);
		told_tls(text, cases[i].messages);
	}
	told_tls("port 1 { host \"a\" { tls { versions 1.3 } echo } }",
		 "2:27 version, group and cipher are for a whole port: its hosts share what is "
		 "agreed on before the name is known; write this in the `tls` block of the port\n");
	told("port 1 { tls off echo }\nport 2 { tls { versions 1.3 } echo }",
	     "2:1 port 2 has no certificate: write `tls { certificate \"file\" key \"file\" }` in "
	     "it or at the top level, or `tls development`; or `tls off` for plain HTTP\n");
}

/* They are allowed, and were probably not meant. */
static void what_is_weak_or_useless_is_warned_of(void **state)
{
	static const struct {
		const char *statement, *message;
	} cases[] = {
	    {"versions 1.2", "the TLS policy is weaker than the default: it does not have TLS 1.3"},
	    {"groups x448", "many clients have none of these groups: add x25519 or secp256r1"},
	    {"versions 1.3 ciphers AES-128-GCM ECDHE-RSA-AES256-GCM-SHA384",
	     "the cipher TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 is never used: it is of TLS 1.2, "
	     "which is off"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[512];
		struct told told = {.len = 0};
		struct conf *conf = NULL;
		(void)snprintf(text, sizeof(text), PORT("%s"), cases[i].statement);
		assert_int_equal(
		    conf_parse_text(text, strlen(text), "text", NULL, gather, &told, &conf), 0);
		assert_int_equal(told.count, 1);
		assert_non_null(strstr(told.text, cases[i].message));
		conf_free(conf);
	}
}

static void hosts_ask_for_certificates(void **state)
{
	(void)state;
	struct conf *conf = parse(
	    "tls { client certificate required authority \"/ca\" }\n"
	    "port 1 { tls { certificate \"/c\" key \"/k\" } echo\n"
	    "host \"a\" { tls { client certificate off } echo }\n"
	    "host \"b\" { tls { client certificate optional authority \"/ca\" revoked \"/r\" "
	    "depth 0 } echo }\n"
	    "host \"c\" { tls { client certificate required authority \"/ca\" depth 3 } echo }\n"
	    "host \"d\" { echo } }\n"
	    "port 2 { tls { development client certificate optional authority \"/o\" } echo }\n"
	    "port 3 { tls off echo }");
	const struct conf_port *p = conf->ports;
	assert_int_equal(p->clients_count, 2);
	assert_int_equal(p->authorities_count, 1);
	assert_int_equal(p->revoked_count, 1);
	assert_int_equal(p->hosts[0].client, 1);
	assert_int_equal(p->hosts[1].client, 0);
	assert_int_equal(p->hosts[2].client, 2);
	assert_int_equal(p->hosts[3].client, 1);
	assert_int_equal(p->hosts[4].client, 1);
	assert_int_equal(p->clients[0].depth, 3);
	assert_int_equal(p->clients[1].depth, 0);
	assert_int_equal(p->clients[1].wish, CONF_CLIENT_OPTIONAL);
	assert_int_not_equal(conf_host_policy(&p->hosts[0]), conf_host_policy(&p->hosts[1]));
	assert_int_equal(conf_host_policy(&p->hosts[0]), conf_host_policy(&p->hosts[4]));
	assert_int_equal(p[1].clients_count, 1);
	assert_int_equal(p[2].clients_count, 0);
	stable(conf);
	conf_free(conf);
	static const struct {
		const char *statement, *messages;
	} cases[] = {
	    {"client certificate required",
	     "2:16 the client certificate has no authority: write `authority \"file\"` with the "
	     "certificates of those that issue them\n"},
	    {"client certificate off authority \"/a\"",
	     "2:16 `client certificate off` asks for none: leave out the rest\n"},
	    {"client certificate required authority \"/a\" depth 17",
	     "2:65 depth 17 is out of range; it can be 0 to 16\n"},
	    {"client certificate required authority \"/a\" client certificate off",
	     "2:59 duplicate `client certificate`; the first one is at line 2\n"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[512];
		(void)snprintf(text, sizeof(text), "port 1 { tls { %s } echo }",
			       cases[i].statement);
		told_tls(text, cases[i].messages);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_are_those_of_the_field),
	    cmocka_unit_test(every_name_finds_its_word),
	    cmocka_unit_test(the_nearer_one_decides),
	    cmocka_unit_test(a_profile_is_lists),
	    cmocka_unit_test(the_development_certificate_has_a_policy),
	    cmocka_unit_test(mistakes_are_told),
	    cmocka_unit_test(hosts_ask_for_certificates),
	    cmocka_unit_test(what_is_weak_or_useless_is_warned_of),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tls/content: the content of a file that is not a PEM certificate or key, and the error about
 * it. */
#include "tls/content.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define FILE_OF(bytes)                             \
	{                                          \
		"/etc/f", bytes, sizeof(bytes) - 1 \
	}

static void is(const struct tls_file *f, enum tls_content expected, bool expected_der)
{
	bool der;
	assert_int_equal(tls_content_of(f, &der), 1U << expected);
	assert_int_equal(der, expected_der);
}

static void every_label(void **state)
{
	static const struct {
		const char *text;
		enum tls_content content;
	} cases[] = {
	    {"-----BEGIN CERTIFICATE-----", TLS_CONTENT_CERTIFICATE},
	    {"Bag Attributes\r\n-----BEGIN X509 CERTIFICATE-----\r\n", TLS_CONTENT_CERTIFICATE},
	    {"-----BEGIN TRUSTED CERTIFICATE-----\n", TLS_CONTENT_TRUSTED},
	    {"-----BEGIN CERTIFICATE REQUEST-----\n", TLS_CONTENT_REQUEST},
	    {"-----BEGIN NEW CERTIFICATE REQUEST-----\n", TLS_CONTENT_REQUEST},
	    {"-----BEGIN X509 CRL-----\n", TLS_CONTENT_REVOCATIONS},
	    {"-----BEGIN PKCS7-----\n", TLS_CONTENT_PKCS7},
	    {"-----BEGIN CMS-----\n", TLS_CONTENT_PKCS7},
	    {"-----BEGIN PRIVATE KEY-----\n", TLS_CONTENT_KEY},
	    {"-----BEGIN RSA PRIVATE KEY-----\nMII", TLS_CONTENT_KEY},
	    {"-----BEGIN EC PRIVATE KEY-----\n", TLS_CONTENT_KEY},
	    {"-----BEGIN ENCRYPTED PRIVATE KEY-----\n", TLS_CONTENT_ENCRYPTED_KEY},
	    {"-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n",
	     TLS_CONTENT_ENCRYPTED_KEY},
	    {"-----BEGIN OPENSSH PRIVATE KEY-----\n", TLS_CONTENT_SSH_KEY},
	    {"-----BEGIN PUBLIC KEY-----\n", TLS_CONTENT_PUBLIC_KEY},
	    {"-----BEGIN EC PARAMETERS-----\n", TLS_CONTENT_PARAMETERS},
	    {"-----BEGIN PGP MESSAGE-----\n", TLS_CONTENT_UNKNOWN},
	    {"-----BEGIN CERTIFICATE", TLS_CONTENT_UNKNOWN},
	    {"hello", TLS_CONTENT_UNKNOWN},
	    {"", TLS_CONTENT_EMPTY},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct tls_file f = {"f", cases[i].text, strlen(cases[i].text)};
		is(&f, cases[i].content, false);
	}
}

static void more_than_one_label(void **state)
{
	const struct tls_file f =
	    FILE_OF("-----BEGIN EC PARAMETERS-----\n-----END EC PARAMETERS-----\n"
		    "-----BEGIN EC PRIVATE KEY-----\n-----END EC PRIVATE KEY-----\n"
		    "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n");
	bool der;
	(void)state;
	assert_int_equal(tls_content_of(&f, &der), 1U << TLS_CONTENT_PARAMETERS |
						       1U << TLS_CONTENT_KEY |
						       1U << TLS_CONTENT_CERTIFICATE);
}

static void every_der(void **state)
{
	static const struct {
		struct tls_file file;
		enum tls_content content;
	} cases[] = {
	    {FILE_OF("\x30\x82\x01\x7a\x30\x82\x01\x20\xa0\x03\x02\x01\x02\x02\x01\x05"),
	     TLS_CONTENT_CERTIFICATE},
	    {FILE_OF("\x30\x81\x7a\x30\x70\x02\x14\x05\x06"), TLS_CONTENT_CERTIFICATE}, /* v1 */
	    {FILE_OF("\x30\x81\x7a\x30\x70\x02\x01\x00\x30\x0c"), TLS_CONTENT_REQUEST},
	    {FILE_OF("\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"), TLS_CONTENT_UNKNOWN},
	    {FILE_OF("\x30\x82\x03\x00\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"),
	     TLS_CONTENT_PKCS7},
	    {FILE_OF("\x30\x82\x03\x00\x02\x01\x03\x30\x82\x02\x00"), TLS_CONTENT_PKCS12},
	    {FILE_OF("\x30\x81\x87\x02\x01\x00\x30\x13\x06\x07"), TLS_CONTENT_KEY}, /* PKCS #8 */
	    {FILE_OF("\x30\x77\x02\x01\x01\x04\x20\x01\x02"), TLS_CONTENT_KEY},     /* SEC1 */
	    {FILE_OF("\x30\x82\x04\xa4\x02\x01\x00\x02\x82\x01\x01\x00"), TLS_CONTENT_KEY},
	    {FILE_OF("\x30\x81\xec\x30\x57\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d"),
	     TLS_CONTENT_ENCRYPTED_KEY},
	    {FILE_OF("\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01"),
	     TLS_CONTENT_PUBLIC_KEY},
	    {FILE_OF("\x30"), TLS_CONTENT_UNKNOWN},
	    {FILE_OF("\x30\x85\x01\x01\x01\x01\x01\x30"), TLS_CONTENT_UNKNOWN},
	    {FILE_OF("\x30\x84\xff\xff\xff\xff"), TLS_CONTENT_UNKNOWN},
	    {FILE_OF("\x30\x00"), TLS_CONTENT_UNKNOWN},
	    {FILE_OF("\x30\x02\x02\x00"), TLS_CONTENT_UNKNOWN},
	    {FILE_OF("\x30\x04\x02\x01\x00\x05"), TLS_CONTENT_UNKNOWN},
	};
	static const struct tls_file jks = FILE_OF("\xfe\xed\xfe\xed\x00\x00\x00\x02");
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		is(&cases[i].file, cases[i].content, cases[i].content != TLS_CONTENT_UNKNOWN);
	is(&jks, TLS_CONTENT_JKS, false);
}

/* Every prefix of valid content is examined without reading past its end. */
static void what_is_cut_off_is_read_to_its_end(void **state)
{
	static const char whole[] =
	    "\x30\x82\x01\x7a\x30\x82\x01\x20\xa0\x03\x02\x01\x02\x02\x01\x05\x30\x0a\x06\x08\x2a"
	    "\x86\x48\xce\x3d\x04\x03\x02\x30\x00\x30\x00\x30\x00\x30\x12\x30\x10\x06\x09\x2a\x86"
	    "\x48\x86\xf7\x0d\x01\x01\x0a\x30\x03\xa0\x01\x00";
	char *copy;
	bool der;
	(void)state;
	for (size_t len = 0; len < sizeof(whole); len++) {
		copy = test_malloc(len + 1); /* so that a sanitizer sees */
		memcpy(copy, whole, len);
		const struct tls_file f = {"f", copy, len};
		(void)tls_content_of(&f, &der);
		(void)tls_content_default_mask(copy, len);
		(void)tls_content_explicit_curve(&f);
		test_free(copy);
	}
	assert_true(tls_content_default_mask(whole, sizeof(whole) - 1));
}

static void said(const char *data, bool key, const char *expected)
{
	const struct tls_file f = {"/etc/my files/it's.pem", data, strlen(data)};
	char out[512];
	struct text t;
	text_init(&t, out, sizeof(out));
	tls_content_explain(&f, key, "Something is wrong.", &t);
	assert_string_equal(out, expected);
}

static void sentences(void **state)
{
	(void)state;
	said("", false,
	     "certificate \"/etc/my files/it's.pem\" is not a certificate in PEM: it is empty");
	said("-----BEGIN PKCS7-----\n", false,
	     "certificate \"/etc/my files/it's.pem\" is not a certificate in PEM: it is PKCS#7; to "
	     "repair it: openssl pkcs7 -print_certs -in '/etc/my files/it'\\''s.pem' -out new.pem");
	said("-----BEGIN PRIVATE KEY-----\n", false,
	     "certificate \"/etc/my files/it's.pem\" is not a certificate in PEM: it holds a "
	     "private key; are certificate and key swapped?");
	said("-----BEGIN CERTIFICATE-----\n", false,
	     "certificate \"/etc/my files/it's.pem\" cannot be read: Something is wrong; to see "
	     "what is wrong: openssl x509 -noout -in '/etc/my files/it'\\''s.pem'");
	said("-----BEGIN ENCRYPTED PRIVATE KEY-----\n", true,
	     "key \"/etc/my files/it's.pem\" is encrypted; a server needs it without a passphrase; "
	     "to repair it: openssl pkey -in '/etc/my files/it'\\''s.pem' -out new.key");
	said("-----BEGIN RSA PRIVATE KEY-----\n", true,
	     "key \"/etc/my files/it's.pem\" cannot be read: Something is wrong; to see what is "
	     "wrong: openssl pkey -noout -check -in '/etc/my files/it'\\''s.pem'");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_label), cmocka_unit_test(more_than_one_label),
	    cmocka_unit_test(every_der),   cmocka_unit_test(what_is_cut_off_is_read_to_its_end),
	    cmocka_unit_test(sentences),
	};
	return cmocka_run_group_tests_name("tls_content", tests, NULL, NULL);
}

/* verifier/passwords: which files are read, what is said of others, and who comes in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "ipc/channel.h"
#include "verifier/passwords.h"

/* Of "secret", and as cheap as each kind can be. */
#define BCRYPT   "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"
#define SHA256   "$5$rounds=1000$saltstring$AH5PD0i.riCRu4BNDy9v7OPV7u3dfLBApcXI6khquVA"
#define YESCRYPT "$y$j75$saltsaltsalt$jyf/lxrpdyAIshWRo1x5DRC6KIE7sNRRtjcomR3PgHA"
#define SHA512_DIGEST \
	"jEjbdVgI3DJ2.2esJ0sGPhhOCjuOMC3NT4lLq17ZGmWxZHhdBv5MlVgCU2CU8OvKOT9He.hkrN.SUx28Eu6OE0"
#define SHA512_5000 \
	"AIsRs/Ee56G/tC8MEHhvReZTfx8u3rXXMl6eYrjCG9ibix19DxoMBLogdTET5Ukw9Sf7eZTITsuk0Ry5qulYz."
#define SHA512 "$6$rounds=1234$saltstring$" SHA512_DIGEST
#define DIGEST "jyf/lxrpdyAIshWRo1x5DRC6KIE7sNRRtjcomR3PgHA" /* 43 digits */

/* --- files ------------------------------------------------------------------------------------ */

static struct err err;

static int load_bytes(const char *text, size_t len, uint8_t *digest, struct passwords **ret)
{
	int fd = memfd_create("passwords", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), (ssize_t)len);
	*ret = NULL;
	err.text[0] = '\0';
	const int error = passwords_load(fd, "/etc/staff", digest, ret, &err);
	close(fd);
	assert_true((error == 0) == (*ret != NULL));
	assert_true((error == 0) == (err.text[0] == '\0'));
	return error;
}

static struct passwords *load(const char *text)
{
	struct passwords *p;
	if (load_bytes(text, strlen(text), NULL, &p) != 0)
		fail_msg("%s", err.text);
	return p;
}

static void refused(const char *text, const char *sentence)
{
	struct passwords *p;
	const int error = load_bytes(text, strlen(text), NULL, &p);
	passwords_free(p);
	if (error == 0)
		print_error("read: %s\n", text);
	assert_string_equal(err.text, sentence);
	assert_int_equal(error, -1);
}

static enum passwords_verdict check(const struct passwords *p, const char *user,
				    const char *password)
{
	/* neither ends with a NUL where it comes from */
	const size_t user_len = strlen(user), password_len = strlen(password);
	char *both = malloc(user_len + password_len + 1);
	assert_non_null(both);
	memcpy(both, user, user_len);
	memcpy(both + user_len, password, password_len);
	both[user_len + password_len] = 'x';
	const enum passwords_verdict verdict =
	    passwords_check(p, both, user_len, both + user_len, password_len);
	free(both);
	return verdict;
}

#define RIGHT(p, user, password) assert_int_equal(check(p, user, password), PASSWORDS_RIGHT)
#define WRONG(p, user, password) assert_int_equal(check(p, user, password), PASSWORDS_WRONG)
#define COUNT(array)             (sizeof(array) / sizeof((array)[0]))

/* --- kinds of hashes -------------------------------------------------------------------------- */

static void each_kind_is_checked(void **state)
{
	static const char *const hashes[] = {
	    BCRYPT,
	    "$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW",
	    "$2a$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW",
	    SHA256,
	    "$5$saltstring$C3o4O1TC6aRHF4FI.QSZMXtHbaj2gSXr4sUc/3NcUi.",
	    "$5$$o1w7HPzHt8gHmL5zUzDkRqt6Az.BjDfkvuDNNLWnXx5",
	    SHA512,
	    ("$6$saltstring$" SHA512_5000),
	    YESCRYPT,
	    "$y$j75$$2ydGyJY.m3lesWesWhmcrVX27GKM4AqNwOMJADwvhjB",
	    "$y$j75$ab..$VjZoSqR2z5Y50EKjypfmgHqP1T8r5CqDW4w0Sg.sm6B",
	    /* what yescrypt makes of itself, with huge pages where they can be had */
	    "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$GmcwIgvdUC9qLWcKCi6gklUa1dM3ziD43YxYNURLKy0",
	};
	(void)state;
	for (size_t i = 0; i < COUNT(hashes); i++) {
		char text[256];
		(void)snprintf(text, sizeof(text), "bob:%s\n", hashes[i]);
		struct passwords *p = load(text);
		RIGHT(p, "bob", "secret");
		WRONG(p, "bob", "Secret");
		WRONG(p, "bob", "secret ");
		WRONG(p, "bob", "secre");
		WRONG(p, "bob", "");
		WRONG(p, "bob", hashes[i]);
		WRONG(p, "Bob", "secret");
		WRONG(p, "bo", "secret");
		WRONG(p, "bobby", "secret");
		WRONG(p, "", "secret");
		RIGHT(p, "bob", "secret"); /* and nothing of the others is left */
		passwords_free(p);
	}
}

static void others_are_refused(void **state)
{
#define LINE  "\"/etc/staff\", line 1: the hash of \"bob\" "
#define MD5   LINE "is MD5, which is soon undone: make it by `htpasswd -B`"
#define SHA1  LINE "is SHA-1, which is soon undone: make it by `htpasswd -B`"
#define PLAIN LINE "is a password in plain text, or made by DES: make a hash by `htpasswd -B`"
#define OTHER LINE "is of a kind that is not supported: bcrypt, yescrypt, SHA-512 and SHA-256 are"
	static const char *const rows[][2] = {
	    {"secret", PLAIN},
	    {"", PLAIN},
	    {"*", PLAIN},
	    {"!", PLAIN},
	    {"x", PLAIN},
	    {"abJnggxhB/yWI", PLAIN}, /* DES */
	    {"_J9..rasmBYk8r9AiWNc", PLAIN},
	    {"$1$abcdefgh$irWbblnpmw.5z7wgBnprh0", MD5},
	    {"$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/", MD5},
	    {"{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", SHA1},
	    {"{SSHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", SHA1},
	    {"$sha1$248488$ggu.H673kaZ5$abcdefghijklmnopqrstuvwxyz01", SHA1},
	    {"$2x$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW", OTHER},
	    {"$2$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW", OTHER},
	    {"$7$C6..../....SodiumChloride$KnaT/KYqe0Wkw8JJxj5dtK/JH3wZT3jEZzX4iCRKXQ0", OTHER},
	    {"$gy$j75$saltsaltsalt$" DIGEST, OTHER},
	    {"$argon2id$v=19$m=65536,t=2,p=1$c2FsdA$abcd", OTHER},
	    {"$3$$8846f7eaee8fb117ad06bdd830b7586c", OTHER},
	    {"$md5$abc", OTHER},
	    {"$", OTHER},
	    {"$$", OTHER},
	    {"$y", OTHER},
	    {"{PLAIN}secret", OTHER},
	    {"{BLF-CRYPT}$2y$05$abc", OTHER},
	};
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char text[256];
		(void)snprintf(text, sizeof(text), "bob:%s\n", rows[i][0]);
		refused(text, rows[i][1]);
		(void)snprintf(text, sizeof(text), "bob:%s", rows[i][0]);
		refused(text, rows[i][1]);
	}
}

static void costly_ones_are_refused(void **state)
{
#define BCRYPT_COST   LINE "has a bcrypt cost above 14, which takes seconds"
#define SHA_COST      LINE "has more than 1000000 rounds, which takes seconds"
#define YESCRYPT_COST LINE "has a yescrypt cost that takes seconds, or more than 128 MB"
#define TAIL          "abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"
	static const char *const rows[][2] = {
	    {"$2b$14$" TAIL, ""},
	    {"$2b$15$" TAIL, BCRYPT_COST},
	    {"$2y$31$" TAIL, BCRYPT_COST},
	    {"$5$rounds=1000000$salt$" DIGEST, ""},
	    {"$5$rounds=1000001$salt$" DIGEST, SHA_COST},
	    {"$6$rounds=999999999$salt$" SHA512_DIGEST, SHA_COST},
	    {"$6$rounds=4294967295$salt$" SHA512_DIGEST, SHA_COST},
	    {"$y$j9T$abcd$" DIGEST, ""},
	    {"$y$jDT$abcd$" DIGEST, YESCRYPT_COST}, /* 2^16 blocks of 4 KB are 256 MB */
	    {"$y$jCT$abcd$" DIGEST, ""},            /* 128 MB */
	    {"$y$jD5$abcd$" DIGEST, ""},            /* 64 MB */
	    {"$y$jE5$abcd$" DIGEST, YESCRYPT_COST}, /* 2^17 */
	    {"$y$jzz$abcd$" DIGEST, YESCRYPT_COST},
	    {"$y$jCU$abcd$" DIGEST, YESCRYPT_COST},
	};
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char text[256];
		struct passwords *p;
		(void)snprintf(text, sizeof(text), "bob:%s\n", rows[i][0]);
		(void)load_bytes(text, strlen(text), NULL, &p);
		passwords_free(p);
		assert_string_equal(err.text, rows[i][1]);
	}
}

/* crypt(3) makes nothing of these, or something that is not what the file has: so nobody would ever
 * come in, and the file says it at once. */
static void mutilated_ones_are_refused(void **state)
{
#define BCRYPT_PART   LINE "is no whole bcrypt hash"
#define PART          LINE "is no whole hash"
#define YESCRYPT_PART LINE "is no whole yescrypt hash"
#define PARAMETERS \
	LINE "has yescrypt parameters that are not supported: make it by `mkpasswd -m yescrypt`"
	static const char *const rows[][2] = {
	    {"$2b$", BCRYPT_PART},
	    {"$2b$04$", BCRYPT_PART},
	    {"$2b$04", BCRYPT_PART},
	    {"$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIr", BCRYPT_PART},
	    {"$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrWW", BCRYPT_PART},
	    {"$2b$4$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrWW", BCRYPT_PART},
	    {"$2b$03$" TAIL, BCRYPT_PART},
	    {"$2b$00$" TAIL, BCRYPT_PART},
	    {"$2b$32$" TAIL, BCRYPT_PART},
	    {"$2b$99$" TAIL, BCRYPT_PART},
	    {"$2b$+4$" TAIL, BCRYPT_PART},
	    {"$2b$04.abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW", BCRYPT_PART},
	    {"$2b$04$abcdefghijk!mnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW", BCRYPT_PART},
	    {"$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGH S4UpFFP8WIrW", BCRYPT_PART},
	    {"$2b$04$abcdefghijklmnopqrstuv2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW", BCRYPT_PART},
	    {"$5$", PART},
	    {"$5$salt", PART},
	    {"$5$salt$", PART},
	    {"$5$salt$abc", PART},
	    {"$5$salt$" DIGEST "x", PART},
	    {"$5$salt$more$" DIGEST, PART},
	    {"$5$salt$jyf/lxrpdyAIshWRo1x5DRC6KIE7sNRRtjcomR3PgH=", PART},
	    {"$5$seventeen.letters$" DIGEST, PART}, /* crypt(3) uses the first 16 */
	    {"$5$a b$" DIGEST, PART},
	    {"$5$a!b$" DIGEST, PART},
	    {"$5$a*b$" DIGEST, PART},
	    {"$5$a\\b$" DIGEST, PART},
	    {"$5$a\xc3\xa4$" DIGEST, PART},
	    {"$5$rounds=$salt$" DIGEST, PART},
	    {"$5$rounds=x$salt$" DIGEST, PART},
	    {"$5$rounds=5000", PART},
	    {"$5$rounds=5000$", PART},
	    {"$5$rounds=5000$salt", PART},
	    {"$5$rounds=0$salt$" DIGEST, PART},
	    {"$5$rounds=999$salt$" DIGEST, PART},
	    {"$5$rounds=05000$salt$" DIGEST, PART},
	    {"$5$rounds=-5000$salt$" DIGEST, PART},
	    {"$5$rounds=99999999999999999999$salt$" DIGEST, PART},
	    {"$6$", PART},
	    {"$6$salt$" DIGEST, PART},
	    {"$6$salt$" SHA512_DIGEST "x", PART},
	    {"$6$rounds=999$salt$" SHA512_DIGEST, PART},
	    {"$6$seventeen.letters$" SHA512_DIGEST, PART},
	    {"$y$", YESCRYPT_PART},
	    {"$y$j9T", YESCRYPT_PART},
	    {"$y$j9T$", YESCRYPT_PART},
	    {"$y$j9T$salt", YESCRYPT_PART},
	    {"$y$j9T$salt$", YESCRYPT_PART},
	    {"$y$j9T$salt$abc", YESCRYPT_PART},
	    {"$y$j9T$salt$" DIGEST "x", YESCRYPT_PART},
	    {"$y$j9T$salt$jyf/lxrpdyAIshWRo1x5DRC6KIE7sNRRtjcomR3PgH=", YESCRYPT_PART},
	    {"$y$j9T$a$" DIGEST, YESCRYPT_PART},  /* six bits are no byte */
	    {"$y$j9T$az$" DIGEST, YESCRYPT_PART}, /* bits after the last byte */
	    {"$y$j9T$sal!$" DIGEST, YESCRYPT_PART},
	    {"$y$j9T$sa t$" DIGEST, YESCRYPT_PART},
	    {"$y$$salt$" DIGEST, PARAMETERS},
	    {"$y$j9$salt$" DIGEST, PARAMETERS},
	    {"$y$j9T0$salt$" DIGEST, PARAMETERS},
	    {"$y$/9T$salt$" DIGEST, PARAMETERS},
	    {"$y$j.T$salt$" DIGEST, LINE "is no yescrypt hash"}, /* N of 2 */
	    {"$y$j!T$salt$" DIGEST, LINE "is no yescrypt hash"},
	    {"$y$j9!$salt$" DIGEST, LINE "is no yescrypt hash"},
	};
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char text[256];
		(void)snprintf(text, sizeof(text), "bob:%s\n", rows[i][0]);
		refused(text, rows[i][1]);
	}
}

/* --- lines ------------------------------------------------------------------------------------ */

static void lines_may_be_empty_and_comments_and_end_in_each_way(void **state)
{
	static const char *const texts[] = {
	    "bob:" BCRYPT,
	    "bob:" BCRYPT "\n",
	    "bob:" BCRYPT "\r\n",
	    "bob:" BCRYPT "\r",
	    "\n\nbob:" BCRYPT "\n\n\n",
	    "\r\n\r\nbob:" BCRYPT "\r\n\r\n",
	    "# the staff\nbob:" BCRYPT "\n#",
	    "#bob:secret\r\nbob:" BCRYPT "\r\n# carol:x\r\n",
	    "bob:" BCRYPT ":Bob Smith\n",
	    "bob:" BCRYPT ":Bob:Smith:\r\n",
	    "bob:" BCRYPT ":",
	    "alice:" SHA256 "\nbob:" BCRYPT "\ncarol:" YESCRYPT "\n",
	    "carol:" SHA512 "\nbob:" BCRYPT "\nalice:" YESCRYPT,
	};
	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct passwords *p = load(texts[i]);
		RIGHT(p, "bob", "secret");
		WRONG(p, "bob", "secret\r");
		WRONG(p, "bob", "public");
		WRONG(p, "#bob", "secret");
		WRONG(p, "dave", "secret");
		passwords_free(p);
	}
}

static void nobody_comes_in_by_an_empty_file(void **state)
{
	static const char *const texts[] = {"", "\n", "\r\n", "# nobody yet\n", "\n\n\n"};
	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct passwords *p = load(texts[i]);
		WRONG(p, "bob", "secret");
		WRONG(p, "", "");
		passwords_free(p);
	}
}

static void lines_out_of_form_are_refused(void **state)
{
#define FORM(n) "\"/etc/staff\", line " #n ": a line is `user:hash`"
#define CONTROL(n) \
	"\"/etc/staff\", line " #n ": a user with a control byte cannot come in (RFC 7617, 2)"
#define USER(n) "\"/etc/staff\", line " #n ": a user has 1 to 255 bytes"
	static const char *const rows[][2] = {
	    {"bob", FORM(1)},
	    {"bob\n", FORM(1)},
	    {" \n", FORM(1)},
	    {"\n \nbob:" BCRYPT, FORM(2)},
	    {" # not at its beginning\n", FORM(1)},
	    {"bob:" BCRYPT "\r\n\r\nnonsense\r\n", FORM(3)},
	    {":" BCRYPT, USER(1)},
	    {"bob:" BCRYPT "\n:" BCRYPT "\n", USER(2)},
	    {"bob:" BCRYPT "\ncarol:secret\n",
	     "\"/etc/staff\", line 2: the hash of \"carol\" is a password in plain text, or made "
	     "by DES: make a hash by `htpasswd -B`"},
	    {"bob: " BCRYPT,
	     "\"/etc/staff\", line 1: the hash of \"bob\" is a password in plain text, or made by "
	     "DES: make a hash by `htpasswd -B`"},
	    {"bob:" BCRYPT " \n", BCRYPT_PART},
	    {"bob:" BCRYPT "\n\tbob:" BCRYPT, CONTROL(2)},
	    {"bo\x01b:" BCRYPT, CONTROL(1)},
	    {"bob\x7f:" BCRYPT, CONTROL(1)},
	    {"bob:" BCRYPT "\r\nca\rrol:" BCRYPT "\r\n", CONTROL(2)},
	};
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		refused(rows[i][0], rows[i][1]);
}

static void users_have_1_to_255_bytes(void **state)
{
	char user[257] = {0}, text[512];
	(void)state;
	for (size_t len = 254; len <= 256; len++) {
		memset(user, 'u', len);
		(void)snprintf(text, sizeof(text), "%s:" BCRYPT "\n", user);
		if (len == 256) {
			refused(text, USER(1));
			continue;
		}
		struct passwords *p = load(text);
		RIGHT(p, user, "secret");
		user[len - 1] = 'v';
		WRONG(p, user, "secret");
		user[len - 1] = '\0';
		WRONG(p, user, "secret");
		passwords_free(p);
	}
	/* any other bytes */
	struct passwords *p = load("J\xc3\xbcrg M. \xff#:" BCRYPT "\n");
	RIGHT(p, "J\xc3\xbcrg M. \xff#", "secret");
	WRONG(p, "J\xc3\xbcrg M.", "secret");
	passwords_free(p);
}

static void users_twice_are_refused_with_both_lines(void **state)
{
	(void)state;
	refused("bob:" BCRYPT "\nbob:" SHA256 "\n",
		"\"/etc/staff\", line 2: \"bob\" is in line 1, too");
	refused("# staff\r\nzoe:" BCRYPT "\r\n\r\nbob:" SHA256 "\r\nalice:" BCRYPT "\r\nbob:" SHA256
		"\r\n",
		"\"/etc/staff\", line 6: \"bob\" is in line 4, too");
	/* others are others */
	passwords_free(load("bob:" BCRYPT "\nBob:" BCRYPT "\nbobb:" BCRYPT "\nbo:" BCRYPT
			    "\nbob :" BCRYPT "\n"));
}

static void a_nul_is_in_no_password_file(void **state)
{
	static const char sentence[] = "\"/etc/staff\" is no password file: it has a NUL byte";
	static const char *const texts[] = {"bob:" BCRYPT "\n", "#\n", "\n", "x"};
	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++)
		for (size_t at = 0; at <= strlen(texts[i]); at++) {
			char text[128];
			struct passwords *p;
			const size_t len = strlen(texts[i]);
			memcpy(text, texts[i], at);
			text[at] = '\0';
			memcpy(text + at + 1, texts[i] + at, len - at);
			assert_int_equal(load_bytes(text, len + 1, NULL, &p), -1);
			assert_string_equal(err.text, sentence);
		}
}

/* Whatever is wrong, and wherever: somebody may read the log who may not read the file. */
static void no_message_has_a_hash(void **state)
{
	static const char secret[] = "tr0ub4dor.and.3";
	static const char *const forms[] = {
	    "bob:%s\n",
	    "bob:$1$%s\n",
	    "bob:$5$rounds=1$%s$x\n",
	    "bob:$5$rounds=%s$x\n",
	    "bob:$6$%s\n",
	    "bob:$y$%s$%s$\n",
	    "bob:$y$j9T$%s\n",
	    "bob:$2b$%s\n",
	    "bob:$2b$99$%s\n",
	    "bob:{SHA}%s\n",
	    "bob:{%s}\n",
	    "bob:$%s$\n",
	    ":%s\n",
	    "%s\n",
	    "\n# x\n%s",
	    "bob:" BCRYPT ":%s\nbob:" BCRYPT ":%s\n",
	    "bob:" BCRYPT "\n:%s:%s\n",
	};
	(void)state;
	for (size_t i = 0; i < COUNT(forms); i++) {
		char text[512];
		struct passwords *p;
		size_t len = 0;
		for (const char *c = forms[i]; *c != '\0'; c++)
			if (c[0] == '%' && c[1] == 's')
				len +=
				    (size_t)snprintf(text + len, sizeof(text) - len, "%s", secret),
				    c++;
			else
				text[len++] = *c;
		assert_int_equal(load_bytes(text, len, NULL, &p), -1);
		if (strstr(err.text, "tr0ub") != NULL || strstr(err.text, "abcdefghi") != NULL)
			fail_msg("%s", err.text);
	}
}

/* --- files as a whole ------------------------------------------------------------------------- */

static void what_cannot_be_read_is_said(void **state)
{
	struct passwords *p = NULL;
	int pair[2];
	(void)state;
	int fd = open("/", O_RDONLY | O_CLOEXEC);
	assert_int_equal(passwords_load(fd, "/etc/staff", NULL, &p, &err), -1);
	assert_string_equal(err.text,
			    "password file \"/etc/staff\" cannot be read: Is a directory");
	close(fd);
	assert_int_equal(passwords_load(fd, "/etc/staff", NULL, &p, &err), -1);
	assert_string_equal(err.text,
			    "password file \"/etc/staff\" cannot be read: Bad file descriptor");
	assert_null(p);
	assert_int_equal(pipe(pair), 0); /* nothing says that it has to be a file */
	assert_int_equal(write(pair[1], "bob:" BCRYPT "\n", 65), 65);
	close(pair[1]);
	assert_int_equal(passwords_load(pair[0], "/etc/staff", NULL, &p, &err), 0);
	RIGHT(p, "bob", "secret");
	passwords_free(p);
	close(pair[0]);
	passwords_free(NULL);
}

static void a_file_has_16_mb(void **state)
{
	struct passwords *p = NULL;
	(void)state;
	char *text = malloc(PASSWORDS_FILE_MAX + 1);
	assert_non_null(text);
	memset(text, '#', PASSWORDS_FILE_MAX + 1);
	memcpy(text, "bob:" BCRYPT "\n", 65);
	assert_int_equal(load_bytes(text, PASSWORDS_FILE_MAX, NULL, &p), 0);
	RIGHT(p, "bob", "secret");
	passwords_free(p);
	assert_int_equal(load_bytes(text, PASSWORDS_FILE_MAX + 1, NULL, &p), -1);
	assert_string_equal(err.text,
			    "password file \"/etc/staff\" cannot be read: File too large");
	free(text);
}

/* All of its bytes count: a comment may be all that has changed. */
static void the_digest_is_of_the_content(void **state)
{
	static const char *const texts[] = {"bob:" BCRYPT "\n", "bob:" BCRYPT, "#x\nbob:" BCRYPT,
					    "", "bob:" SHA256 "\n"};
	uint8_t digests[COUNT(texts)][IPC_DIGEST_BYTES] = {{0}}, again[IPC_DIGEST_BYTES] = {0};
	struct passwords *p;
	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		assert_int_equal(load_bytes(texts[i], strlen(texts[i]), digests[i], &p), 0);
		passwords_free(p);
		for (size_t k = 0; k < i; k++)
			assert_memory_not_equal(digests[i], digests[k], IPC_DIGEST_BYTES);
	}
	assert_int_equal(load_bytes(texts[0], strlen(texts[0]), again, &p), 0);
	passwords_free(p);
	assert_memory_equal(again, digests[0], IPC_DIGEST_BYTES);
	/* one file after the other */
	assert_int_equal(load_bytes(texts[1], strlen(texts[1]), again, &p), 0);
	passwords_free(p);
	assert_memory_not_equal(again, digests[0], IPC_DIGEST_BYTES);
	assert_memory_not_equal(again, digests[1], IPC_DIGEST_BYTES);
}

static char *crowd(size_t count, size_t *ret_len)
{
	const size_t room = count * 80 + 1;
	char *text = malloc(room);
	size_t len = 0;
	assert_non_null(text);
	/* in no order */
	for (size_t i = 0; i < count; i++)
		len += (size_t)snprintf(text + len, room - len, "user%zu:" BCRYPT "\n",
					(i * 7919) % count);
	*ret_len = len;
	return text;
}

static void a_file_has_100000_users(void **state)
{
	struct passwords *p;
	size_t len;
	(void)state;
	char *text = crowd(PASSWORDS_USERS_MAX, &len);
	assert_int_equal(load_bytes(text, len, NULL, &p), 0);
	free(text);
	static const char *const known[] = {"user0", "user1", "user99999", "user50000", "user7"};
	static const char *const unknown[] = {"user", "user100000", "user00", "zzz", "a", "user-1"};
	for (size_t i = 0; i < COUNT(known); i++) {
		RIGHT(p, known[i], "secret");
		WRONG(p, known[i], "other");
	}
	for (size_t i = 0; i < COUNT(unknown); i++)
		WRONG(p, unknown[i], "secret");
	passwords_free(p);
	text = crowd(PASSWORDS_USERS_MAX + 1, &len);
	assert_int_equal(load_bytes(text, len, NULL, &p), -1);
	assert_string_equal(err.text, "\"/etc/staff\" has more than 100000 users");
	free(text);
}

/* --- checking --------------------------------------------------------------------------------- */

static uint64_t cpu_ns(void)
{
	struct timespec t;
	assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t), 0);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t cost_of(const struct passwords *p, const char *user, const char *password)
{
	uint64_t least = UINT64_MAX;
	for (unsigned i = 0; i < 3; i++) {
		const uint64_t before = cpu_ns();
		(void)check(p, user, password);
		const uint64_t ns = cpu_ns() - before;
		least = ns < least ? ns : least;
	}
	return least;
}

/* A hash is made for it, like that of a user, and always like that of the same one: as often as
 * users have costly ones, unknown ones seem to. */
static void unknown_users_cost_as_much(void **state)
{
	(void)state;
	struct passwords *p =
	    load("zoe:$5$rounds=50000$salt$" DIGEST "\nbob:$5$rounds=1000$salt$" DIGEST "\n");
	const uint64_t cheap = cost_of(p, "bob", "x"), costly = cost_of(p, "zoe", "x");
	unsigned like_zoe = 0;
	assert_true(costly > 10 * cheap);
	for (unsigned i = 0; i < 40; i++) {
		char user[16];
		(void)snprintf(user, sizeof(user), "u%u", i);
		const uint64_t ns = cost_of(p, user, "x");
		assert_true(ns > cheap / 2);
		like_zoe += ns > costly / 2;
		for (unsigned k = 0; k < 2; k++)
			assert_true((cost_of(p, user, "y") > costly / 2) == (ns > costly / 2));
	}
	assert_in_range(like_zoe, 5, 35);
	assert_true(cost_of(p, "", "") > cheap / 2);
	passwords_free(p);
	/* where all are costly, nobody is cheap */
	p = load("zoe:$5$rounds=50000$salt$" DIGEST "\n");
	for (unsigned i = 0; i < 5; i++) {
		const char user[2] = {(char)('a' + i), '\0'};
		assert_true(cost_of(p, user, "x") > costly / 2);
	}
	passwords_free(p);
}

/* As editors of other systems write it. */
static void a_byte_order_mark_is_no_part_of_a_user(void **state)
{
#define MARK "\xef\xbb\xbf"
	(void)state;
	struct passwords *p = load(MARK "bob:" BCRYPT "\r\ncarol:" SHA256 "\r\n");
	RIGHT(p, "bob", "secret");
	RIGHT(p, "carol", "secret");
	WRONG(p, MARK "bob", "secret");
	passwords_free(p);
	p = load(MARK "# staff\r\n" MARK "bob:" BCRYPT);
	RIGHT(p, MARK "bob", "secret"); /* elsewhere, it is */
	WRONG(p, "bob", "secret");
	passwords_free(p);
	p = load(MARK);
	WRONG(p, "", "");
	passwords_free(p);
	refused(MARK "bob", "\"/etc/staff\", line 1: a line is `user:hash`");
	refused("\xff\xfe"
		"bob:x",
		"\"/etc/staff\", line 1: the hash of \"\xff\xfe"
		"bob\" is a password in plain text, or made by DES: make a hash by `htpasswd -B`");
}

/* The password of the first one is right for the first one alone. */
static void no_unknown_user_has_the_first_ones_password(void **state)
{
	(void)state;
	struct passwords *p = load("bob:" BCRYPT "\ncarol:" SHA256 "\n");
	WRONG(p, "alice", "secret");
	WRONG(p, "dave", "secret");
	WRONG(p, "", "secret");
	passwords_free(p);
}

static void passwords_have_up_to_511_bytes(void **state)
{
	char password[513];
	(void)state;
	struct passwords *p =
	    load("bob:$6$abc$ih9MLXzdBdejhxiNARhJC1fLdFQzFfgdxxbuoTIgOIAv21s5ek4cUlGdNonKnOhCL2roZ"
		 "zZOzcCtbkFyZLp651\n");
	memset(password, 'x', 512);
	password[512] = '\0';
	WRONG(p, "bob", password); /* not FAILED: it can be no user's */
	password[511] = '\0';
	RIGHT(p, "bob", password);
	password[510] = '\0';
	WRONG(p, "bob", password);
	passwords_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_kind_is_checked),
	    cmocka_unit_test(others_are_refused),
	    cmocka_unit_test(costly_ones_are_refused),
	    cmocka_unit_test(mutilated_ones_are_refused),
	    cmocka_unit_test(lines_may_be_empty_and_comments_and_end_in_each_way),
	    cmocka_unit_test(nobody_comes_in_by_an_empty_file),
	    cmocka_unit_test(lines_out_of_form_are_refused),
	    cmocka_unit_test(users_have_1_to_255_bytes),
	    cmocka_unit_test(users_twice_are_refused_with_both_lines),
	    cmocka_unit_test(a_nul_is_in_no_password_file),
	    cmocka_unit_test(no_message_has_a_hash),
	    cmocka_unit_test(what_cannot_be_read_is_said),
	    cmocka_unit_test(a_file_has_16_mb),
	    cmocka_unit_test(the_digest_is_of_the_content),
	    cmocka_unit_test(a_file_has_100000_users),
	    cmocka_unit_test(unknown_users_cost_as_much),
	    cmocka_unit_test(a_byte_order_mark_is_no_part_of_a_user),
	    cmocka_unit_test(no_unknown_user_has_the_first_ones_password),
	    cmocka_unit_test(passwords_have_up_to_511_bytes),
	};
	return cmocka_run_group_tests_name("passwords", tests, NULL, NULL);
}

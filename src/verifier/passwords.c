/*
 * Runs in verifiers, and in `bulkhead -t`. Must never show a hash, nor leave one in freed memory.
 */
#include "verifier/passwords.h"

#include <crypt.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/num.h"
#include "ipc/password.h"
#include "tls/digest.h"

struct entry {
	const char *user; /* all three in the text of the file */
	const char *hash; /* ends with a NUL */
	uint32_t user_len;
	uint32_t line; /* from 1 */
};

struct passwords {
	char *text; /* owned */
	size_t len;
	struct entry *entries; /* sorted by user; owned */
	size_t count;
	uint8_t digest[IPC_DIGEST_BYTES]; /* of the content, which is secret */
	struct crypt_data *data;
};

/* --- what a hash may be ----------------------------------------------------------------------- */

/* So costly takes about a second on a machine of these years. */
#define BCRYPT_COST_MIN 4
#define BCRYPT_COST_MAX 14
#define SHA_ROUNDS_MIN  1000
#define SHA_ROUNDS_MAX  1000000
#define SHA_SALT_MAX    16
/* crypt(5): N is 2 to the power of this, and r; together they say how much memory. */
#define YESCRYPT_N_LOG2_MAX 16
#define YESCRYPT_BYTES_MAX  ((uint64_t)128 << 20)
#define YESCRYPT_SALT_MAX   86 /* 64 bytes */

#define CRYPT_DIGITS "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

static bool begins(const char *hash, const char *with)
{
	return strncmp(hash, with, strlen(with)) == 0;
}

static bool is_digits(const char *text, size_t len)
{
	return strspn(text, CRYPT_DIGITS) >= len;
}

static unsigned digit_value(char digit)
{
	return (unsigned)(strchr(CRYPT_DIGITS, digit) - CRYPT_DIGITS);
}

/*
 * Each check knows what crypt(3) makes nothing of, and what it would not have made: nobody could
 * come in by such a hash, and an unknown user whose hash is like it would not take as long.
 */

/* The 22nd digit of the salt, whose order of digits is another, has only two bits of it. */
static const char *bcrypt_check(const char *hash)
{
	uint64_t cost = 0;
	if (strspn(hash + 4, "0123456789") != 2 || hash[6] != '$' || strlen(hash) != 60 ||
	    num_parse(hash + 4, 2, BCRYPT_COST_MIN, 31, &cost) < 0 || !is_digits(hash + 7, 53) ||
	    strchr(".Oeu", hash[28]) == NULL)
		return "is no whole bcrypt hash";
	return cost > BCRYPT_COST_MAX ? "has a bcrypt cost above 14, which takes seconds" : NULL;
}

static bool sha_salt_check(const char *salt, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (salt[i] <= ' ' || salt[i] >= 0x7f || strchr("!*;\\", salt[i]) != NULL)
			return false;
	return len <= SHA_SALT_MAX;
}

static const char *sha_check(const char *hash, size_t digest_len)
{
	static const char word[] = "rounds=";
	const char *salt = hash + 3;
	uint64_t rounds = SHA_ROUNDS_MIN;
	if (begins(salt, word)) {
		const char *digits = salt + sizeof(word) - 1;
		const size_t len = strspn(digits, "0123456789");
		if (digits[len] != '$' || digits[0] == '0' ||
		    num_parse(digits, len, SHA_ROUNDS_MIN, UINT32_MAX, &rounds) < 0)
			return "is no whole hash";
		salt = digits + len + 1;
	}
	const char *digest = strchr(salt, '$');
	if (digest == NULL || !sha_salt_check(salt, (size_t)(digest - salt)) ||
	    strlen(digest + 1) != digest_len || !is_digits(digest + 1, digest_len))
		return "is no whole hash";
	return rounds > SHA_ROUNDS_MAX ? "has more than 1000000 rounds, which takes seconds" : NULL;
}

/* Whole bytes, three in four digits, the lowest bits first. */
static bool yescrypt_salt_check(const char *salt, size_t len)
{
	static const unsigned ends[] = {64, 0, 4, 16}; /* the last digit is below, by len % 4 */
	return len <= YESCRYPT_SALT_MAX && is_digits(salt, len) &&
	       (len == 0 || digit_value(salt[len - 1]) < ends[len % 4]);
}

/* "j9T": a flavour, N and r, a digit each. Longer forms have more parameters. */
static const char *yescrypt_check(const char *hash)
{
	const char *parameters = hash + 3, *end = strchr(parameters, '$');
	const char *digest = end != NULL ? strchr(end + 1, '$') : NULL;
	if (digest == NULL || strlen(digest + 1) != 43 || !is_digits(digest + 1, 43) ||
	    !yescrypt_salt_check(end + 1, (size_t)(digest - end - 1)))
		return "is no whole yescrypt hash";
	if (end - parameters != 3 || parameters[0] != 'j')
		return "has yescrypt parameters that are not supported: make it by `mkpasswd -m "
		       "yescrypt`";
	if (!is_digits(parameters, 3) || parameters[1] == CRYPT_DIGITS[0])
		return "is no yescrypt hash";
	const unsigned n_log2 = digit_value(parameters[1]) + 1;
	const uint64_t blocks = digit_value(parameters[2]) + 1;
	if (n_log2 > YESCRYPT_N_LOG2_MAX || 128 * blocks << n_log2 > YESCRYPT_BYTES_MAX)
		return "has a yescrypt cost that takes seconds, or more than 128 MB";
	return NULL;
}

/* NULL: it may be checked; else what is wrong with it. */
static const char *hash_check(const char *hash)
{
	if (begins(hash, "$2b$") || begins(hash, "$2y$") || begins(hash, "$2a$"))
		return bcrypt_check(hash);
	if (begins(hash, "$5$"))
		return sha_check(hash, 43);
	if (begins(hash, "$6$"))
		return sha_check(hash, 86);
	if (begins(hash, "$y$"))
		return yescrypt_check(hash);
	if (begins(hash, "$apr1$") || begins(hash, "$1$"))
		return "is MD5, which is soon undone: make it by `htpasswd -B`";
	if (begins(hash, "{SHA}") || begins(hash, "{SSHA}") || begins(hash, "$sha1$"))
		return "is SHA-1, which is soon undone: make it by `htpasswd -B`";
	if (hash[0] == '$' || hash[0] == '{')
		return "is of a kind that is not supported: bcrypt, yescrypt, SHA-512 and SHA-256 "
		       "are";
	return "is a password in plain text, or made by DES: make a hash by `htpasswd -B`";
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool entry_fail(const char *path, uint32_t line, const char *what, struct err *err)
{
	err_set(err, "\"%s\", line %u: %s", path, line, what);
	return false;
}

/* The line, which ends with a NUL. */
static bool entry_read(struct passwords *p, char *text, uint32_t line, const char *path,
		       struct err *err)
{
	char *colon = strchr(text, ':');
	if (colon == NULL)
		return entry_fail(path, line, "a line is `user:hash`", err);
	if (p->count == PASSWORDS_USERS_MAX) {
		err_set(err, "\"%s\" has more than %u users", path, PASSWORDS_USERS_MAX);
		return false;
	}
	const size_t len = (size_t)(colon - text);
	colon[1 + strcspn(colon + 1, ":")] = '\0';
	if (len == 0 || len > IPC_USER_MAX)
		return entry_fail(path, line, "a user has 1 to 255 bytes", err);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return entry_fail(path, line,
					  "a user with a control byte cannot come in (RFC 7617, 2)",
					  err);
	const char *wrong = hash_check(colon + 1);
	if (wrong != NULL) {
		err_set(err, "\"%s\", line %u: the hash of \"%.*s\" %s", path, line, (int)len, text,
			wrong);
		return false;
	}
	p->entries[p->count++] = (struct entry){text, colon + 1, (uint32_t)len, line};
	return true;
}

static int text_compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
	const int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
	return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

static int entry_compare(const void *a, const void *b)
{
	const struct entry *e = a, *f = b;
	return text_compare(e->user, e->user_len, f->user, f->user_len);
}

static bool entries_check(struct passwords *p, const char *path, struct err *err)
{
	qsort(p->entries, p->count, sizeof(*p->entries), entry_compare);
	for (size_t i = 1; i < p->count; i++) {
		const struct entry *e = &p->entries[i - 1], *f = &p->entries[i];
		if (entry_compare(e, f) != 0)
			continue;
		err_set(err, "\"%s\", line %u: \"%.*s\" is in line %u, too", path,
			e->line > f->line ? e->line : f->line, (int)e->user_len, e->user,
			e->line < f->line ? e->line : f->line);
		return false;
	}
	return true;
}

/* That can be users; a file of empty lines must not cost more than one of users. */
static size_t lines_count(const char *text)
{
	size_t count = 1;
	for (const char *c = text; count < PASSWORDS_USERS_MAX && (c = strchr(c, '\n')) != NULL;
	     c++)
		count++;
	return count;
}

static bool text_read(struct passwords *p, const char *path, struct err *err)
{
	static const char mark[] = "\xef\xbb\xbf"; /* some editors begin a file in UTF-8 with it */
	uint32_t line = 0;
	char *begin = begins(p->text, mark) ? p->text + sizeof(mark) - 1 : p->text;
	for (char *at = begin, *next; at != NULL; at = next) {
		line++;
		next = strchr(at, '\n');
		if (next != NULL)
			*next++ = '\0';
		char *end = at + strlen(at);
		if (end > at && end[-1] == '\r')
			end[-1] = '\0';
		if (at[0] != '\0' && at[0] != '#' && !entry_read(p, at, line, path, err))
			return false;
	}
	return entries_check(p, path, err);
}

int passwords_load(int fd, const char *path, uint8_t *digest, struct passwords **ret,
		   struct err *err)
{
	struct passwords *p = calloc(1, sizeof(*p));
	int error = p == NULL ? -ENOMEM : fd_read_all(fd, PASSWORDS_FILE_MAX, &p->text, &p->len);
	if (error == 0)
		tls_digest(p->text, p->len, p->digest);
	if (error == 0 && digest != NULL)
		tls_digest_add(digest, p->digest);
	if (error == 0 && memchr(p->text, '\0', p->len) != NULL) {
		err_set(err, "\"%s\" is no password file: it has a NUL byte", path);
		passwords_free(p);
		return -1;
	}
	const size_t lines = error == 0 ? lines_count(p->text) : 0;
	if (error == 0) {
		p->entries = calloc(lines, sizeof(*p->entries));
		p->data = calloc(1, sizeof(*p->data));
		if (p->entries == NULL || p->data == NULL)
			error = -ENOMEM;
	}
	if (error < 0) {
		err_set(err, "password file \"%s\" cannot be read: %s", path, strerror(-error));
		passwords_free(p);
		return err_is_shortage(-error) ? -EAGAIN : -1;
	}
	if (!text_read(p, path, err)) {
		passwords_free(p);
		return -1;
	}
	*ret = p;
	return 0;
}

size_t passwords_count(const struct passwords *p)
{
	return p->count;
}

void passwords_free(struct passwords *p)
{
	if (p == NULL)
		return;
	if (p->text != NULL)
		explicit_bzero(p->text, p->len);
	if (p->data != NULL)
		explicit_bzero(p->data, sizeof(*p->data));
	explicit_bzero(p->digest, sizeof(p->digest));
	free(p->text);
	free(p->entries);
	free(p->data);
	free(p);
}

/* --- checking --------------------------------------------------------------------------------- */

static const struct entry *entry_find(const struct passwords *p, const char *user, size_t len)
{
	size_t low = 0, high = p->count;
	while (low < high) {
		const size_t middle = (low + high) / 2;
		const struct entry *e = &p->entries[middle];
		const int order = text_compare(user, len, e->user, e->user_len);
		if (order == 0)
			return e;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* A file may have hashes of several kinds and costs. So a user that is not there is given the hash
 * of one that is, always the same one, and takes as long. NULL: there is none, or no memory to find
 * one. */
static const char *unknown_hash(const struct passwords *p, const char *user, size_t len)
{
	uint8_t digest[IPC_DIGEST_BYTES];
	uint64_t number;
	if (p->count == 0 || !tls_digest_keyed(p->digest, user, len, digest))
		return NULL;
	memcpy(&number, digest, sizeof(number));
	return p->entries[number % p->count].hash;
}

static bool is_same(const char *a, const char *b)
{
	const size_t len = strlen(a);
	unsigned char differs = 0;
	if (strlen(b) != len)
		return false;
	for (size_t i = 0; i < len; i++)
		differs |= (unsigned char)((unsigned char)a[i] ^ (unsigned char)b[i]);
	return differs == 0;
}

enum passwords_verdict passwords_check(const struct passwords *p, const char *user, size_t user_len,
				       const char *password, size_t password_len)
{
	char text[IPC_PASSWORD_MAX + 1];
	const struct entry *e = entry_find(p, user, user_len);
	const char *hash = e != NULL ? e->hash : unknown_hash(p, user, user_len);
	if (p->count == 0 || password_len > IPC_PASSWORD_MAX)
		return PASSWORDS_WRONG;
	if (hash == NULL)
		return PASSWORDS_FAILED;
	memcpy(text, password, password_len);
	text[password_len] = '\0';
	const char *made = crypt_r(text, hash, p->data);
	explicit_bzero(text, sizeof(text));
	if (made == NULL || made[0] == '*')
		return PASSWORDS_FAILED;
	return is_same(made, hash) && e != NULL ? PASSWORDS_RIGHT : PASSWORDS_WRONG;
}

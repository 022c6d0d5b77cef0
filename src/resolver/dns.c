/*
 * Runs in resolvers, on bytes from name servers, and from everybody who can send in their name.
 * Must never read past the end of a message, nor follow a chain without an end.
 */
#include "dns.h"

#include <errno.h>
#include <string.h>

#define HEAD_LEN      12
#define RECORDS_MAX   512 /* of an answer; the others are left out */
#define CNAMES_MAX    16
#define TYPE_CNAME    5
#define CLASS_IN      1
#define FLAG_ANSWER   0x80
#define FLAG_CUT      0x02
#define OPCODE        0x78
#define RCODE         0x0f
#define RCODE_OK      0
#define RCODE_NO_NAME 3

/* --- questions -------------------------------------------------------------------------------- */

static void put16(uint8_t *to, unsigned value)
{
	to[0] = (uint8_t)(value >> 8);
	to[1] = (uint8_t)value;
}

static unsigned get16(const uint8_t *from)
{
	return (unsigned)from[0] << 8 | from[1];
}

static uint32_t get32(const uint8_t *from)
{
	return (uint32_t)get16(from) << 16 | get16(from + 2);
}

/* Returns the length, or 0. */
static size_t name_write(const char *name, uint8_t *to)
{
	size_t len = strlen(name), at = 0;
	if (len > 0 && name[len - 1] == '.')
		len--;
	if (len == 0 || len > DNS_NAME_TEXT_MAX)
		return 0;
	for (size_t i = 0; i < len;) {
		const char *dot = memchr(name + i, '.', len - i);
		const size_t label = dot != NULL ? (size_t)(dot - (name + i)) : len - i;
		if (label == 0 || label > 63 || (dot != NULL && i + label + 1 == len))
			return 0;
		to[at++] = (uint8_t)label;
		memcpy(to + at, name + i, label);
		at += label;
		i += label + 1;
	}
	to[at++] = 0;
	return at;
}

int dns_query(uint16_t id, const char *name, enum dns_type type, uint8_t ret[DNS_QUERY_MAX])
{
	uint8_t message[DNS_QUERY_MAX] = {0};
	const size_t len = name_write(name, message + HEAD_LEN);
	if (len == 0)
		return -EINVAL;
	put16(message, id);
	message[2] = 1; /* recursion is desired */
	put16(message + 4, 1);
	put16(message + HEAD_LEN + len, type);
	put16(message + HEAD_LEN + len + 2, CLASS_IN);
	memcpy(ret, message, sizeof(message));
	return (int)(HEAD_LEN + len + 4);
}

/* --- answers ---------------------------------------------------------------------------------- */

struct name {
	uint8_t bytes[DNS_NAME_MAX]; /* labels with their lengths, in lower case */
	size_t len;
};

struct reader {
	const uint8_t *message;
	size_t len;
};

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

/* Reads the name at *at, and moves *at after it. A pointer (RFC 1035, 4.1.4) must lead to before
 * the part that it ends, so the way has an end. */
static bool name_read(const struct reader *r, size_t *at, struct name *ret)
{
	size_t i = *at, before = *at;
	bool jumped = false;
	ret->len = 0;
	for (;;) {
		if (i >= r->len)
			return false;
		const size_t label = r->message[i];
		if (label >= 0xc0) {
			if (i + 1 >= r->len)
				return false;
			const size_t to = get16(r->message + i) & 0x3fff;
			if (!jumped)
				*at = i + 2;
			jumped = true;
			if (to >= before)
				return false;
			i = before = to;
			continue;
		}
		if (label > 63 || i + 1 + label > r->len ||
		    ret->len + 1 + label > sizeof(ret->bytes))
			return false;
		ret->bytes[ret->len++] = (uint8_t)label;
		for (size_t k = 0; k < label; k++)
			ret->bytes[ret->len++] = lower(r->message[i + 1 + k]);
		i += 1 + label;
		if (label == 0)
			break;
	}
	if (!jumped)
		*at = i;
	return true;
}

static bool name_is(const struct name *a, const struct name *b)
{
	return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

struct record {
	struct name owner;
	unsigned type, class;
	uint32_t ttl;
	size_t data, data_len;
};

static bool record_read(const struct reader *r, size_t *at, struct record *ret)
{
	if (!name_read(r, at, &ret->owner) || r->len - *at < 10)
		return false;
	const uint8_t *head = r->message + *at;
	ret->type = get16(head);
	ret->class = get16(head + 2);
	ret->ttl = get32(head + 4);
	if (ret->ttl >> 31 != 0)
		ret->ttl = 0; /* RFC 2181, 8 */
	ret->data_len = get16(head + 8);
	ret->data = *at + 10;
	if (r->len - ret->data < ret->data_len)
		return false;
	*at = ret->data + ret->data_len;
	return true;
}

bool dns_is_usable(const struct network_address *a, bool v6)
{
	if (network_address_is_v4(a)) {
		const uint32_t v4 = (uint32_t)a->low;
		return !v6 && v4 >> 24 != 0 && v4 >> 28 < 0xe; /* 224/4, 240/4: nobody has them */
	}
	return (a->high != 0 || a->low != 0) && a->high >> 56 != 0xff;
}

static void address_add(struct dns_answer *answer, const uint8_t *data, enum dns_type type)
{
	const bool v6 = type == DNS_AAAA;
	const struct network_address a = v6 ? network_address_v6(data) : network_address_v4(data);
	if (!dns_is_usable(&a, v6) || answer->count == IPC_NAME_ADDRESSES_MAX)
		return;
	answer->list[answer->count++] = a;
}

struct walk {
	struct reader r;
	size_t begin; /* of the records */
	unsigned count;
	enum dns_type type;
	struct name name; /* what is sought now */
	struct dns_answer answer;
};

static void walk_ttl(struct walk *w, const struct record *record)
{
	if (record->ttl < w->answer.ttl)
		w->answer.ttl = record->ttl;
}

/* One look at all records. Returns 1 if the name has another one, 0 if not, -1: malformed. */
static int walk_once(struct walk *w)
{
	struct name other;
	struct record record;
	bool has_other = false;
	size_t at = w->begin;
	for (unsigned i = 0; i < w->count && i < RECORDS_MAX; i++) {
		if (!record_read(&w->r, &at, &record))
			return -1;
		if (record.class != CLASS_IN || !name_is(&record.owner, &w->name))
			continue;
		if (record.type == w->type) {
			if (record.data_len != (w->type == DNS_A ? 4 : 16))
				return -1;
			address_add(&w->answer, w->r.message + record.data, w->type);
			walk_ttl(w, &record);
		} else if (record.type == TYPE_CNAME && !has_other) {
			size_t from = record.data;
			if (!name_read(&w->r, &from, &other) ||
			    from != record.data + record.data_len)
				return -1;
			has_other = true;
			walk_ttl(w, &record);
		}
	}
	if (!has_other || w->answer.count > 0)
		return 0;
	w->name = other;
	return 1;
}

static enum dns_verdict answer_read(struct walk *w, struct dns_answer *ret)
{
	int more = 1;
	for (int i = 0; more > 0 && i < CNAMES_MAX; i++)
		more = walk_once(w);
	if (more < 0)
		return DNS_FOREIGN;
	if (w->answer.count == 0)
		return DNS_NONE;
	*ret = w->answer;
	return DNS_FOUND;
}

/* The question comes back as it was, but for the case of letters. */
static bool question_is(const uint8_t *message, size_t len, const uint8_t *query, size_t query_len)
{
	if (len < query_len || query_len < HEAD_LEN + 5 || message[0] != query[0] ||
	    message[1] != query[1] || (message[2] & FLAG_ANSWER) == 0 ||
	    (message[2] & OPCODE) != 0 || get16(message + 4) != 1)
		return false;
	for (size_t i = HEAD_LEN; i < query_len; i++)
		if (lower(message[i]) != lower(query[i]))
			return false;
	return true;
}

enum dns_verdict dns_parse(const uint8_t *message, size_t len, const uint8_t *query,
			   size_t query_len, struct dns_answer *ret)
{
	struct walk w = {.r = {message, len}, .begin = query_len, .answer = {.ttl = UINT32_MAX}};
	size_t at = HEAD_LEN;
	if (!question_is(message, len, query, query_len))
		return DNS_FOREIGN;
	if ((message[2] & FLAG_CUT) != 0)
		return DNS_TRUNCATED;
	switch (message[3] & RCODE) {
	case RCODE_OK:
		break;
	case RCODE_NO_NAME:
		return DNS_UNKNOWN;
	default:
		return DNS_FAILED;
	}
	w.count = get16(message + 6);
	w.type = get16(query + query_len - 4) == DNS_A ? DNS_A : DNS_AAAA;
	return name_read(&w.r, &at, &w.name) ? answer_read(&w, ret) : DNS_FOREIGN;
}

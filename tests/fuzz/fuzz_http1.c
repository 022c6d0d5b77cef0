/*
 * The state machine with respond and echo. The first bytes of an input choose how the rest is
 * split; the output must not depend on it:
 *  - output pulled only when no more input is taken: the very same bytes and the same end;
 *  - output pulled in between, with little room: the same after chunks are joined and 100
 *    Continue is removed, up to the place where a response was broken off or an error could
 *    still replace it.
 */
#include "../http_peer.h"
#include "../json_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define REQUIRE(condition)        \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

static uint32_t next(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 16;
}

static struct peer *fuzz_peer(void)
{
	struct peer *p = peer_new();
	p->limits.head_bytes = 1024;
	p->limits.trailers_bytes = 1024;
	p->limits.body_bytes = 40000;
	p->limits.requests = 20;
	return p;
}

static void pieces_give(struct peer *p, const uint8_t *data, size_t len, uint32_t seed, bool pull)
{
	for (size_t at = 0; at < len;) {
		size_t n = 1 + next(&seed) % (next(&seed) % 4 == 0 ? 200 : 5);
		if (n > len - at)
			n = len - at;
		peer_give(p, data + at, n);
		at += n;
		if (!pull)
			continue;
		p->pull = PROTO_OUTPUT_MIN + next(&seed) % 600;
		for (uint32_t turns = next(&seed) % 3; turns > 0; turns--)
			(void)peer_pull(p);
		(void)peer_offer(p);
	}
	peer_run(p);
}

static bool is_head(const struct peer *p, unsigned index)
{
	if (index < p->done)
		return p->heads[index];
	return p->http1.exchange != NULL && p->http1.exchange->request.method == HTTP_HEAD;
}

/* Removes what may differ from the responses: 100 Continue and the bounds of chunks. Returns
 * the length and the place where the last response began. */
static size_t canonical(const struct peer *p, size_t *ret_last)
{
	uint8_t *out = p->out;
	size_t at = 0, to = 0, len = p->out_len;
	unsigned count = 0;
	*ret_last = 0;
	while (at < len) {
		const uint8_t *end = memmem(out + at, len - at, "\r\n\r\n", 4);
		REQUIRE(len - at >= 17 && memcmp(out + at, "HTTP/1.1 ", 9) == 0);
		if (memcmp(out + at + 9, "100", 3) == 0) {
			at += 25;
			continue;
		}
		*ret_last = to;
		bool bodiless = is_head(p, count++);
		size_t head = end != NULL ? (size_t)(end - out) + 4 - at : len - at;
		const char *length = memmem(out + at, head, "Content-Length: ", 16);
		bool chunked = memmem(out + at, head, "Transfer-Encoding: chunked", 26) != NULL;
		size_t known = length != NULL && !chunked ? strtoul(length + 16, NULL, 10) : 0;
		memmove(out + to, out + at, head);
		at += head;
		to += head;
		if (bodiless)
			continue;
		if (known > len - at)
			known = len - at;
		memmove(out + to, out + at, known);
		at += known;
		to += known;
		while (chunked && at < len && isxdigit(out[at])) {
			size_t digits = at;
			size_t n = strtoul((char *)out + at, NULL, 16);
			while (isxdigit(out[digits]))
				digits++;
			REQUIRE(len - digits >= n + 4);
			memmove(out + to, out + digits + 2, n);
			to += n;
			at = digits + 2 + n + 2;
			if (n == 0)
				break;
		}
	}
	return to;
}

/* Checks that a JSON answer is JSON, but only where it is the only answer, so that its end is
 * certain. */
static void json_answer_check(const struct peer *p)
{
	static const char type[] = "Content-Type: application/json\r\n";
	const char *out = peer_out(p), *body = memmem(out, p->out_len, "\r\n\r\n", 4);
	if (p->begun != 1 || p->done != 1 || p->heads[0] || body == NULL)
		return;
	body += 4;
	if (memmem(out, (size_t)(body - out), type, sizeof(type) - 1) != NULL)
		REQUIRE(json_check(body, p->out_len - (size_t)(body - out)));
}

static void compare(struct peer *whole, struct peer *torn)
{
	size_t whole_last, torn_last;
	size_t a = canonical(whole, &whole_last);
	size_t b = canonical(torn, &torn_last);
	bool broken = peer_phase(whole) == PROTO_ABORTED || peer_phase(torn) == PROTO_ABORTED;
	/* An error in a body replaces the answer if it is found before the answer was pulled.
	 * After a complete answer (to HEAD, to an early refusal) it only closes the connection. */
	bool replaced = peer_phase(whole) == PROTO_CLOSING && whole->status >= 400 &&
			whole->status != torn->status;
	if (replaced && !broken)
		REQUIRE(whole->done == torn->done && peer_phase(torn) == PROTO_CLOSING);
	if (!broken && !replaced) {
		REQUIRE(peer_phase(whole) == peer_phase(torn));
		REQUIRE(whole->done == torn->done);
		REQUIRE(a == b && memcmp(whole->out, torn->out, a) == 0);
		return;
	}
	size_t common = whole_last < torn_last ? whole_last : torn_last;
	REQUIRE(memcmp(whole->out, torn->out, common) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint32_t seed;
	if (len < 4)
		return 0;
	memcpy(&seed, data, 4);
	data += 4;
	len -= 4;
	struct peer *whole = fuzz_peer(), *torn = fuzz_peer(), *pulled = fuzz_peer();

	peer_give(whole, data, len);
	peer_run(whole);
	pieces_give(torn, data, len, seed, false);
	REQUIRE(whole->out_len == torn->out_len);
	REQUIRE(memcmp(whole->out, torn->out, whole->out_len) == 0);
	REQUIRE(peer_phase(whole) == peer_phase(torn));
	REQUIRE(whole->done == torn->done && whole->begun == torn->begun);
	json_answer_check(whole);

	pieces_give(pulled, data, len, seed, true);
	compare(whole, pulled);

	switch (seed & 3) {
	case 0:
		http1_ops.drain(&torn->http1.proto);
		break;
	case 1:
		peer_expire(torn);
		break;
	case 2:
		http1_ops.input_ended(&torn->http1.proto);
		break;
	}
	peer_run(torn);
	if ((seed & 3) == 2)
		REQUIRE(peer_phase(torn) == PROTO_CLOSING || peer_phase(torn) == PROTO_ABORTED);
	http1_ops.release(&torn->http1.proto);
	REQUIRE(torn->begun == torn->done);
	peer_free(whole);
	peer_free(torn);
	peer_free(pulled);
	return 0;
}

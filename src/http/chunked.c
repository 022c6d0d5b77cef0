/*
 * Runs in the workers, on bytes of any client or upstream: the chunked coding (RFC 9112, 7.1). Must
 * never accept a size, an extension or a line end that another reader could understand differently.
 * Extensions are read within bounds and dropped.
 */
#include "http/chunked.h"

#include "base/chars.h"
#include "base/num.h"
#include "http/message.h"

#define CHUNK_LINE_MAX       255   /* bytes of one size with its extensions */
#define CHUNK_EXTENSIONS_MAX 16384 /* bytes of all extensions, beyond the bytes of body */

/*
 *   chunk-size *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] ) CRLF
 *
 * BWS is any number of blanks and tabs. A blank must not end the line.
 */
enum chunk_state {
	CHUNK_SIZE, /* expects the first digit; 0, the state of a zeroed decoder */
	CHUNK_SIZE_MORE,
	CHUNK_SIZE_BLANK,
	CHUNK_NAME, /* expects the first byte of an extension's name, or blanks before it */
	CHUNK_NAME_MORE,
	CHUNK_NAME_BLANK,
	CHUNK_VALUE, /* expects the first byte of an extension's value, or blanks before it */
	CHUNK_TOKEN_MORE,
	CHUNK_QUOTED,
	CHUNK_QUOTED_PAIR,
	CHUNK_VALUE_END, /* after the closing quote */
	CHUNK_VALUE_BLANK,
	CHUNK_SIZE_LF,
	CHUNK_DATA,
	CHUNK_DATA_CR,
	CHUNK_DATA_LF,
	CHUNK_TRAILER,
	CHUNK_TRAILER_NAME,
	CHUNK_TRAILER_VALUE,
	CHUNK_TRAILER_LF,
	CHUNK_END_LF,
	CHUNK_END
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static int expect(char c, char wanted, enum chunk_state next, enum http_refusal otherwise)
{
	return c == wanted ? (int)next : -(int)otherwise;
}

static int size_step(struct http1_chunked *k, char c)
{
	int digit = num_hex_digit(c);
	if (digit >= 0) {
		if (k->left > UINT64_MAX >> 4)
			return -REFUSE_CHUNK_SIZE;
		k->left = k->left << 4 | (unsigned)digit;
		return CHUNK_SIZE_MORE;
	}
	if (k->state == CHUNK_SIZE)
		return -REFUSE_CHUNK_SIZE;
	if (is_blank(c))
		return CHUNK_SIZE_BLANK;
	return c == ';' ? (int)CHUNK_NAME : expect(c, '\r', CHUNK_SIZE_LF, REFUSE_CHUNK_SIZE);
}

/* After a name or a value: another extension or the end of the line may follow. */
static int extension_end_step(char c, enum chunk_state blank)
{
	if (is_blank(c))
		return (int)blank;
	return c == ';' ? (int)CHUNK_NAME : expect(c, '\r', CHUNK_SIZE_LF, REFUSE_CHUNK_EXTENSION);
}

static int extension_value_step(char c)
{
	if (is_blank(c))
		return CHUNK_VALUE;
	if (c == '"')
		return CHUNK_QUOTED;
	return char_is(c, CHAR_TOKEN) ? (int)CHUNK_TOKEN_MORE : -REFUSE_CHUNK_EXTENSION;
}

/* A quoted-string may contain, plain or escaped, the bytes that a field value may contain. */
static int quoted_step(const struct http1_chunked *k, char c)
{
	if (!char_is(c, CHAR_VALUE))
		return -REFUSE_CHUNK_EXTENSION;
	if (k->state == CHUNK_QUOTED && c == '"')
		return CHUNK_VALUE_END;
	return k->state == CHUNK_QUOTED && c == '\\' ? CHUNK_QUOTED_PAIR : CHUNK_QUOTED;
}

static int extension_step(struct http1_chunked *k, char c)
{
	switch ((enum chunk_state)k->state) {
	case CHUNK_SIZE_BLANK:
	case CHUNK_VALUE_BLANK:
		return is_blank(c) ? k->state : expect(c, ';', CHUNK_NAME, REFUSE_CHUNK_EXTENSION);
	case CHUNK_NAME:
		if (is_blank(c))
			return CHUNK_NAME;
		return char_is(c, CHAR_TOKEN) ? (int)CHUNK_NAME_MORE : -REFUSE_CHUNK_EXTENSION;
	case CHUNK_NAME_MORE:
		if (char_is(c, CHAR_TOKEN))
			return CHUNK_NAME_MORE;
		return c == '=' ? (int)CHUNK_VALUE : extension_end_step(c, CHUNK_NAME_BLANK);
	case CHUNK_NAME_BLANK:
		if (is_blank(c))
			return CHUNK_NAME_BLANK;
		return c == '=' ? (int)CHUNK_VALUE
				: expect(c, ';', CHUNK_NAME, REFUSE_CHUNK_EXTENSION);
	case CHUNK_VALUE:
		return extension_value_step(c);
	case CHUNK_TOKEN_MORE:
		if (char_is(c, CHAR_TOKEN))
			return CHUNK_TOKEN_MORE;
		return extension_end_step(c, CHUNK_VALUE_BLANK);
	case CHUNK_VALUE_END:
		return extension_end_step(c, CHUNK_VALUE_BLANK);
	default:
		return quoted_step(k, c);
	}
}

/* One byte of the line with a chunk's size. Two bounds apply: one for this line, one for all
 * extensions. */
static int line_step(struct http1_chunked *k, char c)
{
	if (k->line_bytes++ == CHUNK_LINE_MAX)
		return -REFUSE_CHUNK_LINE_TOO_LONG;
	if (k->state <= CHUNK_SIZE_MORE)
		return size_step(k, c);
	if (++k->extension_bytes > CHUNK_EXTENSIONS_MAX)
		return -REFUSE_CHUNK_EXTENSIONS_TOO_LONG;
	return extension_step(k, c);
}

static int trailer_step(struct http1_chunked *k, char c, size_t trailer_max)
{
	if (k->state == CHUNK_TRAILER && c == '\r')
		return CHUNK_END_LF; /* of the body: it is no part of the trailer (RFC 9112, 7.1.2)
				      */
	if (++k->trailer_bytes > trailer_max)
		return -REFUSE_TRAILER_TOO_LONG;
	switch ((enum chunk_state)k->state) {
	case CHUNK_TRAILER:
		return char_is(c, CHAR_TOKEN) ? (int)CHUNK_TRAILER_NAME : -REFUSE_TRAILER_FORM;
	case CHUNK_TRAILER_NAME:
		if (char_is(c, CHAR_TOKEN))
			return CHUNK_TRAILER_NAME;
		return expect(c, ':', CHUNK_TRAILER_VALUE, REFUSE_TRAILER_FORM);
	case CHUNK_TRAILER_VALUE:
		if (char_is(c, CHAR_VALUE))
			return CHUNK_TRAILER_VALUE;
		return expect(c, '\r', CHUNK_TRAILER_LF, REFUSE_TRAILER_FORM);
	default:
		return expect(c, '\n', CHUNK_TRAILER, REFUSE_TRAILER_FORM);
	}
}

/* Returns the state after one byte of framing, or minus an enum http_refusal. */
static int chunk_step(struct http1_chunked *k, char c, size_t trailer_max)
{
	if (k->state < CHUNK_SIZE_LF)
		return line_step(k, c);
	switch ((enum chunk_state)k->state) {
	case CHUNK_SIZE_LF:
		k->line_bytes = 0;
		return expect(c, '\n', k->left > 0 ? CHUNK_DATA : CHUNK_TRAILER, REFUSE_CHUNK_SIZE);
	case CHUNK_DATA_CR:
		return expect(c, '\r', CHUNK_DATA_LF, REFUSE_CHUNK_END);
	case CHUNK_DATA_LF:
		return expect(c, '\n', CHUNK_SIZE, REFUSE_CHUNK_END);
	case CHUNK_END_LF:
		return expect(c, '\n', CHUNK_END, REFUSE_TRAILER_FORM);
	default:
		return trailer_step(k, c, trailer_max);
	}
}

long http1_chunked_read(struct http1_chunked *k, const uint8_t *data, size_t len,
			size_t trailer_max, struct buf *trailers)
{
	const uint32_t before = k->trailer_bytes;
	size_t used = 0, first = 0; /* first: where the trailer begins, or goes on */
	while (used < len && k->state != CHUNK_DATA && k->state != CHUNK_END) {
		int next = chunk_step(k, (char)data[used], trailer_max);
		if (next < 0)
			return next;
		k->state = (uint8_t)next;
		used++;
		if (k->trailer_bytes == before)
			first = used;
	}
	if (trailers != NULL && k->trailer_bytes > before &&
	    buf_append(trailers, data + first, k->trailer_bytes - before) < 0)
		return -REFUSE_TRAILER_TOO_LONG;
	return (long)used;
}

void http1_chunked_take(struct http1_chunked *k, size_t len)
{
	k->left -= len;
	k->extension_bytes -= len < k->extension_bytes ? (uint32_t)len : k->extension_bytes;
	if (k->left == 0)
		k->state = CHUNK_DATA_CR;
}

bool http1_chunked_in_data(const struct http1_chunked *k)
{
	return k->state == CHUNK_DATA;
}

bool http1_chunked_ended(const struct http1_chunked *k)
{
	return k->state == CHUNK_END;
}

bool http_trailer_next(const struct buf *trailers, size_t *at, struct http_header *ret)
{
	const char *base = (const char *)buf_head(trailers);
	const size_t len = buf_len(trailers);
	if (*at >= len)
		return false;
	struct http_cursor c = {base + *at, base + len};
	struct http_field field;
	if (http_field_read(&c, base, false, &field) < 0)
		return false;
	*at = (size_t)(c.at - base);
	*ret = (struct http_header){base + field.name.off, base + field.value.off, field.name.len,
				    field.value.len};
	return true;
}

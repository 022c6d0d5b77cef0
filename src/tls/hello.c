/* Runs in a worker's loop, on the first bytes of a client. Must never read past them. */
#include "tls/hello.h"

#include <stdbool.h>
#include <string.h>

#include "tls/host.h"

/* The bytes that are left to read. */
struct rest {
	const uint8_t *data;
	size_t len;
};

/* Takes the next vector, whose length field has width bytes; false: the vector is incomplete. */
static bool rest_vector(struct rest *r, size_t width, struct rest *ret)
{
	size_t size = 0;
	if (r->len < width)
		return false;
	for (size_t i = 0; i < width; i++)
		size = size << 8 | r->data[i];
	if (size > r->len - width)
		return false;
	*ret = (struct rest){r->data + width, size};
	r->data += width + size;
	r->len -= width + size;
	return true;
}

static unsigned suite_kind(const struct tls_offer *o, const uint8_t id[2])
{
	for (size_t i = 0; i < o->suites_count; i++)
		if (memcmp(o->suites[i].id, id, 2) == 0)
			return o->suites[i].kind;
	return 0;
}

/* RFC 5077, 3.2: the extension is the ticket. RFC 8446, 4.2.11: a list of identities, each with an
 * age; the ticket is the first one. */
static void ticket_read(struct tls_hello *h, unsigned number, struct rest data)
{
	struct rest all, ticket = data;
	if (number == 41 && (!rest_vector(&data, 2, &all) || !rest_vector(&all, 2, &ticket)))
		return;
	if ((number != 35 && number != 41) || ticket.len < sizeof(h->ticket_name))
		return;
	memcpy(h->ticket_name, ticket.data, sizeof(h->ticket_name));
	h->has_ticket = true;
}

/* RFC 6066, 3: a list of names, each with a type; type 0 is a host name. */
static void host_read(struct tls_hello *h, unsigned number, struct rest data)
{
	struct rest all, name;
	if (number != 0 || !rest_vector(&data, 2, &all))
		return;
	while (all.len > 0 && h->host == NULL) {
		const uint8_t kind = all.data[0];
		all.data++;
		all.len--;
		if (!rest_vector(&all, 2, &name))
			return;
		if (kind == 0) {
			h->host = name.data;
			h->host_len = name.len;
		}
	}
}

static void extensions_read(struct tls_hello *h, struct rest all)
{
	struct rest data;
	while (all.len >= 2) {
		unsigned number = (unsigned)all.data[0] << 8 | all.data[1];
		all.data += 2;
		all.len -= 2;
		if (number < 64 && (h->extensions & HELLO_HAS(number)))
			h->repeated = true;
		if (number < 64)
			h->extensions |= HELLO_HAS(number);
		if (!rest_vector(&all, 2, &data))
			break;
		host_read(h, number, data);
		ticket_read(h, number, data);
	}
}

void tls_hello_read(struct tls_hello *h, const struct tls_offer *o, const uint8_t *data, size_t len)
{
	const size_t begin = 2 + 32; /* legacy_version, random */
	struct rest all = {data, len}, session, suites, compression, extensions;
	*h = (struct tls_hello){.count = (uint8_t)(h->count + 1)};
	if (len < begin)
		return;
	all = (struct rest){data + begin, len - begin};
	if (!rest_vector(&all, 1, &session) || !rest_vector(&all, 2, &suites))
		return;
	for (size_t i = 0; i + 2 <= suites.len; i += 2)
		h->suites |= (uint8_t)suite_kind(o, suites.data + i);
	if (rest_vector(&all, 1, &compression) && rest_vector(&all, 2, &extensions))
		extensions_read(h, extensions);
}

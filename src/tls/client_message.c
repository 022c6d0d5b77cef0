/*
 * Runs in a worker's loop, on the Certificate message of any client, before GnuTLS reads it. Must
 * never read past its end, nor let a client choose how long the worker computes.
 *
 * Under TLS 1.3 GnuTLS verifies a client's signature with the key in its certificate before it asks
 * whether anybody trusts that certificate. So the key's size is a stranger's choice: with RSA of
 * 16384 bits and an exponent of the same length one signature takes a second.
 */
#include "tls/client_message.h"

#include <string.h>

#include "tls/der.h"

/* --- the key of a certificate (RFC 5280, 4.1) --------------------------------------------------
 */

/* OBJECT IDENTIFIER 1.2.840.113549.1.1, without its last number: PKCS #1 (RFC 8017, A). */
static const uint8_t pkcs1[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01};

static size_t der_len(const struct der *d)
{
	return (size_t)(d->end - d->at);
}

/* The bytes of a number, without the zero that keeps it positive. */
static size_t number_len(const struct der *number)
{
	return der_len(number) - (der_len(number) > 1 && number->at[0] == 0);
}

static enum tls_client_fault rsa_check(const struct der *bits)
{
	struct der key, modulus, exponent, numbers = {bits->at + 1, bits->end}; /* unused bits */
	if (bits->at == bits->end || der_take(&numbers, &key, NULL) != DER_SEQUENCE ||
	    der_take(&key, &modulus, NULL) != DER_INTEGER ||
	    der_take(&key, &exponent, NULL) != DER_INTEGER)
		return TLS_CLIENT_BAD;
	return number_len(&modulus) > TLS_CLIENT_RSA_MAX / 8 ||
		       number_len(&exponent) > TLS_CLIENT_EXPONENT_MAX
		   ? TLS_CLIENT_COSTLY
		   : TLS_CLIENT_GOOD;
}

static enum tls_client_fault key_check(struct der info)
{
	struct der algorithm, oid, bits;
	const size_t len = der_len(&info);
	if (der_take(&info, &algorithm, NULL) != DER_SEQUENCE ||
	    der_take(&algorithm, &oid, NULL) != DER_OBJECT ||
	    der_take(&info, &bits, NULL) != DER_BITS)
		return TLS_CLIENT_BAD;
	if (der_len(&oid) == sizeof(pkcs1) + 1 && memcmp(oid.at, pkcs1, sizeof(pkcs1)) == 0)
		return rsa_check(&bits);
	return len > TLS_CLIENT_KEY_MAX ? TLS_CLIENT_COSTLY : TLS_CLIENT_GOOD;
}

/* The key is after version, serial number, algorithm, issuer, validity and subject. */
static enum tls_client_fault certificate_check(const uint8_t *data, size_t len)
{
	static const unsigned before[] = {DER_INTEGER, DER_SEQUENCE, DER_SEQUENCE, DER_SEQUENCE,
					  DER_SEQUENCE};
	struct der file = {data, data + len}, all, body, part;
	if (len > TLS_CLIENT_BYTES_MAX)
		return TLS_CLIENT_COSTLY;
	if (der_take(&file, &all, NULL) != DER_SEQUENCE ||
	    der_take(&all, &body, NULL) != DER_SEQUENCE ||
	    (der_peek(&body) == DER_EXPLICIT_0 && der_take(&body, &part, NULL) == 0))
		return TLS_CLIENT_BAD;
	for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++)
		if (der_take(&body, &part, NULL) != before[i])
			return TLS_CLIENT_BAD;
	return der_take(&body, &part, NULL) == DER_SEQUENCE ? key_check(part) : TLS_CLIENT_BAD;
}

/* --- the message (RFC 8446, 4.4.2; RFC 5246, 7.4.2) --------------------------------------------
 */

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

bool tls_client_message_check(const uint8_t *data, size_t len, bool is_13, unsigned most,
			      enum tls_client_fault *ret)
{
	struct rest all = {data, len}, list, certificate, part;
	unsigned count = 0;
	*ret = TLS_CLIENT_GOOD;
	if ((is_13 && !rest_vector(&all, 1, &part)) || !rest_vector(&all, 3, &list) || all.len > 0)
		return false;
	for (; list.len > 0 && *ret == TLS_CLIENT_GOOD; count++) {
		if (!rest_vector(&list, 3, &certificate) ||
		    (is_13 && !rest_vector(&list, 2, &part)))
			return false;
		*ret = count < most ? certificate_check(certificate.data, certificate.len)
				    : TLS_CLIENT_DEEP;
	}
	return true;
}

/* Runs in a worker's loop, for a session that failed. */
#include "tls/alert.h"

#include "tls/clients_private.h"
#include "tls/hello.h"

#define APPLICATION_DATA 23 /* ContentType, RFC 8446, 5.1 */

/* After HelloRetryRequest, a client may only send the hello that RFC 8446, 4.1.2 allows. This one
 * offered a group and sends no share of it even when asked, or it changed the version. */
static bool retry_is_spoiled(const struct tls_session *s, int error)
{
	return s->hello.count > 1 &&
	       (error == GNUTLS_E_NO_COMMON_KEY_SHARE || error == GNUTLS_E_INTERNAL_ERROR ||
		error == GNUTLS_E_UNSUPPORTED_VERSION_PACKET);
}

/* Does the hello lack an extension that a TLS 1.3 client must send (RFC 8446, 4.2.3 and 9.2)? Asked
 * after nothing could be chosen. */
static bool lacks_extension(const struct tls_session *s)
{
	const uint64_t needed = HELLO_SIGNATURE_ALGORITHMS | HELLO_SUPPORTED_GROUPS;
	return gnutls_protocol_get_version(s->flow.handle) == GNUTLS_TLS1_3 &&
	       (s->hello.extensions & needed) != needed;
}

/* GnuTLS reports every fault of an extension with one error, and maps that to
 * unsupported_extension. That alert is wrong here: it is for extensions that must not be sent at
 * all. */
static gnutls_alert_description_t extension_alert(const struct tls_session *s)
{
	const uint64_t has = s->hello.extensions;
	if (s->hello.repeated)
		return GNUTLS_A_ILLEGAL_PARAMETER; /* RFC 8446, 4.2 */
	if ((has & HELLO_PRE_SHARED_KEY) && !(has & HELLO_PSK_KEY_EXCHANGE_MODES))
		return GNUTLS_A_MISSING_EXTENSION; /* RFC 8446, 4.2.9 */
	return GNUTLS_A_DECODE_ERROR;              /* the extension is too short */
}

gnutls_alert_description_t tls_alert_of(const struct tls_session *s, int error)
{
	if (s->client_fault != TLS_CLIENT_GOOD)
		return tls_client_fault_alert((enum tls_client_fault)s->client_fault,
					      gnutls_protocol_get_version(s->flow.handle));
	if (retry_is_spoiled(s, error))
		return GNUTLS_A_ILLEGAL_PARAMETER;
	switch (error) {
	case GNUTLS_E_NO_CIPHER_SUITES:
	case GNUTLS_E_NO_COMMON_KEY_SHARE:
	case GNUTLS_E_INSUFFICIENT_CREDENTIALS:
		return lacks_extension(s) ? GNUTLS_A_MISSING_EXTENSION : GNUTLS_A_HANDSHAKE_FAILURE;
	case GNUTLS_E_RECEIVED_ILLEGAL_EXTENSION:
		return extension_alert(s);
	case GNUTLS_E_DECRYPTION_FAILED: /* RFC 8446, 5: only one record type is encrypted */
		return gnutls_protocol_get_version(s->flow.handle) == GNUTLS_TLS1_3 &&
			       s->flow.incoming.type != APPLICATION_DATA
			   ? GNUTLS_A_UNEXPECTED_MESSAGE
			   : GNUTLS_A_BAD_RECORD_MAC;
	case GNUTLS_E_PARSING_ERROR: /* a bad public value: RFC 8446, 4.2.8.2; RFC 8422, 5.11 */
	case GNUTLS_E_INVALID_REQUEST:
		return GNUTLS_A_ILLEGAL_PARAMETER;
	case GNUTLS_E_TOO_MANY_EMPTY_PACKETS:
	case GNUTLS_E_TOO_MANY_HANDSHAKE_PACKETS:
	case GNUTLS_E_GOT_APPLICATION_DATA:
		return GNUTLS_A_UNEXPECTED_MESSAGE;
	}
	return (gnutls_alert_description_t)gnutls_error_to_alert(error, NULL);
}

/*
 * Runs in the workers: the head of a response. Must never put bytes from a client into it, nor call
 * printf, which is too slow for every request.
 */
#include <string.h>
#include <time.h>

#include "internal.h"

/* clang-format off */
const char *http_reason(unsigned status)
{
	switch (status) {
	case 100: return "Continue";
	case 101: return "Switching Protocols";
	case 102: return "Processing";
	case 103: return "Early Hints";
	case 200: return "OK";
	case 201: return "Created";
	case 202: return "Accepted";
	case 203: return "Non-Authoritative Information";
	case 204: return "No Content";
	case 205: return "Reset Content";
	case 206: return "Partial Content";
	case 207: return "Multi-Status";
	case 300: return "Multiple Choices";
	case 301: return "Moved Permanently";
	case 302: return "Found";
	case 303: return "See Other";
	case 304: return "Not Modified";
	case 307: return "Temporary Redirect";
	case 308: return "Permanent Redirect";
	case 400: return "Bad Request";
	case 401: return "Unauthorized";
	case 402: return "Payment Required";
	case 403: return "Forbidden";
	case 404: return "Not Found";
	case 405: return "Method Not Allowed";
	case 406: return "Not Acceptable";
	case 407: return "Proxy Authentication Required";
	case 408: return "Request Timeout";
	case 409: return "Conflict";
	case 410: return "Gone";
	case 411: return "Length Required";
	case 412: return "Precondition Failed";
	case 413: return "Content Too Large";
	case 414: return "URI Too Long";
	case 415: return "Unsupported Media Type";
	case 416: return "Range Not Satisfiable";
	case 417: return "Expectation Failed";
	case 421: return "Misdirected Request";
	case 422: return "Unprocessable Content";
	case 423: return "Locked";
	case 424: return "Failed Dependency";
	case 425: return "Too Early";
	case 426: return "Upgrade Required";
	case 428: return "Precondition Required";
	case 429: return "Too Many Requests";
	case 431: return "Request Header Fields Too Large";
	case 451: return "Unavailable For Legal Reasons";
	case 500: return "Internal Server Error";
	case 501: return "Not Implemented";
	case 502: return "Bad Gateway";
	case 503: return "Service Unavailable";
	case 504: return "Gateway Timeout";
	case 505: return "HTTP Version Not Supported";
	case 507: return "Insufficient Storage";
	case 508: return "Loop Detected";
	case 511: return "Network Authentication Required";
	}
	return "Unknown";
}

/* clang-format on */

static char *put_number(char *out, int value, int digits)
{
	for (int i = digits - 1; i >= 0; i--, value /= 10)
		out[i] = (char)('0' + value % 10);
	return out + digits;
}

void http_date(int64_t seconds, char out[32])
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	static const char shape[] = "DDD, dd MMM yyyy hh:mm:ss GMT";
	time_t when = (time_t)seconds;
	struct tm tm;

	if (gmtime_r(&when, &tm) == NULL || tm.tm_year < -1900 || tm.tm_year > 9999 - 1900) {
		when =
		    0; /* the year has no four digits: the epoch, rather than a malformed field */
		(void)gmtime_r(&when, &tm);
	}
	memcpy(out, shape, sizeof(shape));
	memcpy(out, days + (ptrdiff_t)tm.tm_wday * 3, 3);
	(void)put_number(out + 5, tm.tm_mday, 2);
	memcpy(out + 8, months + (ptrdiff_t)tm.tm_mon * 3, 3);
	(void)put_number(out + 12, tm.tm_year + 1900, 4);
	(void)put_number(out + 17, tm.tm_hour, 2);
	(void)put_number(out + 20, tm.tm_min, 2);
	(void)put_number(out + 23, tm.tm_sec, 2);
}

static uint8_t *put(uint8_t *out, const char *s, size_t len)
{
	memcpy(out, s, len);
	return out + len;
}

#define PUT(out, literal) put(out, literal, sizeof(literal) - 1)

static uint8_t *put_decimal(uint8_t *out, uint64_t value)
{
	char digits[20];
	size_t n = sizeof(digits);
	do {
		digits[--n] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	return put(out, digits + n, sizeof(digits) - n);
}

size_t http_response_start(uint8_t *out, unsigned status, const char *date)
{
	uint8_t *at = out;
	if (status == 200 && date != NULL) {
		at = PUT(at, "HTTP/1.1 200 OK\r\nDate: ");
	} else {
		const char *reason = http_reason(status);
		at = PUT(at, "HTTP/1.1 ");
		at = put_decimal(at, status);
		at = PUT(at, " ");
		at = put(at, reason, strlen(reason));
		at = PUT(at, "\r\n");
		if (date == NULL)
			return (size_t)(at - out);
		at = PUT(at, "Date: ");
	}
	at = put(at, date, 29);
	at = PUT(at, "\r\n");
	return (size_t)(at - out);
}

/* One byte of "name: value CRLF". */
static uint8_t line_byte(const struct http_header *f, size_t at)
{
	if (at < f->name_len)
		return (uint8_t)f->name[at];
	at -= f->name_len;
	if (at < 2)
		return (uint8_t)(": "[at]);
	at -= 2;
	return (uint8_t)(at < f->value_len ? f->value[at] : "\r\n"[at - f->value_len]);
}

size_t http_response_line(uint8_t *out, size_t size, const struct http_header *f, size_t *sent)
{
	const size_t len = http_line_len(f);
	size_t used = 0;
	if (*sent == 0 && size >= len) {
		uint8_t *at = put(out, f->name, f->name_len);
		at = PUT(at, ": ");
		at = put(at, f->value, f->value_len);
		(void)PUT(at, "\r\n");
		used = len;
	}
	for (; used < size && *sent + used < len; used++) /* a line that is longer than the room */
		out[used] = line_byte(f, *sent + used);
	*sent += used;
	return used;
}

size_t http_response_finish(uint8_t *out, bool chunked, uint64_t length,
			    enum response_connection connection, bool offers_upgrade)
{
	uint8_t *at = out;
	if (chunked) {
		at = PUT(at, "Transfer-Encoding: chunked\r\n");
	} else if (length != HTTP_LENGTH_UNKNOWN) {
		at = PUT(at, "Content-Length: ");
		at = put_decimal(at, length);
		at = PUT(at, "\r\n");
	}
	switch (connection) {
	case RESPONSE_PLAIN:
		break;
	case RESPONSE_CLOSE:
		at = PUT(at, "Connection: close\r\n");
		break;
	case RESPONSE_KEEP_ALIVE:
		at = PUT(at, "Connection: keep-alive\r\n");
		break;
	case RESPONSE_UPGRADE:
		offers_upgrade = true;
		break;
	}
	if (offers_upgrade)
		at = PUT(at, "Connection: upgrade\r\n");
	at = PUT(at, "\r\n");
	return (size_t)(at - out);
}

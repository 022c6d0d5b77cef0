/*
 * Why the protocol itself refuses a request, before or instead of any handler.
 *
 * One table for all of src/http (refusal.c). Each reason has a word for records and programs, the
 * status of the response, and a sentence for people. Functions that read a request return minus the
 * reason. The manual lists them in bulkhead(8), "Access records".
 */
#ifndef HTTP_REFUSAL_H
#define HTTP_REFUSAL_H

enum http_refusal {
	REFUSE_NOT, /* it was not refused */

	/* lines: RFC 9112, 2.2 */
	REFUSE_BARE_LF,
	REFUSE_BARE_CR,
	REFUSE_BLANK_LINES,

	/* the request line: RFC 9112, 2.3 and 3 */
	REFUSE_REQUEST_LINE,
	REFUSE_METHOD_BYTE,
	REFUSE_METHOD_UNKNOWN,
	REFUSE_METHOD_TOO_LONG,
	REFUSE_TARGET_BYTE,
	REFUSE_TARGET_FORM,
	REFUSE_TARGET_TOO_LONG,
	REFUSE_VERSION_FORM,
	REFUSE_VERSION_UNKNOWN,
	REFUSE_PATH_ESCAPE,
	REFUSE_PATH_NUL,
	REFUSE_PATH_ABOVE_ROOT,

	/* fields: RFC 9112, 5; RFC 9110, 5 */
	REFUSE_HEAD_TOO_LONG,
	REFUSE_FIELDS_TOO_MANY,
	REFUSE_FIELD_FOLDED,
	REFUSE_FIELD_NAME,
	REFUSE_FIELD_VALUE,
	REFUSE_HOST_MISSING,
	REFUSE_HOST_REPEATED,
	REFUSE_HOST_FORM,
	REFUSE_EXPECTATION,

	/* where the body ends: RFC 9112, 6 */
	REFUSE_LENGTH_FORM,
	REFUSE_LENGTH_REPEATED,
	REFUSE_CODING_FORM,
	REFUSE_CODING_UNKNOWN,
	REFUSE_CODING_AND_LENGTH,
	REFUSE_CODING_ON_1_0,

	/* the body: RFC 9112, 7.1 */
	REFUSE_BODY_TOO_LARGE,
	REFUSE_CHUNK_SIZE,
	REFUSE_CHUNK_EXTENSION,
	REFUSE_CHUNK_LINE_TOO_LONG,
	REFUSE_CHUNK_EXTENSIONS_TOO_LONG,
	REFUSE_CHUNK_END,
	REFUSE_TRAILER_FORM,
	REFUSE_TRAILER_TOO_LONG,

	/* which host it is for: RFC 9110, 15.5.20 */
	REFUSE_HOST_UNKNOWN,
	REFUSE_HOST_ELSEWHERE,
	REFUSE_SCHEME,

	/* a redirection that the request makes too long */
	REFUSE_REDIRECT_TOO_LONG,

	/* more requests than a client may have: RFC 6585, 4 */
	REFUSE_TOO_MANY,

	/* requests for a tunnel, and time limits */
	REFUSE_TUNNEL,
	REFUSE_HEAD_TIMEOUT,
	REFUSE_BODY_TIMEOUT,

	HTTP_REFUSALS
};

struct http_refusal_facts {
	const char *word; /* "bare-lf": lower-case letters, digits and hyphens */
	unsigned status;
	const char *text; /* "a line ends in LF without CR" */
};

/* The word for a request whose line was not readable: "malformed", or "incomplete", "overlong" or
 * "unsupported", if that is the reason. */
const char *http_refusal_kind(enum http_refusal);
/* The facts of any refusal except REFUSE_NOT. */
const struct http_refusal_facts *http_refusal_facts(enum http_refusal);

#endif

/* Runs in the workers. A constant table, never written. Must never show bytes of a client. */
#include "internal.h"

static const struct http_refusal_facts refusals[HTTP_REFUSALS] = {
    [REFUSE_NOT] = {"", 500, ""},

    [REFUSE_BARE_LF] = {"bare-lf", 400, "a line ends in LF without CR"},
    [REFUSE_BARE_CR] = {"bare-cr", 400, "a line ends in two CRs and LF"},
    [REFUSE_BLANK_LINES] = {"blank-lines", 400, "too many blank lines before the request line"},

    [REFUSE_REQUEST_LINE] = {"request-line", 400,
			     "the first line is not a method, a target and a version"},
    [REFUSE_METHOD_BYTE] = {"method-byte", 400, "the method has a byte that is not allowed"},
    [REFUSE_METHOD_UNKNOWN] = {"method-unknown", 501, "this server does not know the method"},
    [REFUSE_METHOD_TOO_LONG] = {"method-too-long", 501,
				"the method is longer than the limit for a head"},
    [REFUSE_TARGET_BYTE] = {"target-byte", 400, "the target has a byte that is not allowed"},
    [REFUSE_TARGET_FORM] = {"target-form", 400,
			    "the target does not have the form that the method needs"},
    [REFUSE_TARGET_TOO_LONG] = {"target-too-long", 414,
				"the target is longer than the limit for a head"},
    [REFUSE_VERSION_FORM] = {"version-form", 400,
			     "the first line does not end in a version such as HTTP/1.1"},
    [REFUSE_VERSION_UNKNOWN] = {"version-unknown", 505,
				"this server supports HTTP/1.1 and HTTP/1.0 only"},
    [REFUSE_PATH_ESCAPE] = {"path-escape", 400,
			    "a % in the path is not followed by two hexadecimal digits"},
    [REFUSE_PATH_NUL] = {"path-nul", 400, "the path contains an encoded NUL"},
    [REFUSE_PATH_ABOVE_ROOT] = {"path-above-root", 400, "the path leads above its root"},

    [REFUSE_HEAD_TOO_LONG] = {"head-too-long", 431, "the head is longer than the limit"},
    [REFUSE_FIELDS_TOO_MANY] = {"fields-too-many", 431, "the head has too many fields"},
    [REFUSE_FIELD_FOLDED] = {"field-folded", 400, "a line of the head begins with a blank"},
    [REFUSE_FIELD_NAME] = {"field-name", 400,
			   "a field does not begin with a name and a colon right after it"},
    [REFUSE_FIELD_VALUE] = {"field-value", 400,
			    "the value of a field has a byte that is not allowed"},
    [REFUSE_HOST_MISSING] = {"host-missing", 400, "the Host field is missing"},
    [REFUSE_HOST_REPEATED] = {"host-repeated", 400, "there is more than one Host field"},
    [REFUSE_HOST_FORM] = {"host-form", 400,
			  "the Host is not a host name or address with an optional port"},
    [REFUSE_EXPECTATION] = {"expectation", 417,
			    "the server supports no expectation except 100-continue"},

    [REFUSE_LENGTH_FORM] = {"length-form", 400, "the Content-Length is not a number"},
    [REFUSE_LENGTH_REPEATED] = {"length-repeated", 400, "there is more than one Content-Length"},
    [REFUSE_CODING_FORM] = {"coding-form", 400,
			    "the Transfer-Encoding is not a list of codings that ends in chunked"},
    [REFUSE_CODING_UNKNOWN] = {"coding-unknown", 501,
			       "the server supports no coding except chunked"},
    [REFUSE_CODING_AND_LENGTH] = {"coding-and-length", 400,
				  "there are both a Content-Length and a Transfer-Encoding"},
    [REFUSE_CODING_ON_1_0] = {"coding-on-1-0", 400, "HTTP/1.0 has no Transfer-Encoding"},

    [REFUSE_BODY_TOO_LARGE] = {"body-too-large", 413, "the body is larger than the limit"},
    [REFUSE_CHUNK_SIZE] = {"chunk-size", 400, "the size of a chunk is not a hexadecimal number"},
    [REFUSE_CHUNK_EXTENSION] = {"chunk-extension", 400,
				"the text after the size of a chunk is not an extension"},
    [REFUSE_CHUNK_LINE_TOO_LONG] = {"chunk-line-too-long", 400,
				    "the line with the size of a chunk is longer than the limit"},
    [REFUSE_CHUNK_EXTENSIONS_TOO_LONG] = {"chunk-extensions-too-long", 400,
					  "the chunks have more bytes of extensions than of body"},
    [REFUSE_CHUNK_END] = {"chunk-end", 400, "a chunk does not have the length that it states"},
    [REFUSE_TRAILER_FORM] = {"trailer-form", 400, "the trailer does not consist of fields"},
    [REFUSE_TRAILER_TOO_LONG] = {"trailer-too-long", 431,
				 "the trailer is longer than the limit trailers"},

    [REFUSE_HOST_UNKNOWN] = {"host-unknown", 421, "this port has no host of that name"},
    [REFUSE_HOST_ELSEWHERE] = {"host-elsewhere", 421,
			       "the connection was made for a name with other certificates"},
    [REFUSE_SCHEME] = {"scheme", 421, "the target is an https URL, and the connection has no TLS"},

    [REFUSE_REDIRECT_TOO_LONG] = {"redirect-too-long", 414,
				  "the URL that it is redirected to would be too long"},

    [REFUSE_TOO_MANY] = {"too-many", 429, "the client makes more requests than it may"},

    [REFUSE_TUNNEL] = {"tunnel", 405, "this server is not a proxy"},
    [REFUSE_HEAD_TIMEOUT] = {"head-timeout", 408, "the head took longer than the limit"},
    [REFUSE_BODY_TIMEOUT] = {"body-timeout", 408, "the body came more slowly than the limit"},
};

const char *http_refusal_kind(enum http_refusal why)
{
	switch ((int)why) {
	case REFUSE_METHOD_UNKNOWN:
		return "unsupported";
	case REFUSE_METHOD_TOO_LONG:
	case REFUSE_TARGET_TOO_LONG:
	case REFUSE_HEAD_TOO_LONG:
		return "overlong";
	case REFUSE_HEAD_TIMEOUT:
		return "incomplete";
	}
	return "malformed";
}

const struct http_refusal_facts *http_refusal_facts(enum http_refusal why)
{
	return &refusals[(unsigned)why < HTTP_REFUSALS ? why : REFUSE_NOT];
}

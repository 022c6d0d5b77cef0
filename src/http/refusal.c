/* Runs in the workers. A constant table, never written. Must never show bytes of a client. */
#include "internal.h"

static const struct http_refusal_facts refusals[HTTP_REFUSALS] = {
    [REFUSE_NOT] = {"", 500, ""},

    [REFUSE_BARE_LF] = {"bare-lf", 400, "a line ends in LF without CR"},
    [REFUSE_BLANK_LINES] = {"blank-lines", 400, "too many blank lines before the request line"},

    [REFUSE_REQUEST_LINE] = {"request-line", 400,
			     "the first line is not a method, a target and a version"},
    [REFUSE_METHOD_BYTE] = {"method-byte", 400, "the method has a byte that none may have"},
    [REFUSE_METHOD_UNKNOWN] = {"method-unknown", 501, "no such method is known here"},
    [REFUSE_METHOD_TOO_LONG] = {"method-too-long", 501, "the method is longer than a head may be"},
    [REFUSE_TARGET_BYTE] = {"target-byte", 400, "the target has a byte that none may have"},
    [REFUSE_TARGET_FORM] = {"target-form", 400, "the target has no form that this method takes"},
    [REFUSE_TARGET_TOO_LONG] = {"target-too-long", 414, "the target is longer than a head may be"},
    [REFUSE_VERSION_FORM] = {"version-form", 400, "the first line does not end in HTTP/1.1 or so"},
    [REFUSE_VERSION_UNKNOWN] = {"version-unknown", 505, "only HTTP/1.1 and HTTP/1.0 are spoken"},
    [REFUSE_PATH_ESCAPE] = {"path-escape", 400, "a % in the path has no two hexadecimal digits"},
    [REFUSE_PATH_NUL] = {"path-nul", 400, "the path has an encoded NUL"},
    [REFUSE_PATH_ABOVE_ROOT] = {"path-above-root", 400, "the path leads above its root"},

    [REFUSE_HEAD_TOO_LONG] = {"head-too-long", 431, "the head is longer than it may be"},
    [REFUSE_FIELDS_TOO_MANY] = {"fields-too-many", 431, "the head has too many fields"},
    [REFUSE_FIELD_FOLDED] = {"field-folded", 400, "a line of the head begins with a blank"},
    [REFUSE_FIELD_NAME] = {"field-name", 400, "a field has no name with a colon right behind it"},
    [REFUSE_FIELD_VALUE] = {"field-value", 400, "a field's value has a byte that none may have"},
    [REFUSE_HOST_MISSING] = {"host-missing", 400, "there is no Host"},
    [REFUSE_HOST_REPEATED] = {"host-repeated", 400, "there is more than one Host"},
    [REFUSE_HOST_FORM] = {"host-form", 400, "the Host is not a host with or without a port"},
    [REFUSE_EXPECTATION] = {"expectation", 417, "only 100-continue can be expected"},

    [REFUSE_LENGTH_FORM] = {"length-form", 400, "the Content-Length is not a number"},
    [REFUSE_LENGTH_REPEATED] = {"length-repeated", 400, "there is more than one Content-Length"},
    [REFUSE_CODING_FORM] = {"coding-form", 400,
			    "the Transfer-Encoding is no list of codings with chunked as its end"},
    [REFUSE_CODING_UNKNOWN] = {"coding-unknown", 501, "chunked is the only coding known here"},
    [REFUSE_CODING_AND_LENGTH] = {"coding-and-length", 400,
				  "there are both a Content-Length and a Transfer-Encoding"},
    [REFUSE_CODING_ON_1_0] = {"coding-on-1-0", 400, "HTTP/1.0 has no Transfer-Encoding"},

    [REFUSE_BODY_TOO_LARGE] = {"body-too-large", 413, "the body is larger than it may be"},
    [REFUSE_CHUNK_SIZE] = {"chunk-size", 400, "the size of a chunk is not a hexadecimal number"},
    [REFUSE_CHUNK_EXTENSION] = {"chunk-extension", 400,
				"what follows the size of a chunk is no extension"},
    [REFUSE_CHUNK_LINE_TOO_LONG] = {"chunk-line-too-long", 400,
				    "the line of a chunk's size is longer than it may be"},
    [REFUSE_CHUNK_EXTENSIONS_TOO_LONG] = {"chunk-extensions-too-long", 400,
					  "the chunks have more extensions than body"},
    [REFUSE_CHUNK_END] = {"chunk-end", 400, "a chunk is not as long as it says"},
    [REFUSE_TRAILER_FORM] = {"trailer-form", 400, "the trailer is not made of fields"},
    [REFUSE_TRAILER_TOO_LONG] = {"trailer-too-long", 431,
				 "the trailer is longer than a head may be"},

    [REFUSE_TUNNEL] = {"tunnel", 405, "this is no proxy"},
    [REFUSE_HEAD_TIMEOUT] = {"head-timeout", 408, "the head took longer than it may"},
    [REFUSE_BODY_TIMEOUT] = {"body-timeout", 408, "the body came more slowly than it may"},
};

const struct http_refusal_facts *http_refusal_facts(enum http_refusal why)
{
	return &refusals[(unsigned)why < HTTP_REFUSALS ? why : REFUSE_NOT];
}

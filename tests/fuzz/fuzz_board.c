/*
 * The master's side of the board: arbitrary bytes in the memory where a child records its
 * request and its crash, as a taken-over child may write. The words that come out are always
 * printable and within their bounds.
 *
 * The input is laid over the board from its beginning, the slot first, since it matters most:
 * the wait status (2 bytes), the crash, the request, the modules.
 */
#include <stdlib.h>
#include <string.h>

#include "crash/trace.h"
#include "master/pure/cause.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct ipc_board board; /* with no slot */
static struct ipc_slot slot;

static void lay(void *to, size_t room, const uint8_t **data, size_t *size)
{
	const size_t n = *size < room ? *size : room;
	memset(to, 0, room);
	memcpy(to, *data, n);
	*data += n;
	*size -= n;
}

static void assert_printable(const struct text *t)
{
	if (t->len >= t->size)
		abort();
	for (size_t i = 0; i < t->len; i++)
		if (t->data[i] < 0x20 || t->data[i] > 0x7e)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ipc_request request;
	struct ipc_counters sum = {0};
	struct end e = {.pid = 1};
	uint16_t status;
	char line[512];
	struct text t;
	lay(&status, sizeof(status), &data, &size);
	lay(&slot.crash, sizeof(slot.crash), &data, &size);
	lay(&slot.request, sizeof(slot.request), &data, &size);
	lay(&board, sizeof(board), &data, &size);

	e.status = status;
	if ((status & 0x7f) == 0x7f) /* stopped or continued: not ended */
		e.status = 0;
	ipc_crash_copy(&e.crash, &slot.crash);
	ipc_request_copy(&request, &slot.request);
	ipc_counters_add(&sum, &slot.counters);
	text_init(&t, line, sizeof(line));
	cause_describe(&e, &t);
	assert_printable(&t);
	text_init(&t, line, sizeof(line));
	trace_backtrace(&board, &e.crash, &t);
	assert_printable(&t);
	text_init(&t, line, sizeof(line));
	text_add_escaped(&t, request.method, request.method_len);
	text_add_escaped(&t, request.target, request.target_len);
	text_add_escaped(&t, request.client, strlen(request.client));
	text_add_escaped(&t, request.id, strlen(request.id));
	assert_printable(&t);
	return 0;
}

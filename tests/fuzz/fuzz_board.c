/*
 * The master's side of the board: arbitrary bytes in the memory where a child records its
 * request and its crash, as a taken-over child may write, and an arbitrary layout of that memory.
 * The words that come out are always printable and within their bounds, and nothing outside of the
 * memory is read.
 *
 * The input is laid over the wait status (2 bytes), the crash, the request, and the board without
 * its slots. What is left is a layout, which is used if it fits.
 */
#include <stdlib.h>
#include <string.h>

#include "crash/trace.h"
#include "master/pure/cause.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BYTES (sizeof(struct ipc_board) + sizeof(struct ipc_slot))

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

static void look(const struct ipc_view *view, uint16_t status)
{
	struct ipc_request request;
	struct ipc_counters sum = {0};
	struct end e = {.pid = 1, .status = status};
	char line[512];
	struct text t;
	if ((status & 0x7f) == 0x7f) /* stopped or continued: not ended */
		e.status = 0;
	ipc_view_crash(view, 0, &e.crash);
	ipc_view_request(view, 0, &request);
	ipc_view_count(view, 0, &sum);
	if (sum.requests > IPC_COUNT_MAX || ipc_view_lack(view, 0) >= IPC_LACKS)
		abort();
	(void)ipc_view_busy_since(view, 0);
	(void)ipc_view_thread(view, 0);
	(void)ipc_view_crash_signal(view, 0);
	text_init(&t, line, sizeof(line));
	cause_describe(&e, &t);
	assert_printable(&t);
	text_init(&t, line, sizeof(line));
	trace_backtrace(view, &e.crash, &t);
	assert_printable(&t);
	text_init(&t, line, sizeof(line));
	text_add_escaped(&t, request.method, request.method_len);
	text_add_escaped(&t, request.target, request.target_len);
	text_add_escaped(&t, request.client, strlen(request.client));
	text_add_escaped(&t, request.id, strlen(request.id));
	assert_printable(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ipc_board *board = aligned_alloc(_Alignof(struct ipc_board), BYTES);
	struct ipc_layout layout;
	uint16_t status;
	if (board == NULL)
		return 0;
	memset(board, 0, BYTES);
	lay(&status, sizeof(status), &data, &size);
	lay(&board->slots[0].crash, sizeof(board->slots[0].crash), &data, &size);
	lay(&board->slots[0].request, sizeof(board->slots[0].request), &data, &size);
	lay(board, sizeof(*board), &data, &size);
	struct ipc_view view = ipc_view_own(board, 1);
	look(&view, status);
	lay(&layout, sizeof(layout), &data, &size);
	view.layout = &layout;
	if (ipc_layout_fits(&layout, 1, BYTES))
		look(&view, status);
	free(board);
	return 0;
}

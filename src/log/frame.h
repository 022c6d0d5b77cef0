/*
 * Inside src/log only: a child's record on its way through the pipe. Both ends are the same
 * program, so the layout is the machine's.
 *
 *   head, text, client NUL, request id NUL, reason NUL
 */
#ifndef LOG_FRAME_H
#define LOG_FRAME_H

#include "log/stream.h"
#include "record.h"

#define FRAME_MARK       0x1e /* RS: no line of a text begins with it */
#define FRAME_CLIENT_MAX 64   /* with its NUL */
#define FRAME_ID_MAX     40
#define FRAME_REASON_MAX 32

struct frame_head {
	uint8_t mark;
	uint8_t priority;
	uint16_t size; /* of all */
	uint16_t text_len;
	uint16_t client_size; /* 0: no access record */
	uint16_t id_size;     /* 0: none */
	uint16_t reason_size; /* the same */
	uint16_t method_at, method_len;
	uint16_t path_at, path_len; /* slices of the text; length 0: none */
	uint16_t ms;
	uint16_t status;
	int64_t second;
	uint64_t bytes;
	uint64_t duration_us;
};

_Static_assert(sizeof(struct frame_head) + LOG_TEXT_MAX + FRAME_CLIENT_MAX + FRAME_ID_MAX +
		       FRAME_REASON_MAX <=
		   LOG_STREAM_MAX,
	       "a record leaves in one piece");

/* What one is made into; the slices and strings point into its bytes. */
struct frame {
	struct log_record record;
	struct log_access access;
	int64_t second;
};

/* Of what begins at data: 0 while that is not to be told, -1 where it cannot be a record, else its
 * size, which may be more than len. */
int frame_size(const unsigned char *data, size_t len);
/* size bytes, all there; false: it is none. */
bool frame_read(const unsigned char *data, size_t size, struct frame *ret);

#endif

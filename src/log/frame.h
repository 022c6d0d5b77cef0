/*
 * Used inside src/log only: a child's record as it is in the pipe. Both ends are the same program,
 * so the machine's layout is used.
 *
 *   head, text, client NUL, request id NUL, reason NUL
 */
#ifndef LOG_FRAME_H
#define LOG_FRAME_H

#include "log/stream.h"
#include "record.h"

#define FRAME_MARK       0x1e /* RS: a line of text never begins with it */
#define FRAME_CLIENT_MAX 64   /* with its NUL */
#define FRAME_ID_MAX     40
#define FRAME_REASON_MAX 32

struct frame_head {
	uint8_t mark;
	uint8_t priority;
	uint16_t size; /* of the whole frame */
	uint16_t text_len;
	uint16_t client_size; /* 0: not an access record */
	uint16_t id_size;     /* 0: none */
	uint16_t reason_size; /* 0: none */
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

/* A frame that was read; the slices and strings point into its bytes. */
struct frame {
	struct log_record record;
	struct log_access access;
	int64_t second;
};

/* The size of the record at data, which may be more than len; 0: not known yet; -1: it is not a
 * record. */
int frame_size(const unsigned char *data, size_t len);
/* Reads a complete frame of size bytes; false: it is not one. */
bool frame_read(const unsigned char *data, size_t size, struct frame *ret);

#endif

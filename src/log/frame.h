/*
 * Used inside src/log only: a child's record as it is in the pipe. Both ends are programs of this
 * machine, so its layout is used. They may be of two versions: after an upgrade the workers of the
 * earlier one drain.
 *
 *   head, struct frame_value of each value, text, bytes of values that are not in the text
 */
#ifndef LOG_FRAME_H
#define LOG_FRAME_H

#include "log/stream.h"
#include "record.h"

#define FRAME_MARK   0x1e /* RS: a line of text never begins with it */
#define FRAME_VALUES 0x10 /* beside the priority: this form */

struct frame_head {
	uint8_t mark;
	uint8_t priority;
	uint16_t size; /* of the whole frame */
	uint16_t text_len;
	uint16_t values_count;
	uint16_t ms;
	int64_t second;
};

/* A place in the text and the bytes after it. The names ascend. */
struct frame_value {
	uint16_t name;
	uint16_t at;
	uint16_t len;
};

/* The form without FRAME_VALUES: workers of an earlier build write it while they drain after an
 * upgrade. Only the text and its time are used. */
struct frame_before {
	uint8_t mark;
	uint8_t priority;
	uint16_t size;
	uint16_t text_len;
	uint16_t lengths[7];
	uint16_t ms;
	uint16_t status;
	int64_t second;
	uint64_t numbers[2];
};

_Static_assert(sizeof(struct frame_head) + LOG_TEXT_MAX <= LOG_STREAM_MAX,
	       "a record leaves in one piece");

/* A frame that was read; it points into its bytes, and record.values to values. */
struct frame {
	struct log_record record;
	struct log_value values[LOG_VALUES_MAX];
	int64_t second;
};

/* The size of the record at data, which may be more than len; 0: not known yet; -1: it is not a
 * record. */
int frame_size(const unsigned char *data, size_t len);
/* Reads a complete frame of size bytes; false: it is not one. */
bool frame_read(const unsigned char *data, size_t size, struct frame *ret);

#endif

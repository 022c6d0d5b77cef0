/*
 * A request as a log record; src/worker only. Pure: no clock, no log, no allocation.
 *
 * The line for people (bulkhead(8), "Access records"):
 *
 *   Received GET request from ('127.0.0.1', 12345) "GET /path HTTP/1.1" 200 14 0.4ms
 *
 * and for a refused request with the reason and the part at fault:
 *
 *   Received malformed request from ('127.0.0.1', 12345) "-" 400 16 0.4ms request-line "hello"
 *
 * and for one with a right password, ` user "bob"` at its end. For one that an upstream has
 * answered, or should have: ` upstream "http://127.0.0.1:9000" connect 0.1ms head 1.2ms total
 * 1.3ms attempts 2`, without what there was not; the reason is that of the upstream then.
 *
 * A method, target, excerpt or user that is too long is cut and ends in "...", so that the
 * following parts always appear. The bytes of the client are escaped.
 *
 * The values also have the host that was asked for, as hosts are compared; the line has not, since
 * most targets have none.
 */
#ifndef WORKER_RECORD_H
#define WORKER_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "http/exchange.h"
#include "ipc/fields.h"
#include "log/log.h"

/* bytes after escaping, without the "..." */
#define RECORD_TARGET_MAX  2500
#define RECORD_METHOD_MAX  64
#define RECORD_EXCERPT_MAX 200
#define RECORD_USER_MAX    200

/* What log_record() takes. The values lie in the line, in the rooms for duration and host, and in
 * the exchange. */
struct access_record {
	size_t len;
	size_t values_count;
	struct log_value values[IPC_FIELDS];
	char duration[24];
	char host[HTTP_HOST_NAME_MAX + 1];
	char upstream[96]; /* its numbers */
	char line[LOG_TEXT_MAX];
};

/* Of an exchange that has ended, or whose head could not be read. */
void access_record_make(struct access_record *, const struct exchange *, uint64_t duration_us);

#endif

/*
 * What a crash recorder has left (ipc/slot.h), in words. The master's side: it takes the numbers
 * for hearsay, and whatever they are, the words stay within their bounds.
 *
 * Addresses become names although each process has a layout of its own and may be stripped: the
 * child has written down where its modules lie, functions of this program are in a table that is
 * part of it (symbol.h), and those of a library are looked up in the master's own copy, if it is
 * the same one by its build id.
 */
#ifndef CRASH_TRACE_H
#define CRASH_TRACE_H

#include "base/text.h"
#include "ipc/slot.h"

/* "SIGSEGV (address not mapped: 0x10)", "SIGABRT (sent by process 4242 of user 0)". */
void trace_signal(const struct ipc_crash *, struct text *);

/* "conn_flush+0x1c < conn_advance+0x80 < ...", the innermost function first; of a library
 * "gnutls_record_send+0x40 (libgnutls.so.30)". */
void trace_backtrace(const struct ipc_board *, const struct ipc_crash *, struct text *);

#endif

/*
 * Describes the record of a crash (ipc/slot.h) in words. For the master: it trusts none of the
 * numbers, and the text stays within its bounds whatever they are.
 *
 * Addresses become names, although each process has its own layout and the program may be stripped.
 * The child has recorded where its modules are. Functions of this program are in a table that is
 * part of it (symbol.h), those of a library in the master's own copy; both only if the build ids
 * are equal. Otherwise there is the address as it was linked.
 */
#ifndef CRASH_TRACE_H
#define CRASH_TRACE_H

#include "base/text.h"
#include "ipc/view.h"

/* "SIGSEGV (address not mapped: 0x10)", "SIGABRT (sent by process 4242 of user 0)". */
void trace_signal(const struct ipc_crash *, struct text *);

/* "conn_flush+0x1c < conn_advance+0x80 < ...", the innermost function first; in a library
 * "gnutls_record_send+0x40 (libgnutls.so.30)". */
void trace_backtrace(const struct ipc_view *, const struct ipc_crash *, struct text *);

#endif

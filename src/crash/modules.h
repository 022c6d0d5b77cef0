/*
 * The programs and libraries that this process has mapped, as records on a board.
 */
#ifndef CRASH_MODULES_H
#define CRASH_MODULES_H

#include <link.h>

#include "ipc/slot.h"

/* Records all of them, and the range of the program's own code. */
void modules_take(struct ipc_board *, uintptr_t *ret_text_start, uintptr_t *ret_text_end);

/* Records one of them, as dl_iterate_phdr(3) reports it. */
void module_describe(const struct dl_phdr_info *, struct ipc_module *ret);

#endif

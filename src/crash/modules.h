/*
 * Which programs and libraries this process has mapped, as they are written on a board.
 */
#ifndef CRASH_MODULES_H
#define CRASH_MODULES_H

#include <link.h>

#include "ipc/slot.h"

/* Takes them all down, and where the program's own code lies. */
void modules_take(struct ipc_board *, uintptr_t *ret_text_start, uintptr_t *ret_text_end);

/* One of them, as dl_iterate_phdr(3) tells it. */
void module_describe(const struct dl_phdr_info *, struct ipc_module *ret);

#endif

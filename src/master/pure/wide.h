/* Folders that hold much more than one site: their names. Pure. */
#ifndef MASTER_WIDE_H
#define MASTER_WIDE_H

#include <stdbool.h>

/* Is this real path that of a folder which a worker must not be handed for the sake of a link in
 * it: a folder directly beneath the root directory, a part of the system, a disk, or a home? Homes
 * are found here by their folder's name alone: `home`. */
bool path_is_wide(const char *real);

#endif

/*
 * What more than one command prints. All of it to standard output, and fit for a terminal.
 */
#ifndef CTL_SHOW_H
#define CTL_SHOW_H

#include <jansson.h>

#include "ctl/ctl.h"

/* An answer as JSON, in ASCII. */
enum ctl_status json_show(const json_t *);

/* "  name: value", nothing for an empty one. */
void field_show(const char *name, const char *value);

/* All about one port of a status but what its row in the table has. */
void port_show(const json_t *port);

#endif

/*
 * Output that several commands share. All of it goes to standard output and is safe for a terminal.
 */
#ifndef CTL_SHOW_H
#define CTL_SHOW_H

#include <jansson.h>

#include "ctl/ctl.h"

/* Prints an answer as JSON in ASCII. */
enum ctl_status json_show(const json_t *);

/* Prints "  name: value"; nothing for an empty value. */
void field_show(const char *name, const char *value);

/* Prints everything about one port of a status that its row in the table does not show. */
void port_show(const json_t *port);

#endif

/*
 * The development certificate of a configuration that asks for it (`tls development`): a child
 * process makes it if it is missing. Used by main.c only.
 */
#ifndef DEVELOPMENT_H
#define DEVELOPMENT_H

#include <stdbool.h>

#include "conf/conf.h"

/* Finds or makes it for a configuration that will be served, and sets its paths there; does nothing
 * if no port uses it. announce: tells the user on standard error how to use it. Returns 0, or -1
 * after it has reported an error. */
int development_provide(struct conf *, bool announce, conf_report_fn *report, void *arg);

#endif

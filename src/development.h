/*
 * The development certificate of a configuration that asks for it (`tls development`): made where
 * it is missing, by a process of its own. Used by main.c alone.
 */
#ifndef DEVELOPMENT_H
#define DEVELOPMENT_H

#include <stdbool.h>

#include "conf/conf.h"

/* Finds or makes it for a configuration that is to be served, and sets its paths there; nothing is
 * done where no port wants it. announce: tells the user on standard error how to use it. 0, or -1
 * after an error was reported. */
int development_provide(struct conf *, bool announce, conf_report_fn *report, void *arg);

#endif

/*
 * The configuration that needs no file: a greeting on a few ports, and a certificate that is either
 * in the current directory or the one for development. Used by main.c and verify.c.
 */
#ifndef BUILTIN_H
#define BUILTIN_H

#include "arguments.h"
#include "conf/conf.h"

/* Parses it as any other text; arguments say which ports. 0 and a configuration, else -1 after a
 * message on standard error. */
int builtin_conf(const struct arguments *, const struct conf_options *, conf_report_fn *report,
		 void *arg, struct conf **ret);

#endif

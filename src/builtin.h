/*
 * The configuration that needs no file: a greeting on a few ports, and a certificate that is either
 * in the current directory or made for development. Used by main.c alone.
 */
#ifndef BUILTIN_H
#define BUILTIN_H

#include "arguments.h"
#include "conf/conf.h"

/* Parses it as any other text; arguments say which ports. Makes the development certificate where
 * one is needed, and tells the user how to use it if announce. 0 and a configuration, else -1 after
 * a message on standard error. */
int builtin_conf(const struct arguments *, const struct conf_options *, conf_report_fn *report,
		 void *arg, bool announce, struct conf **ret);

#endif

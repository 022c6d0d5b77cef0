/* The protocol of README.md, as the list of protocols names it. */
#ifndef TESTS_MANY_H
#define TESTS_MANY_H

#include "http/proto.h"

extern const struct proto_ops many_ops;

#endif

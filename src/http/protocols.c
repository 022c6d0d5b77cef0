/* The only list of protocols, never written. The program that tests build has another list in its
 * place, so nothing else is in this file. */
#include "http/proto.h"
#include "internal.h"

const struct proto_ops *const http_protocols[] = {&http1_ops, NULL};

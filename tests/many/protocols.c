/* The list of protocols, with the test's. */
#include "http/http1.h"
#include "many.h"

const struct proto_ops *const http_protocols[] = {&many_ops, &http1_ops, NULL};

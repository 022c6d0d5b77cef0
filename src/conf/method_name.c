/* The names of methods. Runs in the master and in the child of the port. */
#include "parser.h"

const char *const conf_method_names[CONF_METHODS] = {
    [CONF_GET] = "GET",     [CONF_HEAD] = "HEAD",     [CONF_POST] = "POST",
    [CONF_PUT] = "PUT",     [CONF_DELETE] = "DELETE", [CONF_OPTIONS] = "OPTIONS",
    [CONF_PATCH] = "PATCH",
};

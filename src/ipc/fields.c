/* Runs in the master. A constant table, never written. */
#include "ipc/fields.h"

const char *const ipc_field_names[IPC_FIELDS] = {
    [IPC_FIELD_STATUS] = "BULKHEAD_STATUS",
    [IPC_FIELD_BYTES] = "BULKHEAD_BYTES",
    [IPC_FIELD_DURATION] = "BULKHEAD_DURATION_USEC",
    [IPC_FIELD_CLIENT] = "BULKHEAD_CLIENT",
    [IPC_FIELD_REQUEST_ID] = "BULKHEAD_REQUEST_ID",
    [IPC_FIELD_REASON] = "BULKHEAD_REASON",
    [IPC_FIELD_METHOD] = "BULKHEAD_METHOD",
    [IPC_FIELD_PATH] = "BULKHEAD_PATH",
    [IPC_FIELD_HOST] = "BULKHEAD_HOST",
};

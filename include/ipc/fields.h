/*
 * The fields of a worker's log records: their names in the journal, in the order of their numbers
 * (log_names(), log/log.h). The worker writes a number, the master writes the name. New ones go to
 * the end, because after an upgrade the master gets records from workers of another version.
 */
#ifndef IPC_FIELDS_H
#define IPC_FIELDS_H

enum ipc_field {
	IPC_FIELD_STATUS,
	IPC_FIELD_BYTES,
	IPC_FIELD_DURATION,
	IPC_FIELD_CLIENT,
	IPC_FIELD_REQUEST_ID,
	IPC_FIELD_REASON,
	IPC_FIELD_METHOD,
	IPC_FIELD_PATH,
	IPC_FIELD_HOST,
	IPC_FIELD_USER,
	IPC_FIELD_CLIENT_SUBJECT,
	IPC_FIELD_CLIENT_SERIAL,
	IPC_FIELD_CLIENT_FINGERPRINT,
	IPC_FIELD_CLIENT_ISSUER,
	IPC_FIELD_CLIENT_SAN,
	IPC_FIELD_UPSTREAM,
	IPC_FIELD_UPSTREAM_CONNECT,
	IPC_FIELD_UPSTREAM_HEAD,
	IPC_FIELD_UPSTREAM_TOTAL,
	IPC_FIELD_UPSTREAM_ATTEMPTS,
	IPC_FIELD_UPSTREAM_REQUEST_ID,
	IPC_FIELDS
};

extern const char *const ipc_field_names[IPC_FIELDS];

#endif

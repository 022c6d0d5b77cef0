/*
 * The control socket: who is on it, and what the files of it share. Everybody else
 * has what state.h says.
 *
 * A client:
 *
 *   READING ──a line──> command.c ──> WRITING ──all of it──> READING …
 *      │                    │ takes its time     ^
 *      │                    └──> WAITING ──told──┘         WRITING ──of "drain"──> HOLDING
 *      └── end, error, silence ──> (closed)
 *
 * Bounds: CONTROL_CLIENTS_MAX clients, CONTROL_ANSWER_MAX bytes of an answer and
 * CONTROL_ANSWERS_MAX of all of them, CONTROL_REQUESTS_TURN requests in one turn of the loop, and a
 * time for everything that a client has to do. One that is too slow, or in the way of a new one, is
 * closed; one that waits for the master is not.
 */
#ifndef MASTER_CONTROL_H
#define MASTER_CONTROL_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/json.h"
#include "control/request.h"
#include "master/state.h"

#define CONTROL_CLIENTS_MAX   32
#define CONTROL_ANSWER_MAX    ((size_t)16 << 20)
#define CONTROL_ANSWERS_MAX   ((size_t)32 << 20)
#define CONTROL_REQUESTS_TURN 4
#define CONTROL_REQUEST_MS    10000 /* for a request, from its first byte, and for an answer */
#define CONTROL_IDLE_MS       60000 /* between them */

enum client_state {
	CLIENT_READING,
	CLIENT_WAITING, /* for the master to tell it */
	CLIENT_WRITING,
	CLIENT_HOLDING /* it is told of the server's end by the connection's */
};

struct client {
	struct loop_io io; /* first; fd -1: a free place */
	struct loop_timer deadline;
	struct asker asker;
	struct control *control;
	enum client_state state;
	uid_t uid;
	bool is_last;           /* the answer under way; then the connection ends */
	bool holds;             /* ... then it is held */
	enum control_verb verb; /* that it waits for */
	uint64_t heard_ms;      /* the last sign of life */
	size_t line_len;
	char line[CONTROL_REQUEST_MAX];
	struct buf out;
};

struct control {
	struct master *master;
	struct loop_io listener;      /* fd -1: there is no socket */
	struct loop_timer pause;      /* between two attempts to accept when descriptors lack */
	struct loop_timer retry;      /* between two attempts to make the socket, or looks at it */
	int failed;                   /* the error of the last attempt, which was told; 0: none */
	struct control_socket socket; /* its fd is the listener's */
	uint64_t id;                  /* of this execution of the program, by chance */
	uint64_t turn_ns;             /* of this turn of the loop ... */
	unsigned turn_requests;       /* ... so many were served */
	uint64_t refused_ms;          /* when somebody was last refused aloud; 0: never */
	struct client clients[CONTROL_CLIENTS_MAX];
};

/* client.c */
int client_begin(struct control *, int fd, uid_t); /* takes fd: 0 or -errno, and it is closed */
void client_end(struct client *);
/* An answer is built between these two; fields of the whole object go in between. Then it is on its
 * way, and the client may be gone. error NULL: ok. */
void client_answer(struct client *, struct jsonout *, const char *error);
void client_answered(struct client *, struct jsonout *);
/* An answer without fields. */
void client_tell(struct client *, const char *error);

/* socket.c: a socket of this name that listens: 0 or -errno; -EADDRINUSE: somebody answers on it,
 * -EINVAL: it is there, and no socket. */
int control_socket_make(const char *path, struct control_socket *ret);
/* Does somebody answer on it? 1, 0, or -errno as above. */
int control_is_answered(const char *path);

/* place.c: one in the first folder of control/place.h that this user has. Sockets that servers
 * have left there are removed. 0 or -errno, -ENOENT: there is no such folder; tried, of
 * CONTROL_TRIED_MAX bytes, is the name that it was to get, "" without a folder. */
#define CONTROL_TRIED_MAX sizeof(((struct control_socket *)0)->path)
int control_place_make(struct control_socket *ret, char *tried);
bool control_is_placed(const char *path); /* Is that the name of one? */

/* command.c: carries one request out; it answers, or makes the client wait. */
void command_run(struct client *, const struct control_request *);
/* The server ends: who waits is told so. */
void command_abandon(struct client *);

/* status.c, crashes.c: the fields of an answer. port NULL: all of them. */
void status_add(struct jsonout *, const struct control *, const struct port *);
void crashes_add(struct jsonout *, const struct master *, const struct port *);
/* RFC 3339, in UTC; null for 0. */
void jsonout_time(struct jsonout *, const char *name, int64_t when);

#endif

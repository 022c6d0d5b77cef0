/*
 * The control socket: its clients, and what its files share. What is on top knows open.h alone.
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
 * time limit for everything that a client has to do. A client that is too slow, or whose place a
 * new one needs, is closed; one that waits for the master is not.
 */
#ifndef MASTER_CONTROL_H
#define MASTER_CONTROL_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/json.h"
#include "control/request.h"
#include "master/control/open.h"
#include "master/upgrade/upgrade.h"

#define CONTROL_CLIENTS_MAX   32
#define CONTROL_ANSWER_MAX    ((size_t)16 << 20)
#define CONTROL_ANSWERS_MAX   ((size_t)32 << 20)
#define CONTROL_REQUESTS_TURN 4
/* for a request, from its first byte, and for reading an answer */
#define CONTROL_REQUEST_MS 10000
#define CONTROL_IDLE_MS    60000 /* between two requests */

enum client_state {
	CLIENT_READING,
	CLIENT_WAITING, /* for the end of its order */
	CLIENT_WRITING,
	CLIENT_HOLDING /* the end of its connection will show it the server's end */
};

struct client {
	struct loop_io io; /* first; fd -1: the place is free */
	struct loop_timer deadline;
	struct asker asker;
	struct control *control;
	enum client_state state;
	uid_t uid;
	bool is_last;           /* the connection ends after the present answer */
	bool holds;             /* ... and is held open until the server ends */
	enum control_verb verb; /* of the order that it waits for */
	uint64_t heard;         /* when it last sent or read bytes: client_hear() */
	size_t line_len;
	char line[CONTROL_REQUEST_MAX];
	struct buf out;
};

struct control {
	struct master *master;
	struct loop_io listener; /* fd -1: there is no socket */
	struct loop_timer pause; /* between two attempts to accept, if descriptors are short */
	struct loop_timer retry; /* between two attempts to make the socket, or checks of it */
	int failed;              /* the error of the last attempt, which was logged; 0: none */
	uint64_t id;             /* of this execution of the program; random */
	uint64_t turn_ns;        /* the time of the present turn of the loop ... */
	unsigned turn_requests;  /* ... and the requests served in it */
	uint64_t heard;      /* how often any client was heard: it orders them, as no clock does */
	uint64_t refused_ms; /* when a refused client was last logged; 0: never */
	struct client clients[CONTROL_CLIENTS_MAX];
};

/* client.c: takes ownership of fd: 0, or -errno and it is closed. */
int client_begin(struct control *, int fd, uid_t);

/* answer.c */
void client_end(struct client *);
/* Sends as much as the socket takes at once. */
void client_flush(struct client *);
struct loop *client_loop(const struct client *);
/* It has sent or read bytes: no client has been silent for a shorter time. */
void client_hear(struct client *);
/* An answer is built between these two; the fields of its object are added in between. After the
 * second it is on its way, and the client may be freed. error NULL: ok. */
void client_answer(struct client *, struct jsonout *, const char *error);
void client_answered(struct client *, struct jsonout *);
/* Sends an answer without fields. */
void client_tell(struct client *, const char *error);

/* make.c: makes a listening socket with this name. Returns 0 or -errno; -EADDRINUSE: a server
 * answers on it; -EINVAL: the file exists and is not a socket. */
int control_socket_make(const char *path, struct control_socket *ret);
/* Does a server answer on it? 1, 0, or -errno as above. */
int control_is_answered(const char *path);

/* place.c: makes one in the first folder of control/place.h that this user has. Removes sockets
 * that ended servers have left there. Returns 0 or -errno; -ENOENT: there is no such folder. tried,
 * of CONTROL_TRIED_MAX bytes, gets the name that it tried, "" without a folder. */
#define CONTROL_TRIED_MAX sizeof(((struct control_socket *)0)->path)
int control_place_make(struct control_socket *ret, char *tried);
bool control_is_placed(const char *path); /* is it the name of such a socket? */

/* command.c: carries out one request; it sends the answer or makes the client wait. */
void command_run(struct client *, const struct control_request *);
/* The server ends: answers a client that waits. */
void command_abandon(struct client *);

/* status.c, crashes.c: add the fields of an answer. port NULL: of all ports. */
void status_add(struct jsonout *, const struct control *, const struct port *);
void crashes_add(struct jsonout *, const struct master *, const struct port *);
/* Adds a time of RFC 3339 in UTC; null for 0. */
void jsonout_time(struct jsonout *, const char *name, int64_t when);

#endif

/*
 * The configuration: bulkhead.conf(5) as data.
 *
 * Parsed and checked in one go; what comes out is complete: every default is filled in, every port
 * carries its own copy of what it inherits, every path is absolute (relative ones are taken from
 * the folder of the file they stand in). It names certificates but never opens them.
 *
 * Used by the master (the whole of it), by -t and -T, and by each child on the canonical text of
 * its own port (conf_dump_port), which is all of the configuration that it ever sees.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "fault/fault.h"

/*
 * Bounds of what a configuration may ask for. Whoever has room for these things takes its bound
 * from here: what -t takes a child must be able to read, to be handed and to carry out.
 */
#define CONF_INCLUDED_MAX     ((size_t)64 << 20) /* bytes of all included files together */
#define CONF_ADDRESSES_MAX    64                 /* of a port */
#define CONF_SOCKETS_MAX      64                 /* names of a port */
#define CONF_SOCKET_NAME_MAX  255                /* FileDescriptorName= of systemd.socket(5) */
#define CONF_CERTIFICATES_MAX 16                 /* of a port */
#define CONF_PARK_MAX         64                 /* deaths that the restart policy remembers */
#define CONF_THREADS_MAX      64
#define CONF_HEAD_MAX         65536 /* bytes of a request's head */
#define CONF_WORKERS_MAX      64
/* Bytes of address space that the C library reserves for a further thread: a stack, and an arena
 * that it cuts out of twice its size. */
#define CONF_THREAD_MEMORY  ((uint64_t)144 << 20)
#define CONF_KEYHOLDERS_MAX 64
/* Bytes of a canonical text, which only the master writes: an escape has four bytes for one, and
 * what is spelled out of a fault (64 of each of 10000 locations) or a port is a few hundred. */
#define CONF_TEXT_MAX (8 * CONF_INCLUDED_MAX)

struct conf_where {
	const char *file; /* owned by the struct conf */
	unsigned line;    /* from 1; 0: the file as a whole, or "command line" */
	unsigned column;  /* from 1, in bytes; 0 with line 0 */
};

enum conf_severity { CONF_ERROR, CONF_WARNING };

/* Is called once per finding, file by file, each in the order of its text, once all is read; the
 * text is one sentence without a full stop. Where and text are good until the call returns. */
typedef void conf_report_fn(void *arg, enum conf_severity, const struct conf_where *,
			    const char *text);

enum conf_access { CONF_ACCESS_OFF, CONF_ACCESS_ON, CONF_ACCESS_ERRORS };
enum conf_parked { CONF_PARKED_REFUSE, CONF_PARKED_QUEUE };
enum conf_handler { CONF_RESPOND, CONF_ECHO, CONF_FAULT_CONTROL };
/* What `methods` can name: all that the server knows but CONNECT and TRACE, in the order of Allow.
 */
enum conf_method {
	CONF_GET,
	CONF_HEAD,
	CONF_POST,
	CONF_PUT,
	CONF_DELETE,
	CONF_OPTIONS,
	CONF_PATCH,
	CONF_METHODS
};
#define CONF_METHOD_BIT(method) (1U << (method))
#define CONF_METHODS_ANY        (CONF_METHOD_BIT(CONF_METHODS) - 1)
enum conf_control { CONF_CONTROL_DEFAULT, CONF_CONTROL_OFF, CONF_CONTROL_PATH };
enum conf_chroot { CONF_CHROOT_DEFAULT, CONF_CHROOT_OFF, CONF_CHROOT_PATH };

/* Where records go. None set: chosen at start (bulkhead(8), LOGGING). */
struct conf_log {
	bool console;
	bool syslog;
	bool journal;
	int syslog_facility; /* LOG_DAEMON … as in syslog(3) */
	uint32_t rate;       /* records a second of one process; 0: no limit */
	char *syslog_path;   /* default /dev/log */
	char *journal_path;  /* default /run/systemd/journal/socket */
	struct conf_where syslog_where, journal_where; /* line 0: not given */
};

struct conf_certificate {
	char *certificate; /* PEM, the leaf first, then its chain */
	char *key;         /* PEM */
	bool development;  /* asked for by `tls development`: both paths are "" until
			      conf_set_development() */
	struct conf_where where;
};

struct conf_limits {
	uint32_t connections; /* at once on the port, all its workers together */
	uint32_t requests;    /* on one connection */
	uint32_t head_bytes;
	uint64_t body_bytes;
	uint64_t idle_ms;      /* between two requests */
	uint64_t head_ms;      /* from a head's first byte to its last */
	uint64_t handshake_ms; /* from accept to the end of the handshake */
	uint64_t body_ms;      /* a request body that does not progress */
	uint64_t write_ms;     /* a response that is not taken */
	uint64_t memory_bytes; /* address space of a worker; 0: no limit */
	uint64_t core_bytes;   /* of a worker's core dump; 0: none is written */
	uint32_t signatures;   /* per second, that one event loop asks of the keyholder */
};

/* Restart policy: bulkhead.conf(5) "restart". */
struct conf_restart {
	uint64_t backoff_min_ms;
	uint64_t backoff_max_ms;
	uint32_t park_after;     /* deaths … */
	uint64_t park_window_ms; /* … within this time */
	enum conf_parked while_parked;
};

struct conf_header {
	char *name;
	char *value;
};

struct conf_location {
	char *path; /* a prefix by whole segments, normalized; "/" for the port's own handler */
	enum conf_handler handler;
	unsigned methods; /* a set of CONF_METHOD_BIT, with HEAD where GET is; the others are
			     answered 405. 0 with CONF_FAULT_CONTROL, which has its own */
	int status;       /* from here on: CONF_RESPOND only */
	char *body;       /* never NULL; may hold NUL bytes, and one more follows it */
	size_t body_len;
	char *type; /* never NULL; meaningless where the status takes no body */
	struct conf_header *headers;
	size_t headers_count;
	struct fault *faults; /* that requests to it may meet, in their order; none with
				 CONF_FAULT_CONTROL */
	size_t faults_count;
	struct conf_where where;
};

struct conf_port {
	uint16_t number;
	/* Numeric IPv4 or IPv6, or "*" (all of both); empty only where there are sockets. */
	char **addresses;
	size_t addresses_count;
	char **sockets; /* names of sockets that the service manager has passed; each once */
	size_t sockets_count;
	uint32_t workers;
	uint32_t threads;
	uint32_t keyholders; /* at most workers * threads; 0: auto */
	/* Who its processes run as: names or decimal ids as they were written, looked up by nobody
	 * yet. NULL where nothing was said; bulkhead.conf(5) tells what each means then. */
	char *user;
	char *group; /* NULL: the user's own */
	char *key_user;
	enum conf_chroot chroot;
	char *chroot_path; /* absolute; NULL unless CONF_CHROOT_PATH */
	enum conf_access access;
	uint64_t tickets_ms;  /* how long a session ticket and its key live; 0: there are none */
	uint64_t watchdog_ms; /* a process that hangs for longer is ended; 0: none is */
	struct conf_restart restart;
	struct conf_limits limits;
	struct conf_certificate *certificates; /* never empty */
	size_t certificates_count;
	struct conf_location *locations; /* longest path first; never empty */
	size_t locations_count;
	bool faults; /* one of them has faults, or is where faults are asked for */
	struct conf_where where;
};

struct conf {
	bool faults; /* "faults enabled": without it no port has any */
	bool strict; /* what cannot be confined in full does not serve */
	enum conf_control control;
	struct conf_where control_where; /* line 0: not given */
	char *control_path;              /* absolute; NULL unless CONF_CONTROL_PATH */
	struct conf_log log;
	uint64_t drain_ms;
	struct conf_port *ports; /* in the order of the text; never empty */
	size_t ports_count;
	char **files; /* the names that struct conf_where points to */
	size_t files_count;
};

/* What the command line and the build say; all may be 0 or NULL. */
struct conf_options {
	bool threads_built; /* built with THREADS=1: "threads" is allowed */
	uint32_t workers;   /* overrides every port's (-w) */
	const char
	    *certificate; /* overrides the global pair (--certificate, --key); both or none */
	const char *key;
	bool keep_broken; /* a configuration with errors is returned, too: for what can be said of
			     the files that it names. It must not be served */
	const char *directory; /* what relative paths are relative to, for text without a file;
				  NULL: the current directory */
};

/*
 * Parses a file, or text of len bytes that is called name in messages. All findings go to report
 * (may be NULL). Returns 0 and a configuration that the caller ends with conf_free(), or -EINVAL
 * when there was at least one CONF_ERROR, or -ENOMEM; ret_conf is untouched then (with keep_broken
 * and -EINVAL it may be set; the caller sets it to NULL before).
 *
 * Text does not touch the file system: include is refused in it, and only a relative path asks for
 * the current directory.
 */
int conf_parse_file(const char *path, const struct conf_options *, conf_report_fn *report,
		    void *arg, struct conf **ret_conf);
int conf_parse_text(const char *text, size_t len, const char *name, const struct conf_options *,
		    conf_report_fn *report, void *arg, struct conf **ret_conf);
/* Does a port want the development certificate, and has no path of it yet? */
bool conf_wants_development(const struct conf *);
/* Where it is, for all of them; 0 or -ENOMEM. In canonical text they are pairs like others then. */
int conf_set_development(struct conf *, const char *certificate, const char *key);
/* Ends all of it at once; nothing in it may be freed or kept on its own. NULL is ignored. */
void conf_free(struct conf *);

/* The port of that number, NULL: there is none. */
const struct conf_port *conf_port_find(const struct conf *, unsigned number);

/* Writes the canonical text: everything spelled out, one fixed order, parses to the same text
 * again (threads only when it is not 1: a build without threads must read the text, too).
 * conf_dump_port() writes what is global to a child and this one port. */
void conf_dump(const struct conf *, FILE *);
void conf_dump_common(const struct conf *, FILE *); /* all that stands in no port */
void conf_dump_port(const struct conf *, const struct conf_port *, FILE *);
/* Writes, for comparison alone, what a process of this port is given once and for all: where two
 * such texts are equal, a process that was made of one serves the other as well. What it can be
 * told later (drain), and where records go, is not in it. */
void conf_dump_process(const struct conf *, const struct conf_port *, FILE *);

#endif

/*
 * The configuration: bulkhead.conf(5) as data.
 *
 * It is parsed and checked in one call. The result is complete: every default is filled in, every
 * port has its own copy of inherited settings, every path is absolute (relative ones start at the
 * folder of their file). It names certificates but never opens them.
 *
 * The master uses all of it, -t and -T too; each child uses the canonical text of its own port
 * (conf_dump_port), which is the only configuration that it ever sees.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/limits.h"
#include "base/network.h"
#include "base/tls_choice.h"
#include "conf/kinds.h"
#include "fault/fault.h"

/*
 * Bounds of a configuration. Code that needs room for these things uses these bounds, so that a
 * child can read, receive and carry out every configuration that -t accepts.
 */
#define CONF_INCLUDED_MAX     ((size_t)64 << 20) /* bytes of all included files together */
#define CONF_ADDRESSES_MAX    64                 /* of a port */
#define CONF_SOCKETS_MAX      64                 /* names of a port */
#define CONF_SOCKET_NAME_MAX  255                /* FileDescriptorName= of systemd.socket(5) */
#define CONF_BELIEVED_MAX     1024 /* networks of a port's `proxy protocol`; of its `trust` */
#define CONF_CERTIFICATES_MAX 4096 /* of a port, with those of its hosts */
#define CONF_BODIES_MAX       4096 /* files of a port that are sent as they are */
#define CONF_ROOTS_MAX        4096 /* folders of a port whose files are sent */
#define CONF_PASSWORDS_MAX    64   /* password files of a port */
#define CONF_PARK_MAX         64   /* deaths that the restart policy remembers */
#define CONF_THREADS_MAX      64
#define CONF_WORKERS_MAX      64
/* Bytes of address space that the C library reserves for a further thread: a stack, and an arena,
 * which it takes from a mapping of twice its size. */
#define CONF_THREAD_MEMORY  ((uint64_t)144 << 20)
#define CONF_KEYHOLDERS_MAX 64
/* Bytes of what port blocks with several numbers have for all but the first: names, paths and
 * bodies, and some for each host, location and certificate. */
#define CONF_COPIES_MAX ((size_t)256 << 20)
/* Bytes of a canonical text, which only the master writes: an escape turns one byte into four, and
 * the text of a fault (64 per location, 20000 locations) or of a port has a few hundred. */
#define CONF_TEXT_MAX (12 * CONF_INCLUDED_MAX + 4 * CONF_COPIES_MAX)
/* Bytes of all files of a port in conf_port.bodies together. A worker reads them at its start. */
#define CONF_BODIES_BYTES_MAX ((size_t)16 << 20)
#define CONF_UPSTREAMS_MAX    1024 /* of a port */
#define CONF_ENDPOINTS_MAX    4096 /* of a port */
#define CONF_CLIENTS_MAX      64   /* different `client certificate` of a port */
/* The authorities of the system, with which upstreams are verified if nothing else is said. */
#define CONF_SYSTEM_AUTHORITIES "/etc/ssl/certs/ca-certificates.crt"
/* Bytes of all files of a port with authorities, and of those with what they have revoked. */
#define CONF_AUTHORITIES_BYTES_MAX ((size_t)1 << 20)
#define CONF_REVOKED_BYTES_MAX     ((size_t)64 << 20)
/* Bytes of an event loop for the clients that it knows (tls/client_known.h). */
#define CONF_KNOWN_BYTES ((size_t)512 << 10)

struct conf_where {
	const char *file; /* owned by the struct conf */
	unsigned line;    /* from 1; 0: the whole file, or "command line" */
	unsigned column;  /* from 1, in bytes; 0 with line 0 */
};

/* A note is no fault: it says what the server does, and its user may not know. */
enum conf_severity { CONF_ERROR, CONF_WARNING, CONF_NOTE };
const char *conf_severity_name(enum conf_severity); /* "error" */

/* Called once per finding, file by file, in the order of the text, after everything was read. The
 * text is one sentence without a full stop. where and text are valid until the call returns. */
typedef void conf_report_fn(void *arg, enum conf_severity, const struct conf_where *,
			    const char *text);

enum conf_access { CONF_ACCESS_OFF, CONF_ACCESS_ON, CONF_ACCESS_ERRORS };
enum conf_parked { CONF_PARKED_REFUSE, CONF_PARKED_QUEUE };
/* The methods that `methods` can name: all that the server knows except CONNECT and TRACE, in the
 * order of Allow. */
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

/* The sinks of the log. If none is set, they are chosen at the start (bulkhead(8), LOGGING). */
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

/* A file or folder that a port's children are handed. */
struct conf_path {
	char *path; /* absolute */
	struct conf_where where;
};

/* Restart policy: bulkhead.conf(5) "restart". */
struct conf_restart {
	uint64_t backoff_min_ms;
	uint64_t backoff_max_ms;
	uint32_t park_after;     /* deaths … */
	uint64_t park_window_ms; /* … within this time */
	enum conf_parked while_parked;
};

/* `error`: the body of responses with one of these statuses, in place of their own. */
struct conf_error {
	uint32_t *statuses; /* 400 to 599, each once */
	size_t statuses_count;
	const struct conf_respond *respond; /* its status is not used: that of the response stays */
	struct conf_where where;
};

/*
 * The filters of a place: a location, a host or a port. A place without filters of its own has
 * those of the place around it, and points to the same struct. Kinds decide what the statements of
 * an inner place do to those of an outer one (bulkhead.conf(5), FILTERS).
 */
struct conf_filters {
	/* By kind, a struct of conf/kinds.h; NULL: it has none of this kind. Of CONF_FILTER_FAULT
	 * always. */
	const void *options[CONF_FILTERS]; /* with those of the places around it */
	const void *own[CONF_FILTERS];     /* what its own statements say */
};

struct conf_location {
	char *path; /* a prefix by whole segments, normalized; "/" for the port's own handler */
	bool exact; /* `location exact`: only this path, which may end in "/" */
	enum conf_handler handler;
	unsigned methods;    /* a set of CONF_METHOD_BIT, with HEAD where GET is; the others are
				answered 405. 0 with CONF_FAULT_CONTROL, which has its own */
	const void *options; /* the struct of its kind in conf/kinds.h; NULL: it has none */
	/* that its requests may meet, in their order; none with CONF_FAULT_CONTROL */
	struct fault *faults;
	size_t faults_count;
	struct conf_error *errors; /* before those of its host */
	size_t errors_count;
	const struct conf_filters *filters; /* NULL: none but faults */
	struct conf_where where;
};

/*
 * What some host names of a port serve. The first host of a port is its default host: it has no
 * names, serves every name that no other host has, and is what a port without `host` consists of.
 */
enum conf_client_wish { CONF_CLIENT_OFF, CONF_CLIENT_OPTIONAL, CONF_CLIENT_REQUIRED };

/* `client certificate`: who may be a client of a host. */
struct conf_client {
	enum conf_client_wish wish; /* never OFF */
	uint32_t authority;         /* its index in conf_port.authorities */
	uint32_t revoked;           /* its index in conf_port.revoked, plus 1; 0: none */
	uint32_t depth;             /* certificates between the client's and the authority's */
	struct conf_where where;
};

/* One URL of an upstream. Its number is its index in conf_port.endpoints. */
struct conf_endpoint {
	const char *url;  /* in its one form: "http://127.0.0.1:9000", "unix:/run/app/api.sock" */
	const char *host; /* a name in lower case, or a numeric address; NULL: a Unix socket */
	const char *path; /* of a Unix socket; NULL: none */
	uint16_t port;    /* 0: a Unix socket */
	bool named;       /* the host is a name, which must be resolved */
	bool backup;      /* used only while no other one can be */
};

enum conf_balance { CONF_ROUND_ROBIN, CONF_LEAST_CONNECTIONS, CONF_HASH_CLIENT, CONF_HASH_HEADER };
enum conf_probe { CONF_PROBE_OFF, CONF_PROBE_CONNECT, CONF_PROBE_GET };

/* `upstream`: a service that requests are passed on to. */
struct conf_upstream {
	const char *name; /* of `proxy to "URL"` that URL */
	bool anonymous;   /* it is such a one */
	/* Its part of conf_port.endpoints, the backups last. */
	uint32_t endpoints_first, endpoints_count;
	enum conf_balance balance;
	const char *balance_header; /* CONF_HASH_HEADER; else NULL */
	enum conf_probe probe;      /* `check` */
	const char *probe_target;   /* the path and query of CONF_PROBE_GET; else NULL */
	uint64_t probe_every_ms, probe_ms;
	uint32_t probe_least, probe_most; /* statuses that are good */
	uint32_t fail_after;              /* failures in a row; 0: `fail off` */
	uint64_t fail_pause_ms;
	uint64_t slow_start_ms;                   /* 0: off */
	uint64_t connect_ms, head_ms, between_ms; /* `timeouts` */
	uint32_t connections;                     /* of a worker */
	uint32_t queue;                           /* requests of a worker that wait; 0: off */
	uint64_t queue_ms;
	uint32_t keep; /* idle connections of a worker; 0: off */
	uint64_t keep_ms;
	unsigned retry_methods; /* a set of CONF_METHOD_BIT; 0: `retry off` */
	uint32_t retry_percent; /* of its requests */
	bool tls;               /* all of its endpoints are https */
	bool verify_off;
	uint32_t authority; /* its index in conf_port.upstream_authorities, if it is verified */
	const char *verify_name; /* NULL: the host of the endpoint */
	uint32_t certificate;    /* its index in conf_port.certificates, plus 1; 0: shows none */
	struct conf_where where;
};

struct conf_host {
	/* As names are compared: in lower case, A-labels (RFC 5890), no trailing dot; numeric
	 * addresses in their canonical form, IPv6 in brackets. "*.example.org" covers each name
	 * with one label in place of "*". */
	char **names;
	size_t names_count;
	/* Its part of conf_port.certificates. A host without certificates of its own has those of
	 * the default host; hosts with the same files have the same part. */
	uint32_t certificates_first, certificates_count;
	uint32_t client; /* its index in conf_port.clients, plus 1; 0: no client certificates */
	struct conf_location *locations; /* longest path first; none: its requests get 421 */
	size_t locations_count;
	struct conf_error *errors; /* before those of the port; the default host has none */
	size_t errors_count;
	const struct conf_filters *filters; /* NULL: none */
	struct conf_where where;
};

struct conf_port {
	uint16_t number;
	/* Numeric IPv4 or IPv6, or "*" (all of both); empty only if there are sockets. */
	char **addresses;
	size_t addresses_count;
	char **sockets; /* names of sockets from the service manager; each once */
	size_t sockets_count;
	/* `proxy protocol from`: connections from these networks begin with a header of the PROXY
	 * protocol. None: no connection does. */
	struct network *proxies;
	size_t proxies_count;
	uint32_t workers;
	uint32_t threads;
	uint32_t keyholders; /* at most workers * threads; 0: auto */
	/* The users and groups of its processes: names or decimal ids as written, not looked up
	 * yet. NULL: not given; bulkhead.conf(5) has the defaults. */
	char *user;
	char *group; /* NULL: the user's own */
	char *key_user;
	enum conf_chroot chroot;
	char *chroot_path; /* absolute; NULL unless CONF_CHROOT_PATH */
	enum conf_access access;
	uint64_t tickets_ms;  /* lifetime of a session ticket and its key; 0: no tickets */
	uint64_t watchdog_ms; /* a process that hangs for longer is ended; 0: none is ended */
	struct conf_restart restart;
	struct limits limits;
	/* Clients to which the limits of a client do not apply; each network once. */
	struct network *exempt;
	size_t exempt_count;
	bool refuses_unknown;        /* `unknown name refuse`: of TLS; see tls/context.h */
	struct tls_choice tls;       /* versions, groups and ciphers; all zero: the default */
	struct conf_where tls_where; /* where a mistake in that choice is */
	bool plain; /* `tls off`: no TLS, and so no certificates and no keyholder */
	/* Of all hosts, empty only if it is plain; then those that upstreams are shown. */
	struct conf_certificate *certificates;
	size_t certificates_count;
	/* The different `client certificate` of its hosts, and their files; each path once. */
	struct conf_client *clients;
	size_t clients_count;
	struct conf_path *authorities, *revoked;
	size_t authorities_count, revoked_count;
	/* The folders of `files`, of all hosts; each path once. Handlers have their numbers. */
	struct conf_path *roots;
	size_t roots_count;
	struct conf_host *hosts; /* never empty; the first is the default host */
	size_t hosts_count;
	struct conf_error *errors; /* those outside of hosts, for all hosts */
	size_t errors_count;
	const struct conf_filters *filters; /* with those of the top level as its own; NULL: none */
	struct conf_path *bodies;           /* of all its locations and errors; each path once */
	size_t bodies_count;
	struct conf_path *passwords; /* the password files of all its locations; each path once */
	size_t passwords_count;
	struct conf_upstream *upstreams; /* with those of `proxy to "URL"` */
	size_t upstreams_count;
	struct conf_endpoint *endpoints; /* of all upstreams */
	size_t endpoints_count;
	struct conf_path *upstream_authorities; /* of all upstreams; each path once */
	size_t upstream_authorities_count;
	/* `trust`: what proxies in these networks say about their clients is believed. */
	struct network *trusted;
	size_t trusted_count;
	char *connect_user; /* as key_user */
	bool faults;        /* a location has faults, or is the one where faults are asked for */
	struct conf_where where;
};

struct conf {
	bool faults; /* "faults enabled": without it no port has faults */
	bool strict; /* processes that cannot be confined completely do not serve */
	enum conf_control control;
	char *control_path;              /* absolute; NULL unless CONF_CONTROL_PATH */
	struct conf_where control_where; /* line 0: not given */
	struct conf_log log;
	uint64_t drain_ms;
	struct conf_port *ports; /* in the order of the text; never empty */
	size_t ports_count;
	char **files; /* the names that struct conf_where refers to */
	size_t files_count;
};

/* Settings of the command line and the build; all may be 0 or NULL. */
struct conf_options {
	bool threads_built; /* built with THREADS=1: "threads" is allowed */
	uint32_t workers;   /* overrides every port's (-w) */
	const char
	    *certificate; /* overrides the global pair (--certificate, --key); both or none */
	const char *key;
	/* returns a configuration with errors, too, so that its files can be checked. It must not
	 * be served */
	bool keep_broken;
	/* for `${env:NAME}`, as environ(7); NULL: in strings it stays as it is, elsewhere it is an
	 * error */
	char *const *environment;
	/* relative paths start there, for text without a file; NULL: the current directory */
	const char *directory;
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
/* Frees all of it at once; no part of it may be freed or kept separately. NULL is ignored. */
void conf_free(struct conf *);

/* Which certificates are shown and asked for at a host, as a number: hosts with another number are
 * not served on a connection (struct transport_facts, policy). */
static inline uint32_t conf_host_policy(const struct conf_host *host)
{
	return host->client << 16 | host->certificates_first;
}

/* The port with that number; NULL: none. */
const struct conf_port *conf_port_find(const struct conf *, unsigned number);

/* Writes the canonical text: everything explicit, in one fixed order, parsing to the same text
 * again (threads only when it is not 1: a build without threads must read the text, too).
 * conf_dump_port() writes the global settings of a child and this one port. */
void conf_dump(const struct conf *, FILE *);
void conf_dump_common(const struct conf *, FILE *); /* everything outside ports */
void conf_dump_port(const struct conf *, const struct conf_port *, FILE *);
/* Writes the part of the configuration that a process of this port gets at its start, for
 * comparison only: if two such texts are equal, a process of one can serve the other. Settings that
 * can change later (drain) and sinks of the log are not included. */
void conf_dump_process(const struct conf *, const struct conf_port *, FILE *);

#endif

/*
 * One port, in all of its generations: from its files and sockets to its last process. What follows
 * for other ports and for the server is decided above: this floor only changes the port, and facts
 * about it (state.h).
 */
#ifndef MASTER_PORT_H
#define MASTER_PORT_H

#include "master/child/child.h"

struct stat;

/* configuration.c: creates and frees a configuration. Takes ownership; NULL: no memory, and it is
 * freed. */
struct configuration *configuration_new(struct conf *);
void configuration_release(struct configuration *); /* removes one user */
/* Where the secret files of all its ports are: looked for once in a turn, however many document
 * roots are opened in it. 0 or -ENOMEM. */
int configuration_secrets(struct configuration *, const struct secrets **ret);
void configuration_forget(struct configuration *); /* where its secret files are */

/* ports.c: creates and frees ports. */
/* keyholders: how many; 0: as the configuration says. NULL: no memory. */
struct port *port_new(struct master *, struct configuration *, const struct conf_port *,
		      unsigned keyholders);
void port_free(struct port *);
/* The text of conf_dump_process(), which the caller frees; NULL: no memory. */
char *port_text(const struct conf *, const struct conf_port *);
/* After each turn: frees retired ports that have stopped, and forgets where secret files are. */
void ports_sweep(struct master *);

/* The parts of a port that it needs to begin. Each returns 0, or a sentence and -1, or -EAGAIN if
 * the machine lacks what all ports share (err_is_shortage()). */

/* identity.c: the users, groups and root of the port's children. */
int port_identify(struct port *, struct err *);
/* The user of its workers, for bulkhead -t. */
int worker_identify(const struct conf_port *, struct identity *, struct err *);

/* files.c: the files that children are handed, open as long as the port exists. */
int port_open_files(struct port *, struct err *);
void port_close_files(struct port *);
/* Have the files changed? asked: an administrator has drained a worker, which is how new files are
 * asked for. Otherwise only overwriting of the open files counts. */
bool port_files_changed(const struct port *, bool asked);
/* The file by which its resolver answers or asks, and which is another one now; NULL: none is. */
const char *port_table_changed(const struct port *);
/* Do two generations of one configuration have other files among those whose content no process
 * sends a digest of? */
bool port_unread_differ(const struct port *, const struct port *);
/* How many files a port of this configuration has. */
size_t files_count(const struct conf_port *);
/* The list of these files, none of them open; the caller owns it. NULL: no memory. */
struct port_file *files_list(const struct conf_port *);
/* Names that the configuration owns, and the marks: of the open files, or (NULL) of those that the
 * paths lead to now. The caller owns the list of files_count() files. NULL: no memory. */
struct plan_file *files_look(struct master *, const struct conf_port *, const struct port_files *);

/* place.c: a place is where a document root is; root_find() looks for it and follows the links in
 * the path; the caller releases it. 0 or -errno. */
int root_find(const char *path, struct port_place **ret);
void place_release(struct port_place *); /* NULL is ignored */
/* A descriptor (O_PATH) of the directory that is handed over, or -errno: among others -ELOOP if it
 * is no longer where it was. */
int place_open(const struct port_place *);
/* Can this process reach the root from that descriptor? 0 or -errno. */
int place_reach(const struct port_place *, int fd);
/* Of a place with a rest: adds "can read all of ... because ...". */
void place_explain(const struct port_place *, struct text *);
/* Visits each folder and each link on the way that the path (absolute) leads now. */
typedef void path_visit_fn(void *arg, const char *path, bool is_link);
void path_walk(const char *path, path_visit_fn *, void *arg);

/* roots.c, and for -t roots_check.c: document roots. */

/* Where all keys and password files of the configuration are; the caller releases it. 0 or
 * -ENOMEM. */
int secrets_find(const struct conf *, struct secrets *ret);
void secrets_release(struct secrets *);
/* Fills the place and the descriptor of a root, as -t does it, too. 0; or -1 or -EAGAIN, and a
 * sentence: among others if one of the secret files would be served. */
int root_place(const struct secrets *, const char *path, struct port_file *, struct err *);
/* The same for workers: a copy of the mount, if there is a mounter; and its mark. */
int port_open_root(struct master *, const struct secrets *, const char *path, struct port_file *,
		   struct err *);
/* Logs the folders that workers can read for the sake of links. */
void anchors_tell(const struct port *);
/* The directory that the path would be handed over as now: its mark, or stat(2) of it. 0 or -errno.
 */
int root_mark(struct master *, const char *path, struct file_mark *);
int root_stat(const char *path, struct stat *);
void mounts_forget(struct master *); /* the list of mounts is read once in a turn */
void mounter_start(struct master *); /* before the master is confined */
void mounter_ended(struct master *);

/* switches.c: after each turn: renews ports, if another folder has taken the place of one of their
 * document roots. */
void switches_look(struct master *);

/* tickets.c: gets the port's key for session tickets, once its files are open: that of old (may be
 * NULL) if the files are the same, else a new one. */
int port_get_tickets(struct port *, const struct port *old, struct err *);
void port_drop_tickets(struct port *);
/* Takes the memory in tickets_fd from the earlier version. Returns 0 or -errno. */
int port_adopt_tickets(struct port *);
/* Make a new key. renew: tickets of the old key are accepted for a while; forget: they are not. */
void port_renew_tickets(struct port *);
void port_forget_tickets(struct port *);
/* status: of waitpid(2). Call it before the child's place is emptied. */
void tickets_holder_ended(struct child *, int status);
void tickets_look(struct master *); /* once a second */

/* upstreams.c: gets the memory for the port's upstreams; old (may be NULL) is the generation
 * before, whose orders and findings go on with the endpoints of the same upstream and URL. */
int port_get_upstreams(struct port *, const struct port *old, struct err *);
/* What was counted goes on in the same way: all that was not handed on yet. */
void port_hand_use(const struct port *, const struct port *heir);
void port_drop_upstreams(struct port *);
/* Takes the memory whose descriptors came from the earlier version. 0 or -errno. */
int port_adopt_upstreams(struct port *);
/* The master's descriptors for it. */
uint64_t port_upstreams_descriptors(const struct conf_port *);
/* How many of the endpoints have a name that must be resolved. */
size_t port_names_count(const struct conf_port *);
/* What was counted, by all generations. */
void port_endpoint_use(const struct port *, size_t endpoint, struct ipc_endpoint_use *ret);
void port_upstream_use(const struct port *, size_t upstream, struct ipc_upstream_use *ret);
/* An order for the endpoints of the upstream with that name, or with that URL. Returns how many
 * there are. */
unsigned port_order_upstream(struct port *, const char *name, enum ipc_health_order);
/* Writes all orders into the memory again: a connector could change them there. */
void port_orders_again(const struct port *);

/* tables.c: once a second: renews ports whose resolvers must ask by other files. */
void tables_look(struct master *);

/* listen.c: binds the port's sockets, and makes them listen once it is certain that they are
 * needed. Sockets that old (may be NULL) has on the same addresses are shared with it. */
int port_bind(struct port *, const struct port *old, struct err *);
int port_listen(const struct port *, struct err *);
void port_unlisten(struct port *);
/* Disconnects the addresses that heir (NULL: none) does not have, whichever process still holds the
 * sockets; not those of the service manager. Returns how many were disconnected. */
unsigned port_hang_up(const struct port *, const struct port *heir);
/* does the service manager have sockets for it, bound here or not? */
bool port_has_sockets(const struct port *);
void sockets_tell_unclaimed(struct master *); /* in the log */

/* mend.c: undoes changes to the sockets: options that a worker may have set, after its end; and
 * once a second, shutdowns from outside. */
void port_sockets_reset(const struct port *);
void sockets_look(struct master *);

/* start.c: gives a port without any files, sockets and processes, if there is room for all of them;
 * else it waits and is tried again, or is parked. */
void ports_start(struct master *);
void ports_adopted(struct master *); /* ports of an earlier version, which it started */
void port_bring_up(struct port *);
void port_resume(struct port *);           /* a port in BACKOFF */
bool port_is_waiting(const struct port *); /* in BACKOFF without any descriptors */
void port_spawn_expired(struct loop *, struct loop_timer *); /* the callback of the backoff timer */

/* pool.c: fills empty places: the keyholders', and the workers' once all keyholders are ready. */
void port_spawn(struct port *);
/* After each turn: goes on with the ports whose children have become ready. */
void pools_look(struct master *);

/* lack.c: a port that lacks what all ports share; p->reason says what. */
void port_lacks(struct port *, enum port_lack, uint64_t delay_ms);
/* How long a port waits for what the machine lacks. */
uint64_t port_shortage_delay(struct port *);

/* reap.c: collects all children that have ended, stopped or continued. */
void master_reap(struct master *);

/* park.c */
void port_park(struct port *, const char *reason);

/* drain.c */
void port_drain(struct port *); /* also stops listening */
void port_retire(struct port *, const struct port *heir);
/* a prepared one that is not needed */
void port_discard(struct port *, const struct port *current);
void port_limit_expired(struct loop *, struct loop_timer *);
void port_stopped(struct port *); /* no child is left */
bool port_is_empty(const struct port *);
/* Kills the workers. why: static text that follows "because it ". */
void port_kill(struct port *, const char *why);

/* order.c: what a port is ordered to do. */
void port_stop(struct port *, struct asker *);
void port_start(struct port *, struct asker *);
void port_restart(struct port *, struct asker *);
void port_renew(struct port *); /* its files have changed */
void port_orders_inherit(struct port *heir, struct port *old);

/* totals.c: totals of a CURRENT port: of ended processes, present ones, and draining ones of old
 * generations. */
void port_totals(const struct port *, struct ipc_counters *ret);

/* rates.c, expiries.c: call them once a second. */
void rates_sample(struct master *);
void expiry_look(struct master *);

#endif

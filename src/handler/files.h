/*
 * What the files of the handler `files` share: files*.c.
 *
 *   files.c         the handler: from a request to its answer
 *   files_name.c    the path of a request to a name beneath the root; pure
 *   files_keep.c    keeps files open that are asked for again and again
 *   files_find.c    opens what has that name, an index or the fallback, and its encoded siblings
 *   files_head.c    the fields of a response; pure
 *   files_read.c    the body, without waiting for a disk
 *   files_list.c    reads a folder, a part at a time
 *   files_page.c    a list of a folder as a page or as JSON; pure
 */
#ifndef HANDLER_FILES_H
#define HANDLER_FILES_H

#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/buf.h"
#include "base/holding.h"
#include "base/root.h"
#include "conf/kinds.h"
#include "handler/handlers.h"
#include "http/accept.h"
#include "http/exchange.h"
#include "http/media.h"
#include "http/range.h"
#include "net/loop.h"

/* --- the config of a location, and its state in an event loop --------------------------------- */

struct files_config {
	const struct conf_files *conf;
	const struct root *root;
	const struct media_table *types; /* of the system */
	bool exact;        /* of a location for one path: a folder there has no path with a slash */
	uint64_t grain_ns; /* see handler_means */
	bool compresses;   /* a filter makes other codings of the file */
};

struct files_keep;
struct files_listing;
TAILQ_HEAD(files_listings, files_listing);

/* The folders that are listed in an event loop. */
struct files_lists {
	struct loop_task task;         /* first: reads on */
	struct files_listings reading; /* the one that is read next comes first */
	struct files_listings sending; /* the one that waits longest for its client comes first */
	unsigned count;                /* of those that are being read */
	size_t bytes;                  /* of all */
	struct holding held;
};

/* Requests whose files the kernel's caches do not have: one is opened in each turn, after all that
 * is ready, so that a disk delays the others by one opening at a time. */
TAILQ_HEAD(files_waiters, files_waiter);
struct files_queue {
	struct loop_task task; /* first: opens the next */
	struct files_waiters waiters;
};

/* What all locations with files have in common in an event loop: http_loop.files. */
struct files_common {
	struct http_loop *loop;
	unsigned locations;
	struct files_keep *keep; /* NULL: there is no event loop, or was no memory */
	struct files_lists lists;
	struct files_queue cold;
};

struct files_local {
	struct files_common *common;
	struct media_table own; /* the location's `type` statements */
	const char *others;     /* the type of files that no table has; NULL: octets */
	uint64_t waits_on;      /* the last device whose file system does not know RWF_NOWAIT */
};

/* --- files.c ---------------------------------------------------------------------------------- */

/* Answers without a file, as exchange_answer() does: what the state owns was freed before. */
void files_answer(struct exchange *, unsigned status, uint32_t allowed);

/* --- files_name.c ----------------------------------------------------------------------------- */

#define FILES_NAME_MAX 4096 /* bytes of a name with its NUL: PATH_MAX */

enum files_named {
	FILES_NAMED,
	FILES_NAMELESS, /* no file can have this name */
	FILES_HIDDEN    /* a part of it begins with a dot, and is not to be found */
};

/* Beneath the root: no slash at its ends, no empty segment, no dot segment; "" is the root. */
struct files_name {
	char text[FILES_NAME_MAX];
	size_t len;
	bool is_folder; /* the path ends in a slash */
};

/*
 * The name that is left of a path after its location. sent is the path as it came, which path.map
 * points into. No file has the name of a path with a slash that was sent as "%2F", even if a dot
 * segment has removed it. ".well-known" at the front of a path is not hidden (RFC 8615).
 */
enum files_named files_name_make(const struct http_path *, const char *sent, bool hidden_found,
				 struct files_name *ret);

/* Is it ".svgz": a picture whose bytes are gzip, for which no type has a name? */
bool files_name_is_packed(const struct files_name *);

/* Appends text to a name; false: it is too long then, and the name is unchanged. */
bool files_name_add(struct files_name *, const char *text, size_t len);

/* Writes a URL path for decoded bytes: what is not unreserved, nor ":@!$&'()*+,;=/", is escaped.
 * Of a struct http_path it never begins with "//". Returns the length, at most three times len. */
size_t files_path_escape(const char *text, size_t len, char *out);

/* --- files_find.c ----------------------------------------------------------------------------- */

/* An open file. */
struct files_file {
	int fd;                  /* owned, unless it is kept */
	struct files_kept *kept; /* NULL: it is not */
	uint64_t device, inode, size, links;
	int64_t modified; /* seconds … */
	uint32_t modified_ns;
	int64_t changed; /* the inode (ctime) */
	uint32_t changed_ns;
	enum http_coding coding;
	bool is_regular, is_folder;
};

enum files_outcome {
	FILES_FOUND,    /* ret->file is a regular file, and name is its name */
	FILES_LIST,     /* ret->file is a folder to be listed */
	FILES_TO_SLASH, /* it is a folder, and its path has no slash at its end */
	FILES_STATUS,   /* ret->status: 403, 404, 406, 500 or 503 */
	FILES_COLD      /* to find out, one has to wait for a disk */
};

struct files_found {
	struct files_file file;
	unsigned status;
	bool is_bare; /* 403 for a folder without an index */
};

/* name becomes that of the file that was found, for its type. waits: it may wait for a disk, and
 * the outcome is not FILES_COLD. */
enum files_outcome files_find(const struct files_config *, struct files_common *, bool waits,
			      const struct http_request *, const struct http_asks *,
			      enum files_named, struct files_name *name, struct files_found *ret);

/* Fills what the file system says of it; 0 or -errno. */
int files_stat(int fd, struct files_file *ret);
void files_close(struct files_file *);

/* --- files_keep.c ----------------------------------------------------------------------------- */

/* The most that is kept in one event loop. */
#define FILES_KEPT_MAX 256 /* names */
/* of files, and of folders and links on the way to them */
#define FILES_KEPT_DESCRIPTORS HANDLER_DESCRIPTORS_KEPT
#define FILES_KEPT_SIZE        ((size_t)16 * 1024) /* of a file whose content is kept, too */
#define FILES_KEPT_BYTES       ((size_t)4 << 20)   /* of all of them, with what they need */

struct files_kept;

/* NULL: out of memory. */
struct files_keep *files_keep_new(struct http_loop *);
void files_keep_free(struct files_keep *);
/* Closes all that no exchange has. */
void files_keep_empty(struct files_keep *);

/* True: the name is kept. ret has the file, to be closed by files_close(), or no descriptor: there
 * is none of that name. */
bool files_kept_find(struct files_keep *, const struct files_config *, const struct files_name *,
		     struct files_file *ret);
/* The file was opened now, or there is none (fd is -1): keeps it if it is asked for often and has
 * not changed for a while. */
void files_kept_add(struct files_keep *, const struct files_config *, const struct files_name *,
		    struct files_file *);
/* Its bytes; NULL: they are to be read. As long as it is not closed. */
const char *files_kept_content(const struct files_kept *);
void files_kept_release(struct files_kept *);

/* --- files_head.c ----------------------------------------------------------------------------- */

#define FILES_FIELDS   9
#define FILES_ETAG_MAX 36 /* W/ and 32 hexadecimal digits in quotes */

/* The fields of a response to be kept as long as the exchange. */
struct files_head {
	struct http_header list[FILES_FIELDS];
	size_t count;
	size_t type_len;
	char type[HTTP_TYPE_MAX];
	const char *coding; /* of Content-Encoding; NULL: none */
	char etag[FILES_ETAG_MAX];
	size_t etag_len;
	char modified[HTTP_DATE_SIZE];
	char range[HTTP_CONTENT_RANGE_MAX];
};

/*
 * Would the next change of this file have another time? Bytes can only change together with
 * st_ctim, which nobody can set back, but a clock that has not moved on since then would give them
 * the same one again. A time of whole seconds is taken for one of a file system that keeps nothing
 * finer.
 */
bool files_settled(const struct files_file *, const struct timespec *now, uint64_t grain_ns);

/* The tag depends on device, inode, size, both times and the coding, and on nothing else. That of a
 * file that is not settled is weak (RFC 9110, 8.8.1), and has other digits than it has later: bytes
 * that it is sent for must not be taken for those that may follow. Returns the length. */
size_t files_etag(const struct files_file *, bool settled, char out[FILES_ETAG_MAX]);

void files_head_add(struct files_head *, const char *name, const char *value, size_t value_len);
/* Sets type by the name of the file, and coding. */
void files_head_type(struct files_head *, const struct files_config *, const struct files_local *,
		     const struct files_name *, enum http_coding);
/* Cache-Control, ETag, Vary: what a 304 has, too (RFC 9110, 15.4.5). */
void files_head_add_common(struct files_head *, const struct files_config *);

/* --- files_read.c ----------------------------------------------------------------------------- */

/* A body of several ranges, in the exchange's arena. */
struct files_parts {
	struct http_parts parts;
	struct http_range *ranges;
	size_t count, next;
	char boundary[HTTP_BOUNDARY_LEN];
	char head[HTTP_PART_MAX];
	size_t head_len, head_sent;
};

struct files_wait; /* a timer */

/* What is still to be sent of a file. */
struct files_reading {
	int fd;                  /* owned, unless it is kept */
	struct files_kept *kept; /* NULL: it is not */
	const char *content;     /* its bytes; NULL: to be read */
	uint64_t device;
	/* what the file was when its tag was made */
	uint64_t size;
	int64_t modified;
	uint32_t modified_ns;
	uint32_t turn; /* of the loop, in which that was; its low bits */
	bool again;    /* bytes were read before */
	uint64_t at, end;
	uint64_t ahead; /* where the kernel was asked to read up to; 0: it was not */
	struct files_local *local;
	struct files_parts *parts; /* NULL: one range */
	struct files_wait *wait;   /* NULL: it was not needed yet */
};

/* From the first byte on; takes the file. */
void files_read_begin(struct files_reading *, const struct exchange *, const struct files_file *);
/* Of a handler's give(). */
long files_read(struct files_reading *, struct exchange *, uint8_t *out, size_t size);
/* Gives the file back. */
void files_read_close(struct files_reading *);
/* The exchange ends. */
void files_read_end(struct files_reading *, struct exchange *);

/* --- files_list.c ----------------------------------------------------------------------------- */

#define FILES_LISTED_MAX   10000             /* entries of a folder that are shown */
#define FILES_LISTED_BYTES ((size_t)1 << 20) /* and the bytes of their names */
#define FILES_LISTED_NAME  1024 /* bytes of one; file systems with UTF-16 have up to 765 */
/* In one event loop: folders that are being read at a time, and the bytes of all lists until they
 * are sent; else 503. */
#define FILES_LISTS_MAX   8
#define FILES_LISTS_BYTES ((size_t)32 << 20)

void files_lists_init(struct files_lists *);
/* Cuts lists whose clients take nothing, until the others fit. False: they do not. */
bool files_lists_make_room(struct files_lists *, uint64_t now_ms);

/* Begins to list the folder, whose descriptor it takes, and responds when it was read. 0, or the
 * status of the error: then there is no response yet. */
unsigned files_list_begin(struct exchange *, const struct files_name *, int fd, bool json,
			  struct files_listing **ret);
/* Of a handler's give(). */
long files_list_give(struct files_listing *, uint8_t *out, size_t size);
void files_list_end(struct files_listing *);

/* --- files_page.c ----------------------------------------------------------------------------- */

struct files_entry {
	uint32_t name, name_len; /* in names */
	bool is_folder;
	uint64_t size;
	int64_t modified;
};

enum files_order { FILES_BY_NAME, FILES_BY_SIZE, FILES_BY_TIME };

/* A folder, and how it is shown. */
struct files_page {
	struct files_entry *entries; /* owned */
	size_t count, room;
	char *names; /* owned */
	size_t names_len, names_room;
	bool cut; /* there are more */
	bool json, descending, has_parent;
	enum files_order order;
	const char *path; /* of the request, decoded; borrowed */
	size_t path_len;
	size_t next; /* the entry that is written next */
	bool begun, titled, ended;
	struct buf out; /* what was written and not sent yet; owned */
};

void files_page_init(struct files_page *, const char *path, size_t path_len, bool json);
/* Reads "sort=size&order=desc" of a query; what it does not say is by name and ascending. */
void files_page_read_query(struct files_page *, const char *query, size_t len);
/* 0, -ENOMEM, or -ENOSPC: it is not added, and cut is set. A name that is too long is left out, and
 * cut is set, too. */
int files_page_add(struct files_page *, const char *name, size_t len, const struct files_file *);
/* Folders come first; then nothing can be added. */
void files_page_sort(struct files_page *);
/* The memory that it holds. */
size_t files_page_bytes(const struct files_page *);
/* Copies the next bytes of the page: returns how many, GIVE_END or GIVE_FAIL. */
long files_page_give(struct files_page *, uint8_t *out, size_t size);
void files_page_release(struct files_page *);

#endif

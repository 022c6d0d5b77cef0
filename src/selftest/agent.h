/*
 * Declarations for the selftest and its agents in the children; src/selftest only.
 *
 * There is one SOCK_SEQPACKET connection per child. The agent introduces itself (struct hello),
 * then carries out orders one by one. Both sides are the same program, so the machine's layout is
 * used.
 */
#ifndef SELFTEST_AGENT_H
#define SELFTEST_AGENT_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/loop.h"
#include "role/role.h"

#define NEEDLE_BYTES 32
#define NEEDLES_MAX  12
#define NEEDLE_MASK  0x5a /* so that a search does not find the needle itself */
#define PATH_ROOM    512
#define AGENT_SCANS  2 /* searches of a process for secrets: a key and a hash */

struct needle {
	uint8_t masked[NEEDLE_BYTES];
};

struct hello {
	uint32_t role; /* enum ipc_role */
	uint32_t port;
	uint32_t number;
	int32_t pid;
	uint64_t counters; /* the address of its slot */
	struct sandbox_level level;
};

struct order {
	uint32_t attempt; /* index in attempts[] */
	int32_t pid;      /* the target process */
	uint32_t port;    /* of the other port */
	uint32_t needles_count;
	uint64_t address;     /* an address in that process */
	char path[PATH_ROOM]; /* or a password */
	struct needle needles[NEEDLES_MAX];
};

struct answer {
	int32_t result; /* negative: -errno; else the attempt succeeded */
};

/* What a worker reads that it must not have, to show that it is found. */
enum agent_kept { AGENT_KEPT_KEY = 1, AGENT_KEPT_PASSWORDS = 2 };

/* In a child. Besides what it borrows from the role, it holds what a leak would give an attacker,
 * made before the drop. */
struct agent {
	struct loop_io io; /* first */
	struct role_hook hook;
	unsigned keep;             /* bits of enum agent_kept */
	const char *path;          /* where the selftest listens */
	int root_fd;               /* of "/" */
	int document_fd;           /* a document root of the configuration; -1: it has none */
	int site_fd;               /* the selftest's own one (site.h); -1: it has none */
	int exe_fd;                /* O_PATH of this program */
	int maps_fds[AGENT_SCANS]; /* /proc/self/maps, each read once */
	unsigned scans;            /* of these used */
	int tcp4_fd;               /* not connected */
	int tcp6_fd;               /* not connected; -1: no IPv6 here */
	int unix_fd;               /* not connected */
	int key_fd;                /* the role's first key channel; -1 except in a worker */
	int password_fd;           /* the role's first password channel; -1 except in a worker */
	int connect_fd;            /* the role's first connect channel; -1 except in a worker */
	int listener_fd;           /* the role's first listener; -1 except in a worker */
	int datagram_fd;           /* the role's log */
	int tickets_fd;            /* leaked memory of the ticket keys; -1 except in a worker */
	void *tickets;             /* the same memory, mapped as in a worker; NULL in others */
	/* Leaked memory about upstreams: the health of a worker, the names of a connector, both
	 * read-only, and mapped; the names of a resolver, with its offset at the end. -1: none */
	int shared_fd;
	void *shared;       /* the mapping; NULL in a resolver */
	const void *pinned; /* the block of addresses of a connector or resolver */
	size_t pinned_bytes;
	bool is_resolver;
	struct ipc_board *board;         /* borrowed from the role */
	uint64_t last_id;                /* on these channels */
	char *maps;                      /* room for the text of one */
	char *kept_key, *kept_passwords; /* the texts of files, if it was told to read them */
};
#define MAPS_ROOM (512 << 10)

/* Makes an attempt. Returns -errno if it was refused, else a result that is 0 or more. */
typedef int attempt_fn(struct agent *, const struct order *);

/* Of a system call that gives nothing more than its success. */
static inline int attempt_result(long result)
{
	return result < 0 ? -errno : 0;
}

/* try_file.c: openat(2) from the leaked root; by the path itself; for writing; after fchdir(2) to
 * that root; creating a file */
attempt_fn try_open_leaked, try_open_path, try_open_write, try_open_moved, try_create;
/* try_root.c: with a document root. Reading it; openat2(2) upwards, by an absolute path, from the
 * leaked root, and of an unnamed file for writing; changing names; looking at a file above. With
 * the selftest's own root: changing a file, emptying it, making one, writing into a FIFO. A folder,
 * a file (O_PATH) and a link above; forms of calls that no handler uses */
attempt_fn try_root_read, try_root_up, try_root_absolute, try_root_leaked, try_root_write,
    try_root_unlink, try_root_rename, try_root_link, try_root_stat, try_root_change, try_root_empty,
    try_root_create, try_root_pipe, try_root_list, try_root_size, try_root_target, try_root_drop,
    try_root_flags;
/* try_process.c */
attempt_fn try_vm_read, try_vm_write, try_ptrace, try_kill, try_tgkill, try_pidfd_steal,
    try_pidfd_signal, try_setns, try_signal_queue, try_recorder_lost;
/* try_network.c */
attempt_fn try_socket4, try_socket6, try_socket_unix, try_socket_netlink, try_connect4,
    try_connect6, try_connect_path, try_connect_abstract, try_bind, try_listen, try_datagram,
    try_fastopen, try_unlisten, try_linger, try_read_error, try_log_flood;
/* try_kernel.c */
attempt_fn try_fork, try_exec, try_memfd, try_map_exec, try_map_shared, try_map_huge,
    try_map_locked, try_map_tickets, try_protect_tickets, try_protect_exec, try_namespace,
    try_io_uring, try_bpf, try_perf, try_userfaultfd, try_keyctl, try_mount, try_setuid,
    try_raise_files, try_raise_processes, try_dumpable, try_terminal, try_32bit, try_x32;
/* try_key.c: 0 when it got a signature, -EKEYREJECTED when the keyholder refused */
attempt_fn try_key_proper, try_key_proper_rsa, try_key_proper_ed25519, try_key_short,
    try_key_length, try_key_id, try_key_oversized, try_key_index, try_key_foreign, try_key_digest,
    try_key_certificate, try_key_other_side, try_key_raw;
/* try_password.c: 1 when the password was right, -EKEYREJECTED when it was wrong */
attempt_fn try_password_right, try_password_wrong, try_password_many, try_password_file,
    try_password_short, try_password_length, try_password_id, try_password_nul,
    try_password_oversized;
/* try_connect.c. From a connector or resolver: reaching what is listed, and an address of a name:
 * results above 0; a copy of a listed address, another port, another address, places that are none,
 * the Unix socket that is listed (above 0), its path elsewhere, another one, the beginning of its
 * path; other sockets and ways. Its block: unmapping, moving, changing, mapping over and filling
 * it. With memory that others write, or that is full. From a worker, over its channel to the
 * connector: 1 when it was connected */
attempt_fn try_reach_listed, try_reach_named, try_reach_copy, try_reach_port, try_reach_neighbour,
    try_reach_inside, try_reach_after, try_reach_local, try_reach_local_copy, try_reach_local_other,
    try_reach_local_beginning, try_datagrams, try_send_fast, try_block_unmap, try_block_move,
    try_block_protect, try_block_advise, try_block_map, try_block_fill, try_map_shared_state,
    try_protect_shared_state, try_write_shared_state, try_names_grow, try_ask_proper,
    try_ask_endpoint, try_ask_short, try_ask_id, try_ask_time, try_ask_oversized;
/* try_memory.c: how many of the needles are in this process's memory */
attempt_fn try_scan;

/* memory.c: parses a line of proc_pid_maps(5); its range if it can be read (reading [vvar] may
 * fault, and [vsyscall] does). */
bool map_parse(const char *line, uint64_t *ret_from, uint64_t *ret_to);

/* memory.c: how often a needle occurs in these bytes. */
size_t needle_count(const struct needle *, const uint8_t *data, size_t len);

#endif

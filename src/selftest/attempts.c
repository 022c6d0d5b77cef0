/*
 * The table of attempts, for the selftest and its agents. Must never expect a refusal where nothing
 * refuses.
 */
#include "attempts.h"

#include <errno.h>
#include <sys/syscall.h>

#define WORKERS    (ROLE_WORKER | ROLE_PLAIN)
#define HOLDERS    (ROLE_KEYHOLDER | ROLE_VERIFIER)
#define CONNECTING (ROLE_CONNECTOR | ROLE_RESOLVER)
#define ALL        (WORKERS | HOLDERS | CONNECTING)

/* In the first round; the same for every user. */
#define WHOLE(...)                  \
	{                           \
		{__VA_ARGS__},      \
		{                   \
			__VA_ARGS__ \
		}                   \
	}
#define ENDED(name)   WHOLE(.kind = EXPECT_END, .call = SYS_##name)
#define ENDED_UNNAMED WHOLE(.kind = EXPECT_END, .call = -1)
#define ANSWERED(k)   WHOLE(.kind = (k))

/* In the second round, which shows the layers under the list of system calls. */
#define REFUSED(error, abi)                                                  \
	{                                                                    \
		.kind = EXPECT_ERROR, .errors = {(error)}, .landlock = (abi) \
	}
#define UNTESTED(why)                                    \
	{                                                \
		.kind = EXPECT_UNTESTED, .reason = (why) \
	}
#define BELOW(error, abi)                                \
	{                                                \
		REFUSED(error, abi), REFUSED(error, abi) \
	}

/* A row without entries for the second round is tried in the first one only. */
#define ROW(text, roles, function, target, path, ...)                \
	{                                                            \
		text, roles, function, TARGET_##target, PATH_##path, \
		{                                                    \
			__VA_ARGS__                                  \
		}                                                    \
	}

#define ROOT_ONLY "only an empty root would refuse it"

/* What a document root refuses in both rounds: with either of these errors, or, by ENOENT, only
 * where it is a mount of its own. */
#define BENEATH(first, second)                                                           \
	WHOLE(.kind = EXPECT_ERROR, .errors = {(first), (second)}, .call = SYS_openat2), \
	    WHOLE(.kind = EXPECT_ERROR, .errors = {(first), (second)})
#define MOUNTED(name)                                                                       \
	WHOLE(.kind = EXPECT_ERROR, .errors = {ENOENT}, .call = SYS_##name, .mount = true), \
	    WHOLE(.kind = EXPECT_ERROR, .errors = {ENOENT}, .mount = true)

const struct attempt attempts[] = {
    /* the control for the following rows, and searches that must come before processes end */
    ROW("find the port's private key in its memory", ROLE_WORKER | ROLE_VERIFIER | CONNECTING,
	try_scan, NONE, NONE, ANSWERED(EXPECT_ABSENCE)),
    ROW("find the port's private key in its memory (control)", ROLE_KEYHOLDER, try_scan, NONE, NONE,
	ANSWERED(EXPECT_PRESENCE)),
    ROW("find another port's private key in its memory", ROLE_PLAIN, try_scan, NONE, NONE,
	ANSWERED(EXPECT_ABSENCE)),

    ROW("find the password's hash in its memory", WORKERS | ROLE_KEYHOLDER | CONNECTING, try_scan,
	NONE, HASH, ANSWERED(EXPECT_ABSENCE)),
    ROW("find the password's hash in its memory (control)", ROLE_VERIFIER, try_scan, NONE, HASH,
	ANSWERED(EXPECT_PRESENCE)),

    /* the keyholder, over the worker's own channel */
    ROW("ask for a signature as TLS does (control)", ROLE_WORKER, try_key_proper, NONE, NONE,
	ANSWERED(EXPECT_SUCCESS)),
    ROW("the same with its RSA key (control)", ROLE_WORKER, try_key_proper_rsa, NONE, NONE,
	ANSWERED(EXPECT_SUCCESS)),
    ROW("the same with its Ed25519 key (control)", ROLE_WORKER, try_key_proper_ed25519, NONE, NONE,
	ANSWERED(EXPECT_SUCCESS)),
    ROW("ask with the index of a key that is not there", ROLE_WORKER, try_key_index, NONE, NONE,
	ANSWERED(EXPECT_REFUSAL)),
    ROW("ask for an RSA signature of an ECDSA key", ROLE_WORKER, try_key_foreign, NONE, NONE,
	ANSWERED(EXPECT_REFUSAL)),
    ROW("ask with a digest of the wrong length", ROLE_WORKER, try_key_digest, NONE, NONE,
	ANSWERED(EXPECT_REFUSAL)),
    ROW("ask to sign a certificate (Ed25519)", ROLE_WORKER, try_key_certificate, NONE, NONE,
	ANSWERED(EXPECT_REFUSAL)),
    ROW("ask to sign as a client with a host's key (EdDSA)", ROLE_WORKER, try_key_other_side, NONE,
	NONE, ANSWERED(EXPECT_REFUSAL)),
    ROW("ask for an RSA operation on bare bytes", ROLE_WORKER, try_key_raw, NONE, NONE,
	ANSWERED(EXPECT_REFUSAL)),
    ROW("send the keyholder a packet that is too short", ROLE_WORKER, try_key_short, NONE, NONE,
	ANSWERED(EXPECT_KILL)),
    ROW("send it a length that is not the packet's", ROLE_WORKER, try_key_length, NONE, NONE,
	ANSWERED(EXPECT_KILL)),
    ROW("send it an id of 0", ROLE_WORKER, try_key_id, NONE, NONE, ANSWERED(EXPECT_KILL)),
    ROW("send it 64 KiB", ROLE_WORKER, try_key_oversized, NONE, NONE, ANSWERED(EXPECT_KILL)),

    /* the verifier, in the same way */
    ROW("ask if a password is right, as HTTP does (control)", WORKERS, try_password_right, NONE,
	PASSWORD, ANSWERED(EXPECT_RIGHT)),
    ROW("ask with a wrong password", WORKERS, try_password_wrong, NONE, PASSWORD,
	ANSWERED(EXPECT_WRONG)),
    ROW("ask 64 times before the first answer", WORKERS, try_password_many, NONE, PASSWORD,
	ANSWERED(EXPECT_RIGHT)),
    ROW("ask with the number of a file that is not there", WORKERS, try_password_file, NONE,
	PASSWORD, ANSWERED(EXPECT_KILL)),
    ROW("send the verifier a packet that is too short", WORKERS, try_password_short, NONE, PASSWORD,
	ANSWERED(EXPECT_KILL)),
    ROW("send the verifier a length that is not the packet's", WORKERS, try_password_length, NONE,
	PASSWORD, ANSWERED(EXPECT_KILL)),
    ROW("send the verifier an id of 0", WORKERS, try_password_id, NONE, PASSWORD,
	ANSWERED(EXPECT_KILL)),
    ROW("send the verifier a password with a NUL byte", WORKERS, try_password_nul, NONE, PASSWORD,
	ANSWERED(EXPECT_KILL)),
    ROW("send the verifier 64 KiB", WORKERS, try_password_oversized, NONE, PASSWORD,
	ANSWERED(EXPECT_KILL)),

    /* the connector, in the same way */
    ROW("ask for a connection as a proxy does (control)", WORKERS, try_ask_proper, NONE, UPSTREAM,
	ANSWERED(EXPECT_CONNECTED)),
    ROW("ask with the number of no endpoint", WORKERS, try_ask_endpoint, NONE, UPSTREAM,
	ANSWERED(EXPECT_KILL)),
    ROW("send the connector a packet that is too short", WORKERS, try_ask_short, NONE, UPSTREAM,
	ANSWERED(EXPECT_KILL)),
    ROW("send the connector an id of 0", WORKERS, try_ask_id, NONE, UPSTREAM,
	ANSWERED(EXPECT_KILL)),
    ROW("ask for a connection in no time", WORKERS, try_ask_time, NONE, UPSTREAM,
	ANSWERED(EXPECT_KILL)),
    ROW("send the connector 64 KiB", WORKERS, try_ask_oversized, NONE, UPSTREAM,
	ANSWERED(EXPECT_KILL)),

    /* files */
    /* in the form that glibc's malloc(3) uses, which is refused and does not end a process with
     * threads; and in others */
    ROW("read /etc/passwd", ALL, try_open_path, NONE, PASSWD,
	WHOLE(.kind = EXPECT_ERROR, .errors = {EACCES}, .call = SYS_openat),
	{REFUSED(ENOENT, 0), REFUSED(EACCES, 1)}),
    ROW("write /etc/passwd", ALL, try_open_write, NONE, PASSWD, ENDED(openat),
	{REFUSED(ENOENT, 0), REFUSED(EACCES, 0)}),
    ROW("read /etc/passwd by a leaked descriptor of /", ALL | ROLE_LOCAL, try_open_leaked, NONE,
	PASSWD, ENDED(openat), BELOW(EACCES, 1)),
    ROW("go to a leaked / and read /etc/passwd", ALL, try_open_moved, NONE, PASSWD, ENDED(fchdir),
	BELOW(EACCES, 1)),
    ROW("read its own port's key file", ROLE_WORKER | HOLDERS | CONNECTING, try_open_leaked, NONE,
	OWN_KEY, ENDED(openat), BELOW(EACCES, 1)),
    ROW("read another port's key file", ALL, try_open_leaked, NONE, OTHER_KEY, ENDED(openat),
	BELOW(EACCES, 1)),
    ROW("read its own port's password file", ALL, try_open_leaked, NONE, OWN_PASSWORDS,
	ENDED(openat), BELOW(EACCES, 1)),
    ROW("read another port's password file", ALL, try_open_leaked, NONE, OTHER_PASSWORDS,
	ENDED(openat), BELOW(EACCES, 1)),
    ROW("make a file", ALL, try_create, NONE, NEW, ENDED(openat), BELOW(EACCES, 1)),

    /* document roots: ENOENT and EROFS where they are mounts of their own, EACCES by Landlock. In a
     * process without any, none of these calls is allowed */
    ROW("list its document root (control)", WORKERS, try_root_read, NONE, ROOT,
	ANSWERED(EXPECT_READ), ANSWERED(EXPECT_READ)),
    ROW("leave its document root for /etc/passwd", ALL, try_root_up, NONE, ROOT,
	BENEATH(EACCES, ENOENT)),
    ROW("list a folder outside of its document root", ALL, try_root_list, NONE, ROOT,
	BENEATH(EACCES, ENOENT)),
    ROW("find out the size of a file outside (O_PATH)", ALL, try_root_size, NONE, ROOT,
	MOUNTED(openat2)),
    ROW("find out where a link outside leads", ALL, try_root_target, NONE, ROOT,
	MOUNTED(readlinkat)),
    ROW("read /etc/passwd (openat2)", ALL, try_root_absolute, NONE, ROOT,
	WHOLE(.kind = EXPECT_ERROR, .errors = {EACCES, ENOENT}, .call = SYS_openat2),
	{REFUSED(ENOENT, 0), REFUSED(EACCES, 1)}),
    ROW("read /etc/passwd by a leaked / (openat2)", ALL, try_root_leaked, NONE, ROOT,
	WHOLE(.kind = EXPECT_ERROR, .errors = {EACCES}, .call = SYS_openat2, .landlock = 1),
	BELOW(EACCES, 1)),
    ROW("write into its document root", ALL, try_root_write, NONE, ROOT, BENEATH(EACCES, EROFS)),
    ROW("make a file in its document root", ALL, try_root_create, NONE, ROOT,
	BENEATH(EACCES, EROFS)),
    ROW("change a file in its document root", ALL, try_root_change, NONE, ROOT,
	BENEATH(EACCES, EROFS)),
    ROW("empty a file in its document root", ALL, try_root_empty, NONE, ROOT,
	BENEATH(EACCES, EROFS)),
    ROW("write into a FIFO in its document root", ALL, try_root_pipe, NONE, ROOT,
	BENEATH(EACCES, 0)),
    ROW("remove a file in its document root", ALL, try_root_unlink, NONE, ROOT, ENDED(unlinkat)),
    ROW("rename a file in its document root", ALL, try_root_rename, NONE, ROOT, ENDED(renameat2)),
    ROW("link a file in its document root", ALL, try_root_link, NONE, ROOT, ENDED(linkat)),
    ROW("look at a file outside of its document root", ALL, try_root_stat, NONE, ROOT,
	ENDED(statx)),
    ROW("drop what others read from the page cache", ALL, try_root_drop, NONE, ROOT,
	ENDED(fadvise64)),
    ROW("read with a flag that no handler uses", ALL, try_root_flags, NONE, ROOT, ENDED(preadv2)),

    ROW("read the terminal that its standard error is", ALL, try_read_error, NONE, NONE,
	WHOLE(.kind = EXPECT_ERROR, .errors = {EBADF})),
    ROW("write to its log faster than its rate", ALL, try_log_flood, NONE, NONE,
	WHOLE(.kind = EXPECT_ERROR, .errors = {EAGAIN})),

    /* other processes */
    ROW("read the master's memory (/proc/PID/mem)", ALL, try_open_leaked, MASTER, TARGET_MEMORY,
	ENDED(openat), BELOW(EACCES, 1)),
    ROW("read the master's memory (process_vm_readv)", ALL, try_vm_read, MASTER, NONE,
	ENDED(process_vm_readv), BELOW(EPERM, 0)),
    ROW("trace the master", ALL, try_ptrace, MASTER, NONE, ENDED(ptrace), BELOW(EPERM, 0)),
    ROW("signal the master", ALL, try_kill, MASTER, NONE, ENDED(kill),
	{REFUSED(EPERM, 0), REFUSED(EPERM, 6)}),
    ROW("signal a thread of the master", ALL, try_tgkill, MASTER, NONE, ENDED(tgkill),
	{REFUSED(EPERM, 0), REFUSED(EPERM, 6)}),
    ROW("queue a signal (the limit is the whole user's)", ALL, try_signal_queue, NONE, NONE,
	ENDED(tgkill), BELOW(EAGAIN, 0)),
    /* a connector or resolver cannot drop it */
    ROW("make a socket, its crash recorder's memory dropped", WORKERS | HOLDERS, try_recorder_lost,
	NONE, NONE, ANSWERED(EXPECT_UNRECORDED)),
    ROW("signal the master by a pidfd", ALL, try_pidfd_signal, MASTER, NONE, ENDED(pidfd_open),
	{REFUSED(EPERM, 0), REFUSED(EPERM, 6)}),
    ROW("take a descriptor of the master's", ALL, try_pidfd_steal, MASTER, NONE, ENDED(pidfd_open),
	BELOW(EPERM, 0)),
    ROW("read another port's worker (/proc/PID/mem)", ALL, try_open_leaked, OTHER_WORKER,
	TARGET_MEMORY, ENDED(openat), BELOW(EACCES, 1)),
    ROW("read another port's worker (process_vm_readv)", ALL, try_vm_read, OTHER_WORKER, NONE,
	ENDED(process_vm_readv), BELOW(EPERM, 0)),
    ROW("write another port's counters", ALL, try_vm_write, OTHER_WORKER, NONE,
	ENDED(process_vm_writev), BELOW(EPERM, 0)),
    ROW("trace another port's worker", ALL, try_ptrace, OTHER_WORKER, NONE, ENDED(ptrace),
	BELOW(EPERM, 0)),
    ROW("signal another port's worker", ALL, try_kill, OTHER_WORKER, NONE, ENDED(kill),
	BELOW(EPERM, 6)),
    ROW("read another port's keyholder (/proc/PID/mem)", ALL, try_open_leaked, OTHER_KEYHOLDER,
	TARGET_MEMORY, ENDED(openat), BELOW(EACCES, 1)),
    ROW("read another port's keyholder (process_vm_readv)", ALL, try_vm_read, OTHER_KEYHOLDER, NONE,
	ENDED(process_vm_readv), BELOW(EPERM, 0)),
    ROW("signal another port's keyholder", ALL, try_kill, OTHER_KEYHOLDER, NONE, ENDED(kill),
	BELOW(EPERM, 6)),
    ROW("read another port's verifier (/proc/PID/mem)", ALL, try_open_leaked, OTHER_VERIFIER,
	TARGET_MEMORY, ENDED(openat), BELOW(EACCES, 1)),
    ROW("read another port's verifier (process_vm_readv)", ALL, try_vm_read, OTHER_VERIFIER, NONE,
	ENDED(process_vm_readv), BELOW(EPERM, 0)),
    ROW("signal another port's verifier", ALL, try_kill, OTHER_VERIFIER, NONE, ENDED(kill),
	BELOW(EPERM, 6)),
    ROW("read its own keyholder (/proc/PID/mem)", ROLE_WORKER | ROLE_VERIFIER | CONNECTING,
	try_open_leaked, KEYHOLDER, TARGET_MEMORY, ENDED(openat), BELOW(EACCES, 1)),
    ROW("read its own keyholder (process_vm_readv)", ROLE_WORKER | ROLE_VERIFIER | CONNECTING,
	try_vm_read, KEYHOLDER, NONE, ENDED(process_vm_readv), BELOW(EPERM, 0)),
    ROW("trace its own keyholder", ROLE_WORKER | ROLE_VERIFIER | CONNECTING, try_ptrace, KEYHOLDER,
	NONE, ENDED(ptrace), BELOW(EPERM, 0)),
    ROW("signal its own keyholder", ROLE_WORKER | ROLE_VERIFIER | CONNECTING, try_kill, KEYHOLDER,
	NONE, ENDED(kill), BELOW(EPERM, 6)),

    ROW("read its own verifier (/proc/PID/mem)", WORKERS | ROLE_KEYHOLDER | CONNECTING,
	try_open_leaked, VERIFIER, TARGET_MEMORY, ENDED(openat), BELOW(EACCES, 1)),
    ROW("read its own verifier (process_vm_readv)", WORKERS | ROLE_KEYHOLDER | CONNECTING,
	try_vm_read, VERIFIER, NONE, ENDED(process_vm_readv), BELOW(EPERM, 0)),
    ROW("trace its own verifier", WORKERS | ROLE_KEYHOLDER | CONNECTING, try_ptrace, VERIFIER, NONE,
	ENDED(ptrace), BELOW(EPERM, 0)),
    ROW("signal its own verifier", WORKERS | ROLE_KEYHOLDER | CONNECTING, try_kill, VERIFIER, NONE,
	ENDED(kill), BELOW(EPERM, 6)),

    /* the network and other sockets */
    ROW("make an IPv4 socket", ALL, try_socket4, NONE, NONE, ENDED(socket)),
    ROW("make an IPv6 socket", ALL, try_socket6, NONE, NONE, ENDED(socket)),
    ROW("make a unix socket", ALL | ROLE_LOCAL, try_socket_unix, NONE, NONE, ENDED(socket)),
    ROW("make a netlink socket", ALL, try_socket_netlink, NONE, NONE, ENDED(socket)),
    ROW("connect out over a leaked socket, IPv4", ALL, try_connect4, NONE, NONE, ENDED(connect),
	BELOW(EACCES, 4)),
    ROW("connect out over a leaked socket, IPv6", ALL, try_connect6, NONE, NONE, ENDED(connect),
	BELOW(EACCES, 4)),
    ROW("connect to a unix socket by its path", ALL, try_connect_path, NONE, SOCKET, ENDED(connect),
	{REFUSED(ENOENT, 0), UNTESTED(ROOT_ONLY)}),
    ROW("connect to an abstract unix socket", ALL | ROLE_LOCAL, try_connect_abstract, NONE,
	ABSTRACT, ENDED(connect), BELOW(EPERM, 6)),
    ROW("write to a unix socket's path over a leaked one", ALL, try_datagram, NONE, DATAGRAM,
	ENDED(sendto), {REFUSED(ENOENT, 0), UNTESTED(ROOT_ONLY)}),
    ROW("connect out by sending (TCP Fast Open)", ALL, try_fastopen, NONE, NONE, ENDED(sendto)),
    ROW("make an unconnected socket of its listener", WORKERS, try_unlisten, NONE, NONE,
	ENDED(shutdown)),
    ROW("set an option that its listener hands on", WORKERS, try_linger, NONE, NONE,
	ENDED(setsockopt)),
    ROW("bind a leaked socket", ALL, try_bind, NONE, NONE, ENDED(bind), BELOW(EACCES, 4)),
    ROW("listen on a leaked socket", ALL, try_listen, NONE, NONE, ENDED(listen)),

    /* connectors and resolvers: what is listed, and nothing else */
    ROW("reach its upstream (control)", ROLE_CONNECTOR, try_reach_listed, NONE, NONE,
	ANSWERED(EXPECT_CONNECTED), ANSWERED(EXPECT_CONNECTED)),
    ROW("reach it by an address of its name (control)", ROLE_CONNECTOR, try_reach_named, NONE, NONE,
	ANSWERED(EXPECT_CONNECTED), ANSWERED(EXPECT_CONNECTED)),
    ROW("choose its name server (control)", ROLE_RESOLVER, try_reach_listed, NONE, NONE,
	ANSWERED(EXPECT_CONNECTED), ANSWERED(EXPECT_CONNECTED)),
    ROW("reach a listed address, copied elsewhere", CONNECTING | ROLE_LOCAL, try_reach_copy, NONE,
	NONE, ENDED(connect)),
    ROW("reach another port", CONNECTING, try_reach_port, NONE, NONE, ENDED(connect),
	BELOW(EACCES, 4)),
    ROW("reach another address at a listed port", CONNECTING, try_reach_neighbour, NONE, NONE,
	ENDED(connect)),
    ROW("connect with a pointer into a place", CONNECTING, try_reach_inside, NONE, NONE,
	ENDED(connect)),
    ROW("connect with a pointer after its places", CONNECTING, try_reach_after, NONE, NONE,
	ENDED(connect)),
    ROW("reach its upstream's Unix socket (control)", ROLE_LOCAL, try_reach_local, NONE, LOCAL,
	ANSWERED(EXPECT_CONNECTED), ANSWERED(EXPECT_CONNECTED)),
    ROW("reach that socket by a copy of its path", ROLE_LOCAL, try_reach_local_copy, NONE, LOCAL,
	ENDED(connect)),
    ROW("reach another Unix socket", ROLE_LOCAL, try_reach_local_other, NONE, LOCAL,
	ENDED(connect)),
    ROW("reach a Unix socket whose path begins the listed one", ROLE_LOCAL,
	try_reach_local_beginning, NONE, LOCAL, ENDED(connect)),
    ROW("make a socket for datagrams", ROLE_CONNECTOR, try_datagrams, NONE, NONE, ENDED(socket)),
    ROW("connect out by sendmsg (TCP Fast Open)", CONNECTING, try_send_fast, NONE, NONE,
	ENDED(sendmsg)),
    ROW("unmap its list of addresses", CONNECTING, try_block_unmap, NONE, NONE,
	WHOLE(.kind = EXPECT_ERROR, .errors = {EPERM})),
    ROW("move its list of addresses away", CONNECTING, try_block_move, NONE, NONE,
	WHOLE(.kind = EXPECT_ERROR, .errors = {EPERM})),
    ROW("make its list of addresses writable", CONNECTING, try_block_protect, NONE, NONE,
	WHOLE(.kind = EXPECT_ERROR, .errors = {EPERM}), BELOW(EACCES, 0)),
    ROW("empty its list of addresses (madvise)", CONNECTING, try_block_advise, NONE, NONE,
	WHOLE(.kind = EXPECT_ERROR, .errors = {EPERM}), BELOW(EACCES, 0)),
    ROW("map other memory over its list of addresses", CONNECTING, try_block_map, NONE, NONE,
	ENDED(mmap)),
    ROW("let the kernel write into its list of addresses", CONNECTING, try_block_fill, NONE, NONE,
	WHOLE(.kind = EXPECT_ERROR, .errors = {EFAULT}), BELOW(EFAULT, 0)),
    ROW("map the addresses of names for writing", ROLE_CONNECTOR, try_map_shared_state, NONE, NONE,
	ENDED(mmap), BELOW(EACCES, 0)),
    ROW("make the addresses of names writable", ROLE_CONNECTOR, try_protect_shared_state, NONE,
	NONE, WHOLE(.kind = EXPECT_ERROR, .errors = {EPERM}), BELOW(EACCES, 0)),
    ROW("write to the addresses of names", ROLE_CONNECTOR, try_write_shared_state, NONE, NONE,
	WHOLE(.kind = EXPECT_ERROR, .errors = {EBADF}), BELOW(EBADF, 0)),
    ROW("write more names than there are", ROLE_RESOLVER, try_names_grow, NONE, NONE,
	WHOLE(.kind = EXPECT_ERROR, .errors = {EPERM}), BELOW(EPERM, 0)),
    ROW("map its upstreams' health for writing", WORKERS, try_map_shared_state, NONE, UPSTREAM,
	ENDED(mmap), BELOW(EACCES, 0)),
    ROW("make its upstreams' health writable", WORKERS, try_protect_shared_state, NONE, UPSTREAM,
	WHOLE(.kind = EXPECT_ERROR, .errors = {EACCES}), BELOW(EACCES, 0)),
    ROW("write to its upstreams' health", WORKERS, try_write_shared_state, NONE, UPSTREAM,
	WHOLE(.kind = EXPECT_ERROR, .errors = {EBADF}), BELOW(EBADF, 0)),

    /* more of itself */
    ROW("fork", ALL, try_fork, NONE, NONE, ENDED(clone), BELOW(EAGAIN, 0)),
    ROW("exec a leaked descriptor of a program", ALL, try_exec, NONE, NONE, ENDED(execveat),
	BELOW(EACCES, 1)),
    ROW("make a file in memory, to exec it", ALL, try_memfd, NONE, NONE, ENDED(memfd_create)),
    ROW("map executable memory", ALL, try_map_exec, NONE, NONE, ENDED(mmap)),
    ROW("make its memory executable", WORKERS | HOLDERS, try_protect_exec, NONE, NONE,
	ENDED(mprotect)),
    ROW("make its memory executable", CONNECTING, try_protect_exec, NONE, NONE,
	WHOLE(.kind = EXPECT_ERROR, .errors = {EPERM})),
    ROW("map memory that counts for no process (MAP_SHARED)", ALL, try_map_shared, NONE, NONE,
	ENDED(mmap)),
    ROW("the same of huge pages", WORKERS | ROLE_KEYHOLDER | CONNECTING, try_map_huge, NONE, NONE,
	ENDED(mmap)),
    ROW("the same of huge pages", ROLE_VERIFIER, try_map_huge, NONE, NONE,
	WHOLE(.kind = EXPECT_ERROR, .errors = {ENOMEM})),
    ROW("lock memory", ALL, try_map_locked, NONE, NONE, ENDED(mmap)),
    ROW("map the port's ticket keys for writing", ROLE_WORKER, try_map_tickets, NONE, NONE,
	ENDED(mmap), BELOW(EPERM, 0)),
    ROW("make its mapping of them writable", ROLE_WORKER, try_protect_tickets, NONE, NONE,
	WHOLE(.kind = EXPECT_ERROR, .errors = {EACCES}), BELOW(EACCES, 0)),
    ROW("let others read its memory (PR_SET_DUMPABLE)", ALL, try_dumpable, NONE, NONE,
	ENDED(prctl)),

    /* more rights */
    ROW("become root", ALL, try_setuid, NONE, NONE, ENDED(setuid), BELOW(EPERM, 0)),
    ROW("make a user namespace", ALL, try_namespace, NONE, NONE, ENDED(unshare), BELOW(EPERM, 0)),
    ROW("enter the master's namespaces", ALL, try_setns, MASTER, NONE, ENDED(pidfd_open),
	BELOW(EPERM, 0)),
    ROW("mount", ALL, try_mount, NONE, NONE, ENDED(mount), BELOW(EPERM, 0)),
    ROW("raise its limit of descriptors", ALL, try_raise_files, NONE, NONE, ENDED(prlimit64),
	BELOW(EPERM, 0)),
    ROW("raise its limit of processes", ALL, try_raise_processes, NONE, NONE, ENDED(prlimit64),
	BELOW(EPERM, 0)),

    /* rare ways into the kernel */
    ROW("io_uring_setup", ALL, try_io_uring, NONE, NONE, ENDED(io_uring_setup), BELOW(EPERM, 0)),
    ROW("bpf", ALL, try_bpf, NONE, NONE, ENDED(bpf), BELOW(EPERM, 0)),
    ROW("perf_event_open", ALL, try_perf, NONE, NONE, ENDED(perf_event_open), BELOW(EPERM, 0)),
    ROW("userfaultfd", ALL, try_userfaultfd, NONE, NONE, ENDED(userfaultfd), BELOW(EPERM, 0)),
    ROW("keyctl", ALL, try_keyctl, NONE, NONE, ENDED(keyctl), BELOW(EPERM, 0)),
    ROW("type on a terminal (TIOCSTI)", ALL, try_terminal, NONE, NONE, ENDED(ioctl),
	BELOW(EPERM, 0)),
    ROW("a 32-bit system call", ALL, try_32bit, NONE, NONE, ENDED_UNNAMED, ENDED_UNNAMED),
    ROW("an x32 system call", ALL, try_x32, NONE, NONE, ENDED_UNNAMED, ENDED_UNNAMED),
};

void attempt_adapt(struct expectation *e, enum sandbox_role role, unsigned needs)
{
	if (e->kind == EXPECT_ERROR && e->call > 0 &&
	    !sandbox_lists(role, needs, sandbox_call_name((uint64_t)e->call)))
		*e = (struct expectation){.kind = EXPECT_END, .call = e->call};
}

const size_t attempts_count = sizeof(attempts) / sizeof(attempts[0]);

/*
 * Runs in every role while it starts, and for documents: the tables of system calls. Calls that are
 * made for every request must never have a check: the kernel answers calls without one from a
 * bitmap and does not run the filter.
 *
 * The tables also name calls of other machines and older kernels; those that this machine lacks are
 * left out.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "internal.h"

#define ALWAYS(name)                 \
	{                            \
		.call = { name, "" } \
	}
/* For a process with one of these needs. */
#define FOR(which, name)                             \
	{                                            \
		.call = {name, ""}, .needs = (which) \
	}
#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* --- allowed to workers and holders, as far as they need it ----------------------------------- */

/* Mappings are never executable, so injected bytes stay data. */
#define NOT_EXECUTABLE "without PROT_EXEC"

/*
 * A new mapping is the process's own private memory, which the kernel counts for this process when
 * memory is short. Other kinds would make the kernel end other processes: shared memory stays
 * allocated after it is unmapped or dropped (madvise(2)) and then counts for no process, huge pages
 * are not part of the resident set, and locked memory cannot be freed.
 */
#define PRIVATE   "private and anonymous, without PROT_EXEC"
#define MAP_OWN   (MAP_PRIVATE | MAP_ANONYMOUS)
#define MAP_PLAIN (MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_NORESERVE | MAP_STACK | MAP_POPULATE)
#define IS_PRIVATE                                                  \
	{                                                           \
		CHECK_FLAGS, 3, MAP_OWN | (uint64_t)MAP_PLAIN << 32 \
	}

/* And never where something is mapped. */
#define ADDED "private and anonymous, without PROT_EXEC, MAP_FIXED"
#define IS_ADDED                                                                   \
	{                                                                          \
		CHECK_FLAGS, 3, MAP_OWN | (uint64_t)(MAP_PLAIN & ~MAP_FIXED) << 32 \
	}
#define FAILS(name)                                                             \
	{                                                                       \
		.call = {name, "fails"}, .error = EPERM, .needs = MEMORY_PINNED \
	}

/* Needs that follow from the others: has the process no block of addresses, or one? With the
 * run-time of a sanitizer, which maps and unmaps all the time, it has neither, and the extra rows
 * apply. */
#define MEMORY_FREE   (1u << 30)
#define MEMORY_PINNED (1u << 31)

/* Sockets as connectors and resolvers make them. */
#define KIND(type) (SOCK_##type | SOCK_NONBLOCK | SOCK_CLOEXEC)
#define SOCKET(family, type, condition, which)                                                     \
	{                                                                                          \
		{"socket", condition},                                                             \
		    {{CHECK_EQUAL, 0, family}, {CHECK_EQUAL, 1, KIND(type)}, {CHECK_EQUAL, 2, 0}}, \
		    0, which                                                                       \
	}
#define CONNECTING (SANDBOX_CONNECTS | SANDBOX_NAMES)

#define WILLNEED "POSIX_FADV_WILLNEED"

/* A real-time signal is queued each time it is sent, up to a limit of the user that processes of
 * other ports share. The signals up to this number are pending at most once (signal(7)). */
#define SIGNALS_THAT_DO_NOT_QUEUE 31

static const struct rule child[] = {
    /* the event loop, its eventfd and signalfd, the channel */
    ALWAYS("epoll_wait"),
    ALWAYS("epoll_pwait"),
    ALWAYS("epoll_ctl"),
    ALWAYS("read"),
    ALWAYS("write"),
    ALWAYS("recvfrom"),
    ALWAYS("recvmsg"),
    ALWAYS("close"), /* output uses write(2): send(2) can take another address */

    /* the log; waiting for a signature */
    ALWAYS("writev"),
    ALWAYS("poll"),
    ALWAYS("ppoll"),
    ALWAYS("ppoll_time64"),

    /* the time, where the vDSO cannot give it */
    ALWAYS("clock_gettime"),
    ALWAYS("clock_gettime64"),
    ALWAYS("gettimeofday"),
    ALWAYS("time"),

    /* randomness */
    ALWAYS("getrandom"),

    /* memory */
    ALWAYS("brk"),
    FOR(MEMORY_FREE, "munmap"),
    {{"mremap", "to an address of the kernel's choice"},
     {{CHECK_CLEAR, 3, MREMAP_FIXED | MREMAP_DONTUNMAP}},
     0,
     MEMORY_FREE},
    FOR(MEMORY_FREE, "madvise"),
    {{"mmap", PRIVATE}, {{CHECK_CLEAR, 2, PROT_EXEC}, IS_PRIVATE}, 0, MEMORY_FREE},
    {{"mmap2", PRIVATE}, {{CHECK_CLEAR, 2, PROT_EXEC}, IS_PRIVATE}, 0, MEMORY_FREE},
    {{"mprotect", NOT_EXECUTABLE}, {{CHECK_CLEAR, 2, PROT_EXEC}}, 0, MEMORY_FREE},

    /* the same in a process with a block of addresses: nothing that is mapped goes away or
     * changes, and nothing takes its place. malloc() then takes all from brk(). */
    FAILS("munmap"),
    FAILS("mremap"),
    FAILS("madvise"),
    FAILS("mprotect"),
    {{"mmap", ADDED}, {{CHECK_CLEAR, 2, PROT_EXEC}, IS_ADDED}, 0, MEMORY_PINNED},
    {{"mmap2", ADDED}, {{CHECK_CLEAR, 2, PROT_EXEC}, IS_ADDED}, 0, MEMORY_PINNED},

    /* files beneath the document roots. What openat2 opens no filter can see: the mounts and
     * Landlock decide. fstat has no path, unlike the library's newfstatat. */
    FOR(SANDBOX_FILES, "openat2"),
    FOR(SANDBOX_FILES, "readlinkat"),
    FOR(SANDBOX_FILES, "fstat"),
    FOR(SANDBOX_FILES, "fstat64"),
    FOR(SANDBOX_FILES, "pread64"),
    FOR(SANDBOX_FILES, "getdents64"),
    /* what the page cache has, and a request to read the rest; not to drop what others read */
    {{"preadv2", "RWF_NOWAIT"}, {{CHECK_EQUAL, 5, RWF_NOWAIT}}, 0, SANDBOX_FILES},
    {{"fadvise64", WILLNEED}, {{CHECK_EQUAL, 3, POSIX_FADV_WILLNEED}}, 0, SANDBOX_FILES},
    {{"fadvise64_64", WILLNEED}, {{CHECK_EQUAL, 5, POSIX_FADV_WILLNEED}}, 0, SANDBOX_FILES},
    {{"arm_fadvise64_64", WILLNEED}, {{CHECK_EQUAL, 1, POSIX_FADV_WILLNEED}}, 0, SANDBOX_FILES},

    /* locks; qsort() asks for the memory. malloc() asks for the number of processors when a second
     * thread uses it. */
    ALWAYS("futex"),
    ALWAYS("futex_time64"),
    ALWAYS("sysinfo"),
    FOR(SANDBOX_THREADS, "sched_getaffinity"),

    /* signals: return from a handler, continue after SIGSTOP, abort(3) */
    ALWAYS("restart_syscall"),
    ALWAYS("rt_sigprocmask"),
    ALWAYS("rt_sigreturn"),
    ALWAYS("getpid"),
    ALWAYS("gettid"),
    {{"tgkill", "to itself, up to 31"},
     {{CHECK_OWN_PID, 0, 0}, {CHECK_AT_MOST, 2, SIGNALS_THAT_DO_NOT_QUEUE}},
     0,
     0},

    /* the end */
    ALWAYS("exit"),
    ALWAYS("exit_group"),

    /* clients */
    FOR(SANDBOX_CLIENTS, "accept4"),
    /* which address a client without a server name has connected to; whether a connection to an
     * upstream is one to itself */
    FOR(SANDBOX_TLS | SANDBOX_CONNECTS, "getsockname"),
    /* not SHUT_RD: it would disconnect a listener for all processes that share it */
    {{"shutdown", "SHUT_WR"}, {{CHECK_EQUAL, 1, SHUT_WR}}, 0, SANDBOX_CLIENTS},
    /* to cut off a client that does not read; on a listener, every later connection would inherit
     * it in all workers */
    {{"setsockopt", "SO_LINGER, not on a listener"},
     {{CHECK_OTHER, 0, 0}, {CHECK_EQUAL, 1, SOL_SOCKET}, {CHECK_EQUAL, 2, SO_LINGER}},
     0,
     SANDBOX_CLIENTS},

    /* upstreams and name servers. A filter cannot see what a pointer points to, but where. With
     * a shorter length, the beginning of a path would be a path. */
    {{"connect", "to an address of its block"},
     {{CHECK_PLACE, 1, 0}, {CHECK_EQUAL, 2, SANDBOX_ADDRESS_BYTES}},
     0,
     CONNECTING},
    SOCKET(AF_INET, STREAM, "streams that do not block; a resolver: datagrams, too", CONNECTING),
    SOCKET(AF_INET6, STREAM, NULL, CONNECTING),
    SOCKET(AF_UNIX, STREAM, NULL, SANDBOX_LOCAL),
    SOCKET(AF_INET, DGRAM, NULL, SANDBOX_NAMES),
    SOCKET(AF_INET6, DGRAM, NULL, SANDBOX_NAMES),
    FOR(SANDBOX_CONNECTS, "getpeername"),
    {{"getsockopt", "SO_ERROR"},
     {{CHECK_EQUAL, 1, SOL_SOCKET}, {CHECK_EQUAL, 2, SO_ERROR}},
     0,
     CONNECTING},
    {{"setsockopt", "TCP_NODELAY or TCP_CONGESTION"},
     {{CHECK_EQUAL, 1, IPPROTO_TCP}, {CHECK_EQUAL, 2, TCP_NODELAY}},
     0,
     SANDBOX_CONNECTS},
    {{"setsockopt", NULL},
     {{CHECK_EQUAL, 1, IPPROTO_TCP}, {CHECK_EQUAL, 2, TCP_CONGESTION}},
     0,
     SANDBOX_CONNECTS},
    /* a connection to a worker; with MSG_FASTOPEN it would connect */
    {{"sendmsg", "MSG_DONTWAIT and MSG_NOSIGNAL"},
     {{CHECK_EQUAL, 2, MSG_DONTWAIT | MSG_NOSIGNAL}},
     0,
     SANDBOX_CONNECTS},
};

/* --- allowed to a mounter --------------------------------------------------------------------- */

static const struct rule mounter[] = {
    /* an order of the master, and its answer */
    ALWAYS("recvmsg"),
    ALWAYS("sendmsg"),
    ALWAYS("close"),

    /* a copy of a mount, which is attached nowhere */
    ALWAYS("open_tree"),
    ALWAYS("mount_setattr"),

    ALWAYS("restart_syscall"),
    ALWAYS("exit_group"),
};

/* --- denied to the master, and so to all that it ever starts --------------------------------- */

/* Namespaces; CLONE_NEWTIME is not a flag of clone(2). */
#define CLONE_NAMESPACES                                                               \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | \
	 CLONE_NEWPID | CLONE_NEWNET)

static const struct rule master[] = {
    /* looking into other processes */
    ALWAYS("ptrace"),
    ALWAYS("process_vm_readv"),
    ALWAYS("process_vm_writev"),
    ALWAYS("process_madvise"),
    ALWAYS("kcmp"),
    ALWAYS("pidfd_getfd"),

    /* file systems */
    ALWAYS("mount"),
    ALWAYS("umount"),
    ALWAYS("umount2"),
    ALWAYS("pivot_root"),
    ALWAYS("move_mount"),
    ALWAYS("open_tree"),
    ALWAYS("fsopen"),
    ALWAYS("fsconfig"),
    ALWAYS("fsmount"),
    ALWAYS("fspick"),
    ALWAYS("mount_setattr"),
    ALWAYS("quotactl"),
    ALWAYS("quotactl_fd"),
    ALWAYS("nfsservctl"),

    /* files by handle, around directories and roots (CAP_DAC_READ_SEARCH is kept) */
    ALWAYS("name_to_handle_at"),
    ALWAYS("open_by_handle_at"),
    ALWAYS("lookup_dcookie"),

    /* namespaces; clone3 hides its flags from a filter, and C libraries then use clone */
    ALWAYS("unshare"),
    ALWAYS("setns"),
    {{"clone", "with CLONE_NEW..."}, {{CHECK_ANY, 0, CLONE_NAMESPACES}}, 0, 0},
    {{"clone3", "as an unknown call"}, {{CHECK_NONE, 0, 0}}, ENOSYS, 0},

    /* programs for the kernel, and calls that a filter cannot see */
    ALWAYS("bpf"),
    ALWAYS("perf_event_open"),
    ALWAYS("userfaultfd"),
    ALWAYS("io_uring_setup"),
    ALWAYS("io_uring_enter"),
    ALWAYS("io_uring_register"),

    /* the kernel's keys */
    ALWAYS("keyctl"),
    ALWAYS("add_key"),
    ALWAYS("request_key"),

    /* the kernel itself */
    ALWAYS("init_module"),
    ALWAYS("finit_module"),
    ALWAYS("delete_module"),
    ALWAYS("create_module"),
    ALWAYS("kexec_load"),
    ALWAYS("kexec_file_load"),
    ALWAYS("_sysctl"),
    ALWAYS("sysfs"),
    ALWAYS("syslog"),

    /* the machine */
    ALWAYS("reboot"),
    ALWAYS("swapon"),
    ALWAYS("swapoff"),
    ALWAYS("acct"),
    ALWAYS("sethostname"),
    ALWAYS("setdomainname"),
    ALWAYS("vhangup"),
    ALWAYS("iopl"),
    ALWAYS("ioperm"),

    /* its clock */
    ALWAYS("settimeofday"),
    ALWAYS("stime"),
    ALWAYS("clock_settime"),
    ALWAYS("clock_settime64"),
    ALWAYS("clock_adjtime"),
    ALWAYS("clock_adjtime64"),
    ALWAYS("adjtimex"),

    /* other ways of running programs */
    ALWAYS("modify_ldt"),
    ALWAYS("vm86"),
    ALWAYS("vm86old"),
    ALWAYS("uselib"),
    {{"personality", "except to query it"}, {{CHECK_UNEQUAL, 0, 0xffffffff}}, 0, 0},

    /* writing input to the terminal that it was started from */
    {{"ioctl", "TIOCSTI"}, {{CHECK_EQUAL, 1, TIOCSTI}}, 0, 0},
};

/* --- one table per process ------------------------------------------------------------------- */

unsigned sandbox_needs_of(enum sandbox_role role)
{
	switch (role) {
	case SANDBOX_MASTER:
	case SANDBOX_KEYHOLDER:
	case SANDBOX_MOUNTER:
		return 0;
	case SANDBOX_VERIFIER:
		return SANDBOX_HASHES;
	case SANDBOX_CONNECTOR:
		return SANDBOX_CONNECTS | SANDBOX_LOCAL;
	case SANDBOX_RESOLVER:
		return SANDBOX_NAMES;
	case SANDBOX_WORKER:
		return SANDBOX_CLIENTS | SANDBOX_THREADS | SANDBOX_FILES | SANDBOX_TLS;
	}
	return 0;
}

static bool is_denied(const struct rule *r)
{
	for (const char *const *name = calls_not_denied; *name != NULL; name++)
		if (strcmp(*name, r->call.name) == 0)
			return false;
	return true;
}

static const struct rule *master_rule(size_t index)
{
	for (size_t i = 0; i < COUNT(master); i++)
		if (is_denied(&master[i]) && index-- == 0)
			return &master[i];
	return NULL;
}

static bool is_needed(const struct rule *r, unsigned needs)
{
	return r->needs == 0 || (r->needs & needs) != 0;
}

/* Is there a rule for it already? */
static bool has(const struct rule *table, size_t count, unsigned needs, const struct rule *r)
{
	for (size_t i = 0; i < count; i++)
		if (is_needed(&table[i], needs) && strcmp(table[i].call.name, r->call.name) == 0)
			return true;
	return false;
}

/* The calls of a table, then those of this build that are not among them. */
static const struct rule *allowed_rule(const struct rule *table, size_t count, unsigned needs,
				       size_t index)
{
	for (size_t i = 0; i < count; i++)
		if (is_needed(&table[i], needs) && index-- == 0)
			return &table[i];
	for (size_t i = 0; i < calls_extra_count; i++)
		if (is_needed(&calls_extra[i], needs) &&
		    !has(table, count, needs, &calls_extra[i]) && index-- == 0)
			return &calls_extra[i];
	return NULL;
}

/* crypt_r(3) asks for huge pages for yescrypt, and does without. */
static const struct refusal refusals[] = {{"mmap", SANDBOX_HASHES, 3, MAP_HUGETLB, ENOMEM},
					  {"mmap2", SANDBOX_HASHES, 3, MAP_HUGETLB, ENOMEM}};

const struct refusal *calls_refusal(const char *name, unsigned needs)
{
	for (size_t i = 0; i < COUNT(refusals); i++)
		if ((refusals[i].needs & needs) != 0 && strcmp(refusals[i].name, name) == 0)
			return &refusals[i];
	return NULL;
}

static unsigned with_memory(unsigned needs)
{
	if ((needs & SANDBOX_PINNED) == 0)
		return needs | MEMORY_FREE;
	return calls_sanitized ? needs : needs | MEMORY_PINNED;
}

const struct rule *calls_rule(enum sandbox_role role, unsigned needs, size_t index)
{
	switch (role) {
	case SANDBOX_MASTER:
		return master_rule(index);
	case SANDBOX_MOUNTER:
		return allowed_rule(mounter, COUNT(mounter), 0, index);
	case SANDBOX_WORKER:
	case SANDBOX_KEYHOLDER:
	case SANDBOX_VERIFIER:
	case SANDBOX_CONNECTOR:
	case SANDBOX_RESOLVER:
		break;
	}
	return allowed_rule(child, COUNT(child), with_memory(needs & sandbox_needs_of(role)),
			    index);
}

const struct sandbox_call *sandbox_calls(enum sandbox_role role, unsigned needs, size_t index)
{
	const struct rule *r;
	for (size_t i = 0; (r = calls_rule(role, needs, i)) != NULL; i++)
		if (r->call.condition != NULL && index-- == 0)
			return &r->call;
	return NULL;
}

bool sandbox_lists(enum sandbox_role role, unsigned needs, const char *name)
{
	const struct sandbox_call *c;
	for (size_t i = 0; (c = sandbox_calls(role, needs, i)) != NULL; i++)
		if (strcmp(c->name, name) == 0)
			return true;
	return false;
}

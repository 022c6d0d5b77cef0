/* The master writes, workers read. Must never leave a half-written pair for a reader. */
#include "ipc/tickets.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

static int random_fill(uint8_t key[IPC_TICKET_KEY_BYTES])
{
	return getrandom(key, IPC_TICKET_KEY_BYTES, 0) == IPC_TICKET_KEY_BYTES ? 0 : -EIO;
}

static struct ipc_ticket_keys *spare_pair(struct ipc_tickets *t)
{
	return &t->pairs[(t->turn + 1) & 1];
}

/* A reader that still reads the old pair loaded the turn before this. If it reads any of the zeros,
 * it will also see the turn changed, because each zero is stored after the turn. */
static void turn_over(struct ipc_tickets *t)
{
	__atomic_store_n(&t->turn, t->turn + 1, __ATOMIC_RELEASE);
	uint64_t *words = (uint64_t *)(void *)spare_pair(t);
	for (size_t i = 0; i < sizeof(struct ipc_ticket_keys) / sizeof(*words); i++)
		__atomic_store_n(&words[i], 0, __ATOMIC_RELEASE);
}

int ipc_tickets_create(struct ipc_tickets **ret)
{
	const int seals = F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;
	void *memory = MAP_FAILED;
	int fd = memfd_create("bulkhead-tickets", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, sizeof(struct ipc_tickets)) == 0)
		memory = mmap(NULL, sizeof(struct ipc_tickets), PROT_READ | PROT_WRITE, MAP_SHARED,
			      fd, 0);
	int error = memory == MAP_FAILED || fcntl(fd, F_ADD_SEALS, seals) < 0 ? -errno : 0;
	if (error == 0) {
		(void)madvise(memory, sizeof(struct ipc_tickets), MADV_DONTDUMP);
		(void)madvise(memory, sizeof(struct ipc_tickets), MADV_DONTFORK);
		error = ipc_tickets_renew(memory, 0);
	}
	if (error < 0) {
		if (memory != MAP_FAILED)
			ipc_tickets_unmap(memory);
		fd_close(&fd);
		return error;
	}
	*ret = memory;
	return fd;
}

int ipc_tickets_renew(struct ipc_tickets *t, uint64_t previous_until_ms)
{
	struct ipc_ticket_keys *next = spare_pair(t);
	const struct ipc_ticket_keys *now = &t->pairs[t->turn & 1];
	int error = random_fill(next->current);
	if (error < 0)
		return error;
	next->previous_until_ms = previous_until_ms;
	if (previous_until_ms != 0)
		memcpy(next->previous, now->current, sizeof(next->previous));
	turn_over(t);
	return 0;
}

void ipc_tickets_inherit(struct ipc_tickets *t, const uint8_t key[IPC_TICKET_KEY_BYTES],
			 uint64_t until_ms)
{
	struct ipc_ticket_keys *next = spare_pair(t);
	*next = t->pairs[t->turn & 1];
	memcpy(next->previous, key, sizeof(next->previous));
	next->previous_until_ms = until_ms;
	turn_over(t);
}

int ipc_tickets_former(int fd, uint8_t ret_key[IPC_TICKET_KEY_BYTES])
{
	struct ipc_ticket_keys keys;
	const struct ipc_tickets *t = ipc_tickets_map(fd);
	if (t == NULL)
		return -EIO;
	(void)ipc_tickets_read(t, 0, &keys);
	memcpy(ret_key, keys.current, IPC_TICKET_KEY_BYTES);
	explicit_bzero(&keys, sizeof(keys));
	ipc_tickets_unmap(t);
	return 0;
}

const struct ipc_tickets *ipc_tickets_map(int fd)
{
	struct stat st;
	if (fstat(fd, &st) < 0 || (size_t)st.st_size < sizeof(struct ipc_tickets))
		return NULL;
	void *memory = mmap(NULL, sizeof(struct ipc_tickets), PROT_READ, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return NULL;
	(void)madvise(memory, sizeof(struct ipc_tickets), MADV_DONTDUMP);
	return memory;
}

void ipc_tickets_unmap(const struct ipc_tickets *t)
{
	if (t != NULL)
		munmap((void *)(uintptr_t)t, sizeof(*t));
}

/* Copies word by word with acquire, so that no word is read after the second load of the turn. */
static void copy(struct ipc_ticket_keys *to, const struct ipc_ticket_keys *from)
{
	uint64_t words[sizeof(*to) / sizeof(uint64_t)] = {0};
	_Static_assert(sizeof(words) == sizeof(*to), "it is a number of words");
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		words[i] =
		    __atomic_load_n((const uint64_t *)(const void *)from + i, __ATOMIC_ACQUIRE);
	memcpy(to, words, sizeof(words));
	explicit_bzero(words, sizeof(words));
}

/* Copies again if the turn changed meanwhile: after one change the pair is zeroed, after two the
 * master writes to it again. */
bool ipc_tickets_read(const struct ipc_tickets *t, uint64_t now_ms, struct ipc_ticket_keys *ret)
{
	uint32_t turn;
	do {
		turn = __atomic_load_n(&t->turn, __ATOMIC_ACQUIRE);
		copy(ret, &t->pairs[turn & 1]);
	} while (__atomic_load_n(&t->turn, __ATOMIC_RELAXED) != turn);
	return ret->previous_until_ms > now_ms;
}

/*
 * Runs in the workers, for requests: keeps files open that are asked for again and again. Must
 * never give out a file that its name does not have any longer, nor keep a descriptor that is
 * needed elsewhere.
 *
 * An open file is as good as its name. That holds as long as the file, and each folder and link on
 * the way to it, are what they were: to rename, replace or remove one of them, or to write into it,
 * changes its inode's time of change (ctime), which no program can set. So each is kept
 * open, and looked at by fstat(2) once in a turn of the loop. A file system may count time in steps
 * of two seconds; so what has changed within the last ones is not kept. What the inodes do not
 * show, like a mount on the way, is seen as each file is opened again every second.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/holding.h"
#include "files.h"

#define BUCKETS     256 /* powers of two */
#define WAYS        4   /* names that share places among those that are not kept */
#define STEPS_MAX   16  /* of folders and links to one file */
#define SETTLED_S   2   /* without a change */
#define AGAIN_MS    1000
#define UNUSED_MS   2000
#define POSTPONE_MS 500

LIST_HEAD(step_list, files_step);
LIST_HEAD(kept_list, files_kept);
TAILQ_HEAD(kept_queue, files_kept);

/* A folder or a link on the way to files. */
struct files_step {
	LIST_ENTRY(files_step) link;
	const struct root *root;
	struct files_file seen; /* as it was */
	uint64_t turn;          /* in which it was looked at last */
	unsigned users;
	bool stale;  /* it is not in the table any longer */
	char name[]; /* from the anchor of the root */
};

struct files_kept {
	LIST_ENTRY(files_kept) link;
	TAILQ_ENTRY(files_kept) used; /* the one that was used last comes last */
	struct files_keep *keep;
	const struct files_config *config;
	struct files_file file; /* fd: -1 if there is none of that name */
	char *content;          /* NULL: read it from the file */
	uint64_t turn;          /* in which it was looked at last */
	uint64_t opened_ms, used_ms;
	unsigned users; /* exchanges */
	bool stale;     /* it is in neither table nor queue any longer */
	unsigned steps_count;
	struct files_step *steps[STEPS_MAX];
	uint64_t hash;
	size_t name_len;
	char name[]; /* beneath the root */
};

/* A name that was asked for and is not kept. */
struct missed {
	uint32_t hash;
	uint64_t asked_ms;
	uint64_t not_before_ms;
};

struct files_keep {
	struct http_loop *loop;
	struct holding held;
	struct loop_timer sweep;
	uint64_t seed;
	size_t descriptors, bytes, count;
	struct kept_queue queue;
	struct kept_list table[BUCKETS];
	struct step_list steps[BUCKETS];
	struct missed missed[BUCKETS];
};

/* --- names ------------------------------------------------------------------------------------ */

static uint64_t name_hash(const struct files_keep *k, const char *name, size_t len)
{
	uint64_t hash = k->seed, word;
	for (; len >= sizeof(word); len -= sizeof(word), name += sizeof(word)) {
		memcpy(&word, name, sizeof(word));
		hash = (hash ^ word) * UINT64_C(0xff51afd7ed558ccd);
		hash ^= hash >> 32;
	}
	word = len;
	memcpy(&word, name, len);
	hash = (hash ^ word ^ (uint64_t)len << 56) * UINT64_C(0xff51afd7ed558ccd);
	return hash ^ hash >> 32;
}

/* --- what is held ----------------------------------------------------------------------------- */

static void held_change(struct files_keep *k, int descriptors, long bytes)
{
	k->descriptors += (size_t)descriptors;
	k->bytes += (size_t)bytes;
	holding_change(&k->held, descriptors, bytes);
}

static void step_release(struct files_keep *k, struct files_step *s)
{
	if (--s->users > 0)
		return;
	if (!s->stale)
		LIST_REMOVE(s, link);
	held_change(k, -1, -(long)(sizeof(*s) + strlen(s->name) + 1));
	fd_close(&s->seen.fd);
	free(s);
}

static void kept_free(struct files_kept *f)
{
	struct files_keep *k = f->keep;
	for (unsigned i = 0; i < f->steps_count; i++)
		step_release(k, f->steps[i]);
	const long content = f->content != NULL ? (long)f->file.size : 0;
	held_change(k, f->file.fd >= 0 ? -1 : 0, -(long)(sizeof(*f) + f->name_len + 1) - content);
	fd_close(&f->file.fd);
	free(f->content);
	free(f);
}

/* It answers no more requests; those that have it keep it until they end. */
static void kept_remove(struct files_kept *f)
{
	struct files_keep *k = f->keep;
	LIST_REMOVE(f, link);
	TAILQ_REMOVE(&k->queue, f, used);
	k->count--;
	f->stale = true;
	if (f->users == 0)
		kept_free(f);
}

void files_kept_release(struct files_kept *f)
{
	if (--f->users == 0 && f->stale)
		kept_free(f);
}

const char *files_kept_content(const struct files_kept *f)
{
	return f->content;
}

void files_keep_empty(struct files_keep *k)
{
	struct files_kept *f, *next;
	for (f = TAILQ_FIRST(&k->queue); f != NULL; f = next) {
		next = TAILQ_NEXT(f, used);
		kept_remove(f);
	}
}

/* --- is it still what it was? ----------------------------------------------------------------- */

static bool file_is_same(const struct files_file *a, const struct files_file *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       a->modified == b->modified && a->modified_ns == b->modified_ns &&
	       a->changed == b->changed && a->changed_ns == b->changed_ns && a->links == b->links;
}

static bool file_holds(const struct files_file *f)
{
	struct files_file now;
	return files_stat(f->fd, &now) == 0 && file_is_same(f, &now) && now.links > 0;
}

/* Was its last change long enough ago that the next one shows? */
static bool file_is_settled(const struct files_keep *k, const struct files_file *f)
{
	return f->changed <= k->loop->date_seconds - SETTLED_S;
}

static bool step_holds(const struct files_keep *k, struct files_step *s)
{
	const uint64_t turn = k->loop->events->turn;
	if (s->stale || s->turn == turn)
		return !s->stale;
	s->turn = turn;
	if (file_holds(&s->seen))
		return true;
	LIST_REMOVE(s, link);
	s->stale = true;
	return false;
}

static int name_open(const struct files_config *c, const char *name, unsigned how)
{
	return root_open(c->root, name, O_RDONLY,
			 how | (c->conf->no_symlinks ? (unsigned)ROOT_NO_LINKS : 0));
}

/* Does its name still lead to it? */
static bool kept_opens(const struct files_kept *f)
{
	struct files_file now;
	int fd = name_open(f->config, f->name, ROOT_CACHED);
	if (fd < 0)
		return f->file.fd < 0 && fd == -ENOENT;
	const bool same =
	    f->file.fd >= 0 && files_stat(fd, &now) == 0 && file_is_same(&f->file, &now);
	fd_close(&fd);
	return same;
}

static bool kept_steps_hold(const struct files_kept *f)
{
	for (unsigned i = 0; i < f->steps_count; i++)
		if (!step_holds(f->keep, f->steps[i]))
			return false;
	return true;
}

static bool kept_holds(struct files_kept *f)
{
	const struct loop *events = f->keep->loop->events;
	if (f->turn == events->turn)
		return true;
	f->turn = events->turn;
	if (!kept_steps_hold(f) || (f->file.fd >= 0 && !file_holds(&f->file)))
		return false;
	if (events->now_ms - f->opened_ms < AGAIN_MS)
		return true;
	f->opened_ms = events->now_ms;
	return kept_opens(f);
}

/* --- finding ---------------------------------------------------------------------------------- */

static struct files_kept *kept_look_up(struct files_keep *k, const struct files_config *c,
				       const struct files_name *name)
{
	const uint64_t hash = name_hash(k, name->text, name->len);
	struct files_kept *f;
	LIST_FOREACH(f, &k->table[hash % BUCKETS], link)
		if (f->hash == hash && f->name_len == name->len && f->config->root == c->root &&
		    f->config->conf->no_symlinks == c->conf->no_symlinks &&
		    memcmp(f->name, name->text, name->len) == 0)
			return f;
	return NULL;
}

bool files_kept_find(struct files_keep *k, const struct files_config *c,
		     const struct files_name *name, struct files_file *ret)
{
	struct files_kept *f = kept_look_up(k, c, name);
	if (f == NULL)
		return false;
	if (!kept_holds(f)) {
		kept_remove(f);
		return false;
	}
	f->used_ms = k->loop->events->now_ms;
	TAILQ_REMOVE(&k->queue, f, used);
	TAILQ_INSERT_TAIL(&k->queue, f, used);
	*ret = f->file;
	if (f->file.fd < 0)
		return true;
	f->users++;
	ret->kept = f;
	return true;
}

/* --- keeping ---------------------------------------------------------------------------------- */

/* Its place, or that of the name which was asked for the longest time ago: names that share a place
 * alone would take it from each other for ever. */
static struct missed *missed_place(struct files_keep *k, uint64_t hash)
{
	struct missed *places = &k->missed[hash % (BUCKETS / WAYS) * WAYS], *oldest = places;
	for (unsigned i = 0; i < WAYS; i++) {
		if (places[i].hash == (uint32_t)(hash >> 32))
			return &places[i];
		if (places[i].asked_ms < oldest->asked_ms)
			oldest = &places[i];
	}
	return oldest;
}

/* Was it asked for a moment ago, too? Most files of a large site are asked for now and then. */
static struct missed *missed_again(struct files_keep *k, uint64_t hash)
{
	const uint64_t now = k->loop->events->now_ms;
	struct missed *m = missed_place(k, hash);
	const bool again = m->hash == (uint32_t)(hash >> 32) && now - m->asked_ms <= AGAIN_MS;
	if (!again)
		*m = (struct missed){.hash = (uint32_t)(hash >> 32)};
	m->asked_ms = now;
	return again && now >= m->not_before_ms ? m : NULL;
}

static struct files_step *step_find(const struct files_keep *k, uint64_t hash,
				    const struct root *root, const char *name)
{
	struct files_step *s;
	LIST_FOREACH(s, &k->steps[hash % BUCKETS], link)
		if (s->root == root && strcmp(s->name, name) == 0)
			break;
	return s;
}

static struct files_step *step_new(struct files_keep *k, uint64_t hash, const struct root *root,
				   const char *name)
{
	const size_t len = strlen(name);
	struct files_step *s = malloc(sizeof(*s) + len + 1);
	if (s == NULL)
		return NULL;
	*s = (struct files_step){.root = root, .turn = k->loop->events->turn};
	memcpy(s->name, name, len + 1);
	s->seen.fd = root_open_traced(root, name);
	const int error = s->seen.fd < 0 ? s->seen.fd : files_stat(s->seen.fd, &s->seen);
	if (error < 0 || !file_is_settled(k, &s->seen)) {
		fd_close(&s->seen.fd);
		free(s);
		return NULL;
	}
	LIST_INSERT_HEAD(&k->steps[hash % BUCKETS], s, link);
	held_change(k, 1, (long)(sizeof(*s) + len + 1));
	return s;
}

/* Of root_trace(). */
static int step_take(void *arg, const char *name)
{
	struct files_kept *f = arg;
	struct files_keep *k = f->keep;
	const struct root *root = f->config->root;
	const uint64_t hash = name_hash(k, name, strlen(name));
	struct files_step *s = step_find(k, hash, root, name);
	if (f->steps_count == STEPS_MAX)
		return -ENOSPC;
	if (s != NULL && !step_holds(k, s))
		s = NULL;
	if (s == NULL)
		s = step_new(k, hash, root, name);
	if (s == NULL)
		return -EAGAIN;
	s->users++;
	f->steps[f->steps_count++] = s;
	return 0;
}

/* The last step is the file itself: its own descriptor is enough. */
static bool steps_end(struct files_kept *f)
{
	struct files_step *last = f->steps_count > 0 ? f->steps[f->steps_count - 1] : NULL;
	if (last == NULL || !file_is_same(&last->seen, &f->file))
		return false;
	f->steps_count--;
	step_release(f->keep, last);
	return true;
}

/* Takes the folders and links on its way, and sees that they lead to it. A file that is there shows
 * by itself that it goes; one that is not may come in the folder where the root begins, too. */
static bool kept_trace(struct files_kept *f)
{
	if (f->file.fd < 0 && step_take(f, ".") < 0)
		return false;
	const int error = root_trace(f->config->root, f->name, step_take, f);
	if (f->file.fd < 0 ? error != -ENOENT : error < 0 || !steps_end(f))
		return false;
	/* Once more, now that all are known: they had their names at the same time. */
	for (unsigned i = 0; i < f->steps_count; i++)
		if (!file_holds(&f->steps[i]->seen))
			return false;
	return f->file.fd < 0 ? kept_opens(f) : file_holds(&f->file);
}

/* Content that has to come from a disk is left to the first exchange, except where the file system
 * cannot tell (overlayfs and tmpfs): there that one would wait, too. */
static bool content_read(const struct files_file *file, char *content, size_t size)
{
	ssize_t n = fd_read_cached(file->fd, content, size, 0);
	if (n == -EOPNOTSUPP)
		n = pread(file->fd, content, size, 0);
	return n == (ssize_t)size;
}

static void kept_read(struct files_kept *f)
{
	const size_t size = (size_t)f->file.size;
	struct files_keep *k = f->keep;
	if (f->file.fd < 0 || f->file.size > FILES_KEPT_SIZE || k->bytes + size > FILES_KEPT_BYTES)
		return;
	char *content = malloc(size > 0 ? size : 1);
	if (content == NULL)
		return;
	if ((size > 0 && !content_read(&f->file, content, size)) || !file_holds(&f->file)) {
		free(content);
		return;
	}
	f->content = content;
	held_change(k, 0, (long)size);
}

static void kept_room(struct files_keep *k, size_t bytes)
{
	struct files_kept *f, *next;
	for (f = TAILQ_FIRST(&k->queue); f != NULL; f = next) {
		if (k->count < FILES_KEPT_MAX &&
		    k->descriptors + STEPS_MAX + 1 <= FILES_KEPT_DESCRIPTORS &&
		    k->bytes + bytes <= FILES_KEPT_BYTES)
			break;
		next = TAILQ_NEXT(f, used);
		kept_remove(f);
	}
}

static struct files_kept *kept_new(struct files_keep *k, const struct files_config *c,
				   const struct files_name *name, uint64_t hash,
				   const struct files_file *file)
{
	struct files_kept *f = malloc(sizeof(*f) + name->len + 1);
	if (f == NULL)
		return NULL;
	*f = (struct files_kept){.keep = k,
				 .config = c,
				 .file = *file,
				 .turn = k->loop->events->turn,
				 .opened_ms = k->loop->events->now_ms,
				 .used_ms = k->loop->events->now_ms,
				 .hash = hash,
				 .name_len = name->len};
	memcpy(f->name, name->text, name->len + 1);
	held_change(k, file->fd >= 0 ? 1 : 0, (long)(sizeof(*f) + name->len + 1));
	return f;
}

void files_kept_add(struct files_keep *k, const struct files_config *c,
		    const struct files_name *name, struct files_file *file)
{
	const uint64_t hash = name_hash(k, name->text, name->len);
	struct missed *m = missed_again(k, hash);
	if (m == NULL)
		return;
	m->not_before_ms = k->loop->events->now_ms + POSTPONE_MS;
	if (file->fd >= 0 && !file_is_settled(k, file))
		return;
	kept_room(k, name->len + FILES_KEPT_SIZE);
	struct files_kept *f = kept_new(k, c, name, hash, file);
	if (f == NULL)
		return;
	if (!kept_trace(f) || k->descriptors > FILES_KEPT_DESCRIPTORS) {
		held_change(k, f->file.fd >= 0 ? -1 : 0, 0);
		f->file.fd = -1; /* the exchange has it */
		kept_free(f);
		return;
	}
	kept_read(f);
	LIST_INSERT_HEAD(&k->table[hash % BUCKETS], f, link);
	TAILQ_INSERT_TAIL(&k->queue, f, used);
	k->count++;
	if (!loop_timer_is_set(&k->sweep))
		loop_timer_set(k->loop->events, &k->sweep, f->used_ms + AGAIN_MS);
	if (file->fd >= 0) {
		f->users++;
		file->kept = f;
	}
}

/* --- the loop --------------------------------------------------------------------------------- */

/* Closes what nobody has asked for any more: it could be removed, and would take room on the disk.
 */
static void sweep_expired(struct loop *loop, struct loop_timer *timer)
{
	struct files_keep *k = (void *)((char *)timer - offsetof(struct files_keep, sweep));
	struct files_kept *f, *next;
	for (f = TAILQ_FIRST(&k->queue); f != NULL && loop->now_ms - f->used_ms >= UNUSED_MS;
	     f = next) {
		next = TAILQ_NEXT(f, used);
		kept_remove(f);
	}
	if (f != NULL)
		loop_timer_set(loop, timer, loop->now_ms + AGAIN_MS);
}

struct files_keep *files_keep_new(struct http_loop *loop)
{
	struct files_keep *k = calloc(1, sizeof(*k));
	if (k == NULL)
		return NULL;
	k->loop = loop;
	TAILQ_INIT(&k->queue);
	if (getrandom(&k->seed, sizeof(k->seed), GRND_NONBLOCK) < 0 ||
	    loop_timer_init(loop->events, &k->sweep, sweep_expired) < 0) {
		free(k);
		return NULL;
	}
	if (loop->holdings != NULL)
		holdings_add(loop->holdings, &k->held);
	return k;
}

void files_keep_free(struct files_keep *k)
{
	files_keep_empty(k);
	loop_timer_release(k->loop->events, &k->sweep);
	free(k);
}

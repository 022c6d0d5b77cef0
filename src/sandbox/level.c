/*
 * Runs in every role; in the master on a level that a child sent. Must never trust a number in a
 * level, nor allocate.
 */
#include <string.h>

#include "internal.h"

static const char *const layer_names[SANDBOX_LAYERS] = {
    [SANDBOX_CHROOT] = "an empty root",
    [SANDBOX_USER] = "a user of its own",
    [SANDBOX_CAPABILITIES] = "an empty capability bounding set",
    [SANDBOX_NO_NEW_PRIVS] = "no new privileges",
    [SANDBOX_LANDLOCK] = "Landlock",
    [SANDBOX_SECCOMP] = "a list of system calls",
};

/* The layers of a master: it changes neither root nor user, and it opens files. */
#define MASTER_LAYERS \
	(1u << SANDBOX_CAPABILITIES | 1u << SANDBOX_NO_NEW_PRIVS | 1u << SANDBOX_SECCOMP)

void level_init(struct sandbox_level *l, enum sandbox_role role)
{
	*l = (struct sandbox_level){.role = (uint32_t)role};
}

void level_reach(struct sandbox_level *l, enum sandbox_layer layer)
{
	l->reached |= 1u << layer;
	l->errors[layer] = 0;
}

void level_lack(struct sandbox_level *l, enum sandbox_layer layer, int error)
{
	l->errors[layer] = error;
}

static bool is_reached(const struct sandbox_level *l, enum sandbox_layer layer)
{
	return (l->reached & 1u << layer) != 0;
}

const char *sandbox_layer_name(enum sandbox_layer layer)
{
	return layer_names[layer];
}

const char *sandbox_reason(int error)
{
	const char *reason = error == 0 ? "not asked for" : strerrordesc_np(error);
	return reason != NULL ? reason : "unknown error";
}

/* What the process could do with its roots; NULL: nothing but read. Where they are no mounts of
 * their own, Landlock alone holds it there, too, but lets it empty files before version 3. */
static const char *roots_lack(const struct sandbox_level *l)
{
	if (l->roots == 0 || l->roots_error == 0)
		return NULL;
	if (!is_reached(l, SANDBOX_LANDLOCK))
		return "document roots that no path leaves";
	return l->landlock_abi < LANDLOCK_TRUNCATE
		   ? "document roots in which no file can be emptied"
		   : NULL;
}

static void roots_lack_describe(const struct sandbox_level *l, const char *lack, struct text *t)
{
	text_addf(t, "%s (", lack);
	if (is_reached(l, SANDBOX_LANDLOCK))
		text_addf(t, "Landlock %u, and no mounts of their own: ", l->landlock_abi);
	text_addf(t, "%s)", sandbox_reason(l->roots_error));
}

bool sandbox_level_missing(const struct sandbox_level *l, struct text *t)
{
	const unsigned full = l->role == SANDBOX_MASTER ? MASTER_LAYERS : SANDBOX_ALL_LAYERS;
	bool any = false;
	for (unsigned layer = 0; layer < SANDBOX_LAYERS; layer++) {
		if ((full & ~l->reached & ~l->waived & 1u << layer) == 0)
			continue;
		text_add_str(t, any ? ", " : "");
		text_add_str(t, layer_names[layer]);
		text_addf(t, " (%s)", sandbox_reason(l->errors[layer]));
		any = true;
	}
	const char *lack = roots_lack(l);
	if (lack == NULL)
		return any;
	text_add_str(t, any ? ", " : "");
	roots_lack_describe(l, lack, t);
	return true;
}

static const char *plural(uint32_t count)
{
	return count == 1 ? "" : "s";
}

/* Numbers, and names with whatever addresses they have. */
static void targets_describe(const struct sandbox_level *l, struct text *t)
{
	const char *numbers = l->role == SANDBOX_RESOLVER ? "name server" : "upstream address";
	const char *es = l->addresses == 1 ? "" : l->role == SANDBOX_RESOLVER ? "s" : "es";
	if (l->addresses > 0)
		text_addf(t, ", connects to %u %s%s", l->addresses, numbers, es);
	if (l->names > 0)
		text_addf(t, "%s %u name%s", l->addresses > 0 ? " and" : ", connects to", l->names,
			  plural(l->names));
}

void sandbox_level_describe(const struct sandbox_level *l, struct text *t)
{
	const bool master = l->role == SANDBOX_MASTER;
	char room[512];
	struct text missing;
	text_addf(t, "user %u:%u", l->uid, l->gid);
	if (is_reached(l, SANDBOX_CHROOT))
		text_add_str(t, ", empty root");
	if (is_reached(l, SANDBOX_CAPABILITIES))
		text_add_str(t, master ? ", few capabilities" : ", no capabilities");
	if (is_reached(l, SANDBOX_NO_NEW_PRIVS))
		text_add_str(t, ", no new privileges");
	if (is_reached(l, SANDBOX_LANDLOCK))
		text_addf(t, ", Landlock %u", l->landlock_abi);
	if (l->roots > 0)
		text_addf(t, ", reads %u document root%s", l->roots, l->roots == 1 ? "" : "s");
	if (l->roots > 0 && l->roots_error == 0)
		text_add_str(t, l->roots == 1 ? " (a read-only mount of its own)"
					      : " (read-only mounts of their own)");
	else if (l->roots > 0 && is_reached(l, SANDBOX_LANDLOCK))
		text_addf(t, " (Landlock alone holds it there: %s)",
			  sandbox_reason(l->roots_error));
	if (is_reached(l, SANDBOX_SECCOMP))
		targets_describe(l, t);
	if (is_reached(l, SANDBOX_SECCOMP))
		text_addf(t, ", %u system calls%s", l->system_calls, master ? " denied" : "");
	text_init(&missing, room, sizeof(room));
	if (sandbox_level_missing(l, &missing))
		text_addf(t, "; without %s", missing.data);
}

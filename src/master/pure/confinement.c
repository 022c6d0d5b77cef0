/* Runs in the master, on levels that children sent before they served. Must never trust more of a
 * level than its bits. */
#include "master/pure/confinement.h"

#include <string.h>

/* The layers that a plain user cannot have and root can. */
#define ROOT_LAYERS (1u << SANDBOX_CHROOT | 1u << SANDBOX_USER | 1u << SANDBOX_CAPABILITIES)

void confinement_add(struct confinement *c, const struct sandbox_level *level)
{
	if (c->count++ == 0)
		c->all = SANDBOX_ALL_LAYERS;
	c->all &= level->reached;
	c->some |= level->reached & SANDBOX_ALL_LAYERS;
	c->waived |= level->waived & SANDBOX_ALL_LAYERS;
	for (unsigned layer = 0; layer < SANDBOX_LAYERS; layer++)
		if ((level->reached & 1u << layer) == 0 && c->errors[layer] == 0)
			c->errors[layer] = level->errors[layer];
}

/* The only layer that a task rules out is the empty root, of a connector to Unix sockets. */
static const char *reason_of(const struct confinement *c, unsigned layer)
{
	return c->errors[layer] == 0 && (c->waived & 1u << layer) != 0
		   ? "their upstreams are Unix sockets"
		   : sandbox_reason(c->errors[layer]);
}

/* Writes "a, b and c", with reasons if c is not NULL. */
static void layers_add(struct text *t, unsigned set, const struct confinement *c)
{
	for (unsigned layer = 0; layer < SANDBOX_LAYERS; layer++) {
		if ((set & 1u << layer) == 0)
			continue;
		set &= ~(1u << layer);
		text_add_str(t, sandbox_layer_name((enum sandbox_layer)layer));
		if (c != NULL)
			text_addf(t, " (%s)", reason_of(c, layer));
		text_add_str(t, set == 0 ? "" : (set & (set - 1)) == 0 ? " and " : ", ");
	}
}

void confinement_describe(const struct confinement *c, bool plain, struct text *t)
{
	const unsigned of_root = plain ? ROOT_LAYERS & ~c->some : 0;
	const unsigned lacking = SANDBOX_ALL_LAYERS & ~c->all & ~of_root;
	if (c->all == 0)
		text_add_str(t, "nothing");
	layers_add(t, c->all, NULL);
	if ((lacking & c->some) != 0)
		text_add_str(t, "; some without ");
	layers_add(t, lacking & c->some, c);
	if ((lacking & ~c->some) != 0)
		text_add_str(t, "; without ");
	layers_add(t, lacking & ~c->some, c);
	if (of_root != 0)
		text_add_str(t, "; a start as root adds ");
	layers_add(t, of_root, NULL);
}

unsigned confinement_less(unsigned had, const struct sandbox_level *level)
{
	unsigned failed = 0;
	for (unsigned layer = 0; layer < SANDBOX_LAYERS; layer++)
		if (level->errors[layer] != 0)
			failed |= 1u << layer;
	return had & failed & ~level->reached & SANDBOX_ALL_LAYERS;
}

/*
 * The memory of a configuration: one arena, freed as a whole. Runs in the master and in every
 * child. Must never return memory that outlives its configuration.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "parser.h"

#define CHUNK_BYTES 16384

struct conf_chunk {
	struct conf_chunk *next;
	size_t used;
	size_t size;
	max_align_t data[];
};

struct conf_tree *conf_tree_new(void)
{
	return calloc(1, sizeof(struct conf_tree));
}

void conf_free(struct conf *conf)
{
	struct conf_tree *tree = (struct conf_tree *)conf;
	if (tree == NULL)
		return;
	while (tree->chunks != NULL) {
		struct conf_chunk *chunk = tree->chunks;
		tree->chunks = chunk->next;
		free(chunk);
	}
	free(tree);
}

void conf_out_of_memory(struct conf_parser *p)
{
	p->no_memory = true;
	p->stop = true;
}

void *conf_alloc(struct conf_parser *p, size_t size)
{
	struct conf_chunk *chunk = p->tree->chunks;
	size = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
	if (chunk == NULL || chunk->size - chunk->used < size) {
		size_t room = size > CHUNK_BYTES ? size : CHUNK_BYTES;
		chunk = calloc(1, sizeof(*chunk) + room);
		if (chunk == NULL) {
			conf_out_of_memory(p);
			return NULL;
		}
		chunk->size = room;
		chunk->next = p->tree->chunks;
		p->tree->chunks = chunk;
	}
	void *memory = (char *)chunk->data + chunk->used;
	chunk->used += size;
	return memory;
}

char *conf_copy(struct conf_parser *p, const void *data, size_t len)
{
	char *copy = conf_alloc(p, len + 1);
	if (copy != NULL && len > 0)
		memcpy(copy, data, len);
	return copy;
}

/* The capacity is not stored: it is the power of two, at least 4, that fits count. */
void *conf_grow(struct conf_parser *p, void *array, size_t count, size_t element_size)
{
	if (count != 0 && (count < 4 || (count & (count - 1)) != 0))
		return array;
	void *more = conf_alloc(p, (count == 0 ? 4 : count * 2) * element_size);
	if (more != NULL && count > 0)
		memcpy(more, array, count * element_size);
	return more;
}

const struct conf_port *conf_port_find(const struct conf *conf, unsigned number)
{
	for (size_t i = 0; i < conf->ports_count; i++)
		if (conf->ports[i].number == number)
			return &conf->ports[i];
	return NULL;
}

static bool is_unset(const struct conf_certificate *c)
{
	return c->development && c->certificate[0] == '\0';
}

bool conf_wants_development(const struct conf *conf)
{
	for (size_t i = 0; i < conf->ports_count; i++)
		for (size_t k = 0; k < conf->ports[i].certificates_count; k++)
			if (is_unset(&conf->ports[i].certificates[k]))
				return true;
	return false;
}

int conf_set_development(struct conf *conf, const char *certificate, const char *key)
{
	struct conf_parser p = {.tree = (struct conf_tree *)conf};
	char *certificate_copy = conf_copy(&p, certificate, strlen(certificate));
	char *key_copy = conf_copy(&p, key, strlen(key));
	if (certificate_copy == NULL || key_copy == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < conf->ports_count; i++)
		for (size_t k = 0; k < conf->ports[i].certificates_count; k++) {
			struct conf_certificate *c = &conf->ports[i].certificates[k];
			if (!is_unset(c)) /* ports that inherit it share it */
				continue;
			c->certificate = certificate_copy;
			c->key = key_copy;
		}
	return 0;
}

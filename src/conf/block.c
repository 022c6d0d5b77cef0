/*
 * `block NAME { ... }` and `use NAME`: statements that are written once and stand in several
 * places. A block is kept as text, and is read in each place as an included file is. Runs in the
 * master; the canonical text has none of them left. Must never let a block use itself.
 */
#include <string.h>

#include "parser.h"

#define BLOCKS_MAX 1000
#define USES_MAX   100000

static struct conf_snippet *block_find(const struct conf_parser *p, const struct conf_value *name)
{
	for (size_t i = 0; i < p->snippets_count; i++)
		if (strcmp(p->snippets[i]->name, name->data) == 0)
			return p->snippets[i];
	return NULL;
}

/* The text up to the `}` of the block, which stays to be read. From the beginning of its first
 * line, so that columns are right; the `}` is a blank in it. */
static void block_read(struct conf_parser *p, struct conf_snippet *block)
{
	const struct conf_source *source = p->source;
	struct conf_cursor *cursor = &p->source->cursor;
	const struct conf_cursor begin = *cursor;
	struct conf_cursor close = begin;
	struct conf_scanned s;
	size_t depth = 1;
	while (depth > 0) {
		close = *cursor;
		conf_scan(cursor, &s);
		if (s.kind == T_INCLUDE_END)
			break; /* the next token reports it */
		depth += s.kind == T_OPEN;
		depth -= s.kind == T_CLOSE;
	}
	/* a text that begins in the block stands after the line of the `}` */
	const bool texts = close.text_at != NULL && s.begin < close.text_at;
	const char *end = texts ? close.text_end : s.begin;
	const size_t len = (size_t)(end - begin.line_begin);
	char *text = conf_alloc(p, len + 2);
	if (text == NULL)
		return;
	memcpy(text, begin.line_begin, len);
	text[len] = ' ';
	memset(text + (s.begin - begin.line_begin), ' ',
	       texts ? (size_t)(close.text_at - s.begin) : 1);
	block->cursor = begin;
	conf_cursor_move(&block->cursor, begin.line_begin, text);
	block->cursor.end = text + len + 1;
	block->file = source->name;
	block->directory = source->directory;
	block->is_file = source->is_file;
	*cursor = close;
}

/* A block with a wrong name is read, too, so that the parse goes on after it. */
void conf_block_define(struct conf_parser *p, const struct conf_value *name,
		       const struct conf_where *where, const struct conf_where *at)
{
	struct conf_snippet *block = conf_alloc(p, sizeof(*block));
	struct conf_snippet **blocks =
	    conf_grow(p, p->snippets, p->snippets_count, sizeof(struct conf_snippet *));
	char place[CONF_PLACE_MAX];
	conf_block_push(p, CONF_BLOCK_TOP, where)->damaged = &p->top_damaged;
	if (block == NULL || blocks == NULL)
		return;
	block->name = name->data;
	block->where = *where;
	block_read(p, block);
	if (!conf_name_check(p, name, at))
		return;
	const struct conf_snippet *first = block_find(p, name);
	if (first != NULL) {
		conf_error(p, where, "duplicate block `%s`; the first one is at %s", name->data,
			   conf_place(&first->where, where, place));
	} else if (p->snippets_count == BLOCKS_MAX) {
		conf_error(p, where, "there are at most %d blocks with names", BLOCKS_MAX);
	} else {
		p->snippets = blocks;
		blocks[p->snippets_count++] = block;
	}
}

static void unknown_tell(struct conf_parser *p, const struct conf_value *name,
			 const struct conf_where *at)
{
	const char *names[BLOCKS_MAX];
	char shown[CONF_SHOWN_MAX];
	for (size_t i = 0; i < p->snippets_count; i++)
		names[i] = p->snippets[i]->name;
	const char *meant = conf_suggest(name->data, name->len, names, p->snippets_count);
	(void)conf_show(name, shown);
	if (meant != NULL)
		conf_error(p, at, "no `block %s` is before this; did you mean `use %s`?", shown,
			   meant);
	else
		conf_error(p, at, "no `block %s { ... }` is before this", shown);
}

/* Is it being read, here or around this place? */
static bool is_open(const struct conf_parser *p, const struct conf_snippet *block)
{
	const struct conf_source *source = p->source;
	while (source != NULL && source->snippet != block)
		source = source->parent;
	return source != NULL;
}

static struct conf_snippet *block_to_use(struct conf_parser *p, const struct conf_value *name,
					 const struct conf_where *where,
					 const struct conf_where *at)
{
	struct conf_snippet *block = block_find(p, name);
	if (block == NULL) {
		unknown_tell(p, name, at);
		return NULL;
	}
	const size_t len = (size_t)(block->cursor.end - block->cursor.line_begin);
	if (is_open(p, block))
		conf_error(p, where,
			   "the block `%s` uses itself, here or through the blocks that it uses",
			   block->name);
	else if (p->uses++ == USES_MAX)
		conf_error(p, where, "blocks are used more than %d times", USES_MAX);
	else if (!conf_depth_check(p, where))
		return NULL;
	else if (len > CONF_INCLUDED_MAX - p->included_bytes)
		conf_error(p, where,
			   "all included files and used blocks together are larger than %zu MiB",
			   CONF_INCLUDED_MAX >> 20);
	else {
		p->included_bytes += len;
		block->used = true;
		return block;
	}
	p->stop = p->stop || !is_open(p, block);
	return NULL;
}

/* A failure marks the block, as with a file that cannot be read. */
void conf_block_use(struct conf_parser *p, const struct conf_value *name,
		    const struct conf_where *where, const struct conf_where *at)
{
	const struct conf_snippet *used = block_to_use(p, name, where, at);
	struct conf_block *here = conf_block_top(p);
	struct conf_source *source =
	    conf_source_push(p, used != NULL ? used->file : p->source->name);
	if (used == NULL && here->damaged != NULL)
		*here->damaged = true;
	if (used == NULL || source == NULL)
		return;
	source->cursor = used->cursor;
	source->directory = used->directory;
	source->is_file = used->is_file;
	source->snippet = used;
}

void conf_blocks_check(struct conf_parser *p)
{
	for (size_t i = 0; i < p->snippets_count && p->errors_count == 0; i++)
		if (!p->snippets[i]->used)
			conf_warning(p, &p->snippets[i]->where,
				     "nothing uses the block `%s`, so its statements were not "
				     "checked",
				     p->snippets[i]->name);
}

/*
 * Text or a file to a checked configuration. Runs in the master, for -t and -T, and in every child.
 * Must never leave memory or descriptors behind when it fails.
 */
#include <errno.h>
#include <stdlib.h>

#include "parser.h"

static const struct conf_options no_options;

/* Call it with the first source open; closes the sources. Returns 0, -EINVAL or -ENOMEM. */
static int run(struct conf_parser *p)
{
	struct conf_where nowhere = {0};
	bool parsed = false;
	p->scope = &p->top;
	conf_block_push(p, CONF_BLOCK_TOP, &nowhere)->damaged = &p->top_damaged;
	if (p->source != NULL) {
		p->source->blocks_base = p->blocks_count;
		parsed = p->errors_count == 0 || p->source->cursor.at != p->source->cursor.end;
	}
	if (parsed)
		parsed = conf_yyparse(p) == 0;
	conf_sources_free(p); /* from here on relative paths start in the current directory */
	if (parsed && !p->stop)
		conf_check(p);
	if (p->no_memory)
		return -ENOMEM;
	return p->errors_count > 0 ? -EINVAL : 0;
}

static int finish(struct conf_parser *p, conf_report_fn *report, void *arg, struct conf **ret_conf)
{
	int error = run(p);
	conf_findings_report(p, report, arg);
	if (error < 0 && (error != -EINVAL || !p->options->keep_broken))
		conf_free(&p->tree->conf);
	else
		*ret_conf = &p->tree->conf;
	free(p);
	return error;
}

static struct conf_parser *begin(const struct conf_options *options)
{
	struct conf_parser *p = calloc(1, sizeof(*p));
	if (p == NULL)
		return NULL;
	p->tree = conf_tree_new();
	if (p->tree == NULL) {
		free(p);
		return NULL;
	}
	p->options = options != NULL ? options : &no_options;
	conf_words_init(&p->words);
	conf_defaults(p);
	return p;
}

int conf_parse_file(const char *path, const struct conf_options *options, conf_report_fn *report,
		    void *arg, struct conf **ret_conf)
{
	struct conf_parser *p = begin(options);
	if (p == NULL)
		return -ENOMEM;
	conf_source_open(p, path, NULL);
	return finish(p, report, arg, ret_conf);
}

int conf_parse_text(const char *text, size_t len, const char *name,
		    const struct conf_options *options, conf_report_fn *report, void *arg,
		    struct conf **ret_conf)
{
	struct conf_parser *p = begin(options);
	if (p == NULL)
		return -ENOMEM;
	conf_source_text(p, text, len, name);
	return finish(p, report, arg, ret_conf);
}

/*
 * Findings: collected while parsing, reported at the end in the order of the text. Runs in the
 * master and in every child. Must never show outside bytes unescaped, nor more than a screenful.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "parser.h"

const char *conf_severity_name(enum conf_severity severity)
{
	switch (severity) {
	case CONF_ERROR:
		return "error";
	case CONF_WARNING:
		return "warning";
	case CONF_NOTE:
		return "note";
	}
	return "";
}

const char *conf_show(const struct conf_value *value, char out[CONF_SHOWN_MAX])
{
	struct text text;
	text_init(&text, out, CONF_SHOWN_MAX - 3);
	text_add_escaped(&text, value->data, value->len);
	if (text.truncated)
		memcpy(out + text.len, "...", 4);
	return out;
}

const char *conf_show_text(const char *text, char out[CONF_SHOWN_MAX])
{
	const struct conf_value value = {.data = text, .len = strlen(text)};
	return conf_show(&value, out);
}

const char *conf_place(const struct conf_where *there, const struct conf_where *here,
		       char out[CONF_PLACE_MAX])
{
	if (there->file == here->file || strcmp(there->file, here->file) == 0)
		(void)snprintf(out, CONF_PLACE_MAX, "line %u", there->line);
	else
		(void)snprintf(out, CONF_PLACE_MAX, "line %u of %s", there->line, there->file);
	return out;
}

/* The order of files is that in which they were first opened. */
static size_t file_index(const struct conf_parser *p, const char *file)
{
	const struct conf *conf = &p->tree->conf;
	for (size_t i = 0; i < conf->files_count; i++)
		if (conf->files[i] == file)
			return i;
	return conf->files_count;
}

static void finding_add(struct conf_parser *p, enum conf_severity severity,
			const struct conf_where *where, const char *text)
{
	struct conf_finding *findings =
	    conf_grow(p, p->findings, p->findings_count, sizeof(*findings));
	char *copy = conf_copy(p, text, strlen(text));
	if (findings == NULL || copy == NULL)
		return;
	p->findings = findings;
	findings[p->findings_count] = (struct conf_finding){
	    .severity = severity,
	    .where = *where,
	    .file = file_index(p, where->file),
	    .sequence = p->findings_count,
	    .text = copy,
	};
	p->findings_count++;
}

static bool is_at(const struct conf_finding *f, const struct conf_where *where)
{
	return f->where.line == where->line && f->where.column == where->column &&
	       f->where.file == where->file;
}

bool conf_found_at(const struct conf_parser *p, const struct conf_where *where)
{
	for (size_t i = 0; i < p->findings_count; i++)
		if (is_at(&p->findings[i], where))
			return true;
	return false;
}

/* The text of a block, or of a file that is included twice, has each of its mistakes in each of its
 * places. */
static bool is_known(const struct conf_parser *p, enum conf_severity severity,
		     const struct conf_where *where, const char *text)
{
	for (size_t i = 0; i < p->findings_count; i++)
		if (is_at(&p->findings[i], where) && p->findings[i].severity == severity &&
		    strcmp(p->findings[i].text, text) == 0)
			return true;
	return false;
}

void conf_error(struct conf_parser *p, const struct conf_where *where, const char *format, ...)
{
	char text[1024];
	va_list args;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	p->errors_count++;
	if (is_known(p, CONF_ERROR, where, text))
		return;
	if (++p->errors_told > CONF_FINDINGS_MAX)
		p->stop = true;
	else
		finding_add(p, CONF_ERROR, where, text);
}

void conf_warning(struct conf_parser *p, const struct conf_where *where, const char *format, ...)
{
	char text[1024];
	va_list args;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (is_known(p, CONF_WARNING, where, text) || p->warnings_count++ >= CONF_FINDINGS_MAX)
		return;
	finding_add(p, CONF_WARNING, where, text);
}

static int compare(const void *a, const void *b)
{
	const struct conf_finding *f = a, *g = b;
	if (f->file != g->file)
		return f->file < g->file ? -1 : 1;
	if (f->where.line != g->where.line)
		return f->where.line < g->where.line ? -1 : 1;
	if (f->where.column != g->where.column)
		return f->where.column < g->where.column ? -1 : 1;
	return f->sequence < g->sequence ? -1 : 1;
}

void conf_findings_report(struct conf_parser *p, conf_report_fn *report, void *arg)
{
	if (report == NULL || p->findings_count == 0)
		return;
	struct conf_finding *f = p->findings;
	qsort(f, p->findings_count, sizeof(*f), compare);
	for (size_t i = 0; i < p->findings_count; i++)
		report(arg, f[i].severity, &f[i].where, f[i].text);
	if (p->errors_told > CONF_FINDINGS_MAX)
		report(arg, CONF_ERROR, &f[p->findings_count - 1].where,
		       "there are more errors; only the first ones are shown");
}

void conf_list_item(struct text *list, const char *item, const char *quote, size_t at, size_t count,
		    const char *last)
{
	text_addf(list, "%s%s%s%s%s%s",
		  at == 0           ? ""
		  : at + 1 == count ? " "
				    : ", ",
		  at > 0 && at + 1 == count ? last : "", at > 0 && at + 1 == count ? " " : "",
		  quote, item, quote);
}

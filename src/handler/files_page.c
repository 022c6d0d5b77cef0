/*
 * Runs in the workers, on names of files and bytes of clients: a list of a folder, as a page and as
 * JSON. Must never put a byte of either into it that could be taken for a part of its form.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "base/text.h"
#include "files.h"

/* An escape has at most six bytes, and a path 4096 for its location and as many for the name. */
#define PIECE_MAX ((size_t)64 * 1024)
_Static_assert(PIECE_MAX > 6 * (4096 + FILES_NAME_MAX) + 8192, "the path has its place");
_Static_assert(PIECE_MAX > (18 + 6) * FILES_LISTED_NAME + 1024, "an entry has its place");

/* --- entries ---------------------------------------------------------------------------------- */

void files_page_init(struct files_page *p, const char *path, size_t path_len, bool json)
{
	*p = (struct files_page){.path = path,
				 .path_len = path_len,
				 .json = json,
				 .has_parent = path_len > 1,
				 .out = BUF_INIT(PIECE_MAX)};
}

static bool page_grow(void **list, size_t *room, size_t needed, size_t size, size_t least)
{
	if (needed <= *room)
		return true;
	const size_t more = needed + *room < least ? least : needed + *room;
	void *grown = reallocarray(*list, more, size);
	if (grown == NULL)
		return false;
	*list = grown;
	*room = more;
	return true;
}

int files_page_add(struct files_page *p, const char *name, size_t len, const struct files_file *f)
{
	if (len > FILES_LISTED_NAME) {
		p->cut = true;
		return 0;
	}
	if (p->count == FILES_LISTED_MAX || len > FILES_LISTED_BYTES - p->names_len) {
		p->cut = true;
		return -ENOSPC;
	}
	void *entries = p->entries, *names = p->names;
	const bool good = page_grow(&entries, &p->room, p->count + 1, sizeof(*p->entries), 64) &&
			  page_grow(&names, &p->names_room, p->names_len + len, 1, 2048);
	p->entries = entries;
	p->names = names;
	if (!good)
		return -ENOMEM;
	memcpy(p->names + p->names_len, name, len);
	p->entries[p->count++] = (struct files_entry){.name = (uint32_t)p->names_len,
						      .name_len = (uint32_t)len,
						      .is_folder = f->is_folder,
						      .size = f->size,
						      .modified = f->modified};
	p->names_len += len;
	return 0;
}

static int names_compare(const struct files_page *p, const struct files_entry *a,
			 const struct files_entry *b)
{
	const size_t len = a->name_len < b->name_len ? a->name_len : b->name_len;
	const int order = memcmp(p->names + a->name, p->names + b->name, len);
	return order != 0 ? order : (a->name_len > b->name_len) - (a->name_len < b->name_len);
}

static int entries_compare(const void *left, const void *right, void *page)
{
	const struct files_entry *a = left, *b = right;
	const struct files_page *p = page;
	int order = 0;
	if (a->is_folder != b->is_folder)
		return a->is_folder ? -1 : 1;
	switch (p->order) {
	case FILES_BY_NAME:
		break;
	case FILES_BY_SIZE:
		if (!a->is_folder)
			order = (a->size > b->size) - (a->size < b->size);
		break;
	case FILES_BY_TIME:
		order = (a->modified > b->modified) - (a->modified < b->modified);
		break;
	}
	if (order == 0)
		order = names_compare(p, a, b);
	return p->descending ? -order : order;
}

/* What was room for more. */
static void page_shrink(struct files_page *p)
{
	void *entries = realloc(p->entries, (p->count > 0 ? p->count : 1) * sizeof(*p->entries));
	char *names = realloc(p->names, p->names_len > 0 ? p->names_len : 1);
	if (entries != NULL) {
		p->entries = entries;
		p->room = p->count;
	}
	if (names != NULL) {
		p->names = names;
		p->names_room = p->names_len;
	}
}

void files_page_sort(struct files_page *p)
{
	if (p->count > 1)
		qsort_r(p->entries, p->count, sizeof(*p->entries), entries_compare, p);
	page_shrink(p);
}

size_t files_page_bytes(const struct files_page *p)
{
	return p->room * sizeof(*p->entries) + p->names_room + p->out.allocated;
}

/* --- the query -------------------------------------------------------------------------------- */

static bool parameter_is(const char *s, size_t len, const char *text)
{
	return len == strlen(text) && memcmp(s, text, len) == 0;
}

void files_page_read_query(struct files_page *p, const char *query, size_t len)
{
	const char *at = query, *const end = query + len;
	while (at < end) {
		const char *next = memchr(at, '&', (size_t)(end - at));
		const size_t n = (size_t)((next != NULL ? next : end) - at);
		if (parameter_is(at, n, "sort=name"))
			p->order = FILES_BY_NAME;
		else if (parameter_is(at, n, "sort=size"))
			p->order = FILES_BY_SIZE;
		else if (parameter_is(at, n, "sort=time"))
			p->order = FILES_BY_TIME;
		else if (parameter_is(at, n, "order=asc"))
			p->descending = false;
		else if (parameter_is(at, n, "order=desc"))
			p->descending = true;
		at += n + 1;
	}
}

/* --- writing ---------------------------------------------------------------------------------- */

static void page_put(struct jsonout *j, const char *s, size_t len)
{
	if (buf_append(j->out, s, len) < 0)
		j->failed = true;
}

/* Bytes that are no UTF-8, and characters that could make a name look like another, are shown as
 * U+FFFD. */
static void page_put_escaped(struct jsonout *j, const char *s, size_t len)
{
	for (size_t i = 0; i < len;) {
		const size_t n = text_shown_len(s + i, len - i);
		if (n == 0) {
			const size_t skipped = text_utf8_len(s + i, len - i);
			jsonout_add(j, "\xef\xbf\xbd");
			i += skipped > 0 ? skipped : 1;
			continue;
		}
		switch (s[i]) {
		case '&':
			jsonout_add(j, "&amp;");
			break;
		case '<':
			jsonout_add(j, "&lt;");
			break;
		case '>':
			jsonout_add(j, "&gt;");
			break;
		case '"':
			jsonout_add(j, "&quot;");
			break;
		case '\'':
			jsonout_add(j, "&#39;");
			break;
		default:
			page_put(j, s + i, n);
		}
		i += n;
	}
}

/* A relative reference to an entry: "./a%20b/". */
static size_t entry_spell(const struct files_page *p, const struct files_entry *e, char *out)
{
	memcpy(out, "./", 2);
	size_t len = 2 + files_path_escape(p->names + e->name, e->name_len, out + 2);
	if (e->is_folder)
		out[len++] = '/';
	return len;
}

#define SPELLED_MAX(len) (3 * (size_t)(len) + 4)

/* "2026-11-30 04:29"; for programs "2026-11-30T04:29:17Z". strftime() would ask for the time zone,
 * for which a worker cannot open anything. */
static void time_put(struct jsonout *j, int64_t seconds, bool program)
{
	char out[64];
	struct text t;
	const time_t when = (time_t)seconds;
	struct tm tm;
	if (gmtime_r(&when, &tm) == NULL)
		return;
	text_init(&t, out, sizeof(out));
	text_addf(&t, "%04d-%02d-%02d%c%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
		  program ? 'T' : ' ', tm.tm_hour, tm.tm_min);
	if (program)
		text_addf(&t, ":%02dZ", tm.tm_sec);
	page_put(j, t.data, t.len);
}

static void size_put(struct jsonout *j, uint64_t size)
{
	static const char units[] = " KMGTPE";
	unsigned unit = 0;
	uint64_t tenths = size;
	while (tenths >= (unit == 0 ? 1024U : 10240U)) {
		tenths = unit == 0 ? tenths / 1024 * 10 + tenths % 1024 * 10 / 1024 : tenths / 1024;
		unit++;
	}
	if (unit == 0) {
		jsonout_add_uint(j, size);
		return;
	}
	jsonout_add_uint(j, tenths / 10);
	if (tenths < 100) {
		page_put(j, ".", 1);
		jsonout_add_uint(j, tenths % 10);
	}
	page_put(j, " ", 1);
	page_put(j, &units[unit], 1);
}

/* --- as a page -------------------------------------------------------------------------------- */

static const char style[] =
    "<style>\n"
    ":root{color-scheme:light dark}\n"
    "body{font:1rem/1.5 system-ui,sans-serif;margin:0 auto;max-width:60rem;padding:1rem}\n"
    "h1{font-size:1.25rem;overflow-wrap:anywhere}\n"
    "table{border-collapse:collapse;width:100%}\n"
    "th,td{padding:.4rem .5rem;text-align:left;border-bottom:1px solid #8884}\n"
    "th{white-space:nowrap}\n"
    "td:first-child{overflow-wrap:anywhere}\n"
    "td:nth-child(2),th:nth-child(2){text-align:right;white-space:nowrap}\n"
    "td:nth-child(3){white-space:nowrap}\n"
    "a{color:#0550ae;text-decoration:none}\n"
    "a:hover,a:focus{text-decoration:underline}\n"
    "@media (prefers-color-scheme:dark){body{background:#14171a;color:#e4e6e8}a{color:#79b8ff}}\n"
    "@media (max-width:34rem){td:nth-child(3),th:nth-child(3){display:none}}\n"
    "</style>\n";

/* A column's head: a link that sorts by it, or the other way round if it is already. */
static void page_put_column(struct jsonout *j, const struct files_page *p, enum files_order order,
			    const char *word, const char *title)
{
	const bool is_this = p->order == order;
	jsonout_add(j, "<th");
	if (is_this)
		jsonout_add(j, p->descending ? " aria-sort=\"descending\""
					     : " aria-sort=\"ascending\"");
	jsonout_add(j, "><a href=\"?sort=");
	jsonout_add(j, word);
	jsonout_add(j, is_this && !p->descending ? "&amp;order=desc\">" : "&amp;order=asc\">");
	jsonout_add(j, title);
	jsonout_add(j, "</a>");
	if (is_this)
		jsonout_add(j, p->descending ? " \xe2\x96\xbc" : " \xe2\x96\xb2");
	jsonout_add(j, "</th>");
}

static void page_begin(struct jsonout *j, const struct files_page *p)
{
	jsonout_add(j, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		       "<meta name=\"viewport\" content=\"width=device-width, "
		       "initial-scale=1\">\n<title>");
	page_put_escaped(j, p->path, p->path_len);
	jsonout_add(j, "</title>\n");
	jsonout_add(j, style);
}

static void page_begin_body(struct jsonout *j, const struct files_page *p)
{
	jsonout_add(j, "</head>\n<body>\n<h1>");
	page_put_escaped(j, p->path, p->path_len);
	jsonout_add(j, "</h1>\n<table>\n<thead><tr>");
	page_put_column(j, p, FILES_BY_NAME, "name", "Name");
	page_put_column(j, p, FILES_BY_SIZE, "size", "Size");
	page_put_column(j, p, FILES_BY_TIME, "time", "Modified (UTC)");
	jsonout_add(j, "</tr></thead>\n<tbody>\n");
	if (p->has_parent)
		jsonout_add(j, "<tr><td><a href=\"../\">../</a></td><td></td><td></td></tr>\n");
}

static void page_put_entry(struct jsonout *j, const struct files_page *p,
			   const struct files_entry *e)
{
	char href[SPELLED_MAX(FILES_LISTED_NAME)];
	jsonout_add(j, "<tr><td><a href=\"");
	page_put_escaped(j, href, entry_spell(p, e, href));
	jsonout_add(j, "\">");
	page_put_escaped(j, p->names + e->name, e->name_len);
	jsonout_add(j, e->is_folder ? "/</a></td><td>" : "</a></td><td>");
	if (!e->is_folder)
		size_put(j, e->size);
	jsonout_add(j, "</td><td>");
	time_put(j, e->modified, false);
	jsonout_add(j, "</td></tr>\n");
}

static void page_end(struct jsonout *j, const struct files_page *p)
{
	jsonout_add(j, "</tbody>\n</table>\n");
	if (p->cut) {
		jsonout_add(j, "<p>This folder has more entries than the ");
		jsonout_add_uint(j, p->count);
		jsonout_add(j, " that are shown.</p>\n");
	}
	jsonout_add(j, "</body>\n</html>\n");
}

/* --- as JSON ---------------------------------------------------------------------------------- */

static void json_begin(struct jsonout *j, const struct files_page *p)
{
	jsonout_add(j, "{\"path\":");
	jsonout_add_string(j, p->path, p->path_len);
	jsonout_add(j, ",\"entries\":[");
}

static void json_put_entry(struct jsonout *j, const struct files_page *p,
			   const struct files_entry *e)
{
	char href[SPELLED_MAX(FILES_LISTED_NAME)];
	jsonout_add(j, e == p->entries ? "\n{\"name\":" : ",\n{\"name\":");
	jsonout_add_string(j, p->names + e->name, e->name_len);
	jsonout_add(j, ",\"href\":");
	jsonout_add_string(j, href, entry_spell(p, e, href));
	jsonout_add(j, e->is_folder ? ",\"type\":\"folder\"" : ",\"type\":\"file\",\"size\":");
	if (!e->is_folder)
		jsonout_add_uint(j, e->size);
	jsonout_add(j, ",\"modified\":\"");
	time_put(j, e->modified, true);
	jsonout_add(j, "\"}");
}

static void json_end(struct jsonout *j, const struct files_page *p)
{
	jsonout_add(j, p->cut ? "\n],\"complete\":false}\n" : "\n],\"complete\":true}\n");
}

/* --- the body --------------------------------------------------------------------------------- */

/* Writes the next piece. False: there is none. */
static bool page_write(struct files_page *p, struct jsonout *j)
{
	if (!p->begun) {
		p->begun = true;
		(p->json ? json_begin : page_begin)(j, p);
	} else if (!p->titled) {
		p->titled = true;
		if (!p->json)
			page_begin_body(j, p);
	} else if (p->next < p->count) {
		(p->json ? json_put_entry : page_put_entry)(j, p, &p->entries[p->next++]);
	} else if (!p->ended) {
		p->ended = true;
		(p->json ? json_end : page_end)(j, p);
	} else {
		return false;
	}
	return true;
}

long files_page_give(struct files_page *p, uint8_t *out, size_t size)
{
	struct jsonout j = {.out = &p->out};
	size_t used = 0;
	while (used < size) {
		if (buf_len(&p->out) == 0 && !page_write(p, &j))
			break;
		if (j.failed)
			return GIVE_FAIL;
		const size_t n =
		    give_copy(out + used, size - used, buf_head(&p->out), buf_len(&p->out));
		buf_consume(&p->out, n);
		used += n;
	}
	return used > 0 ? (long)used : GIVE_END;
}

void files_page_release(struct files_page *p)
{
	free(p->entries);
	free(p->names);
	buf_release(&p->out);
	p->entries = NULL;
	p->names = NULL;
	p->count = p->room = p->names_len = p->names_room = 0;
}

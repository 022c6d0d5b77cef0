/*
 * Runs in the workers: the body that the configuration gives to responses with some statuses
 * (`error`), in place of their own. Must cost a response without an error status nothing but a
 * test, and never change a status or a field that is about more than the body.
 */
#include <string.h>
#include <strings.h>

#include "internal.h"

static const struct http_pages *pages_of(const struct exchange *ex)
{
	if (ex->location != NULL)
		return ex->location->pages;
	return ex->host != NULL ? ex->host->pages : ex->loop->routes->pages;
}

static const struct http_page *page_find(const struct http_pages *pages, unsigned status)
{
	for (size_t i = 0; pages != NULL && i < pages->count; i++)
		if (pages->list[i].status == status)
			return pages->list[i].page;
	return NULL;
}

static bool name_is_in(const struct http_header *f, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (f->name_len == strlen(names[i]) && http_name_is(f->name, f->name_len, names[i]))
			return true;
	return false;
}

#define NAME_IS_IN(f, names) name_is_in(f, names, sizeof(names) / sizeof((names)[0]))

/* Has the page a field of this name? A list may come twice (RFC 9110, 5.3), and what the response
 * itself has of it stays true: that it varies, what is allowed. */
static bool page_has(const struct http_page *page, const struct http_header *f)
{
	static const char *const lists[] = {"allow",      "link", "proxy-authenticate",
					    "set-cookie", "vary", "www-authenticate"};
	for (size_t i = 0; i < page->fields_count; i++) {
		const struct http_header *own = &page->fields[i];
		if (own->name_len == f->name_len &&
		    strncasecmp(own->name, f->name, f->name_len) == 0)
			return !NAME_IS_IN(f, lists);
	}
	return false;
}

bool page_replaces(const struct http_page *page, const struct http_header *f)
{
	/* RFC 9110, 8, and what else is true of one body only. Content-Range stays: with 416 it is
	 * about the file (RFC 9110, 15.5.17). */
	static const char *const names[] = {"content-type",
					    "content-encoding",
					    "content-language",
					    "content-location",
					    "content-digest",
					    "repr-digest",
					    "digest",
					    "content-md5",
					    "last-modified",
					    "etag",
					    "content-disposition"};
	return NAME_IS_IN(f, names) || page_has(page, f);
}

bool page_choose(struct exchange *ex)
{
	ex->page = page_find(pages_of(ex), ex->status);
	if (ex->page == NULL)
		return false;
	ex->page_given = 0;
	ex->length = ex->page->body_len;
	return true;
}

long page_give(struct exchange *ex, uint8_t *out, size_t size)
{
	const struct http_page *page = ex->page;
	const size_t n =
	    give_copy(out, size, page->body + ex->page_given, page->body_len - ex->page_given);
	ex->page_given += n;
	return (long)n;
}

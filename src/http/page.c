/*
 * Runs in the workers: the body that the configuration gives to responses with some statuses
 * (`error`), in place of their own. Must cost a response without an error status nothing but a
 * test, and never change a status or a field that is about more than the body.
 */
#include <string.h>

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

bool page_replaces(const struct http_header *f)
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
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (f->name_len == strlen(names[i]) && http_name_is(f->name, f->name_len, names[i]))
			return true;
	return false;
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

/* Runs in the workers, before they serve. */
#include "pages.h"

#include <errno.h>
#include <stdlib.h>

struct pages_memory {
	struct pages_memory *next;
	struct respond *respond; /* one of both */
	struct http_pages table;
	struct http_page page;
	struct http_status_page list[];
};

static struct pages_memory *memory_take(struct pages *p, size_t pages_count)
{
	struct pages_memory *m =
	    calloc(1, sizeof(*m) + pages_count * sizeof(struct http_status_page));
	if (m == NULL)
		return NULL;
	m->next = p->memory;
	p->memory = m;
	return m;
}

void pages_release(struct pages *p)
{
	while (p->memory != NULL) {
		struct pages_memory *m = p->memory;
		p->memory = m->next;
		free(m->respond);
		free(m);
	}
}

static const struct http_page *page_new(struct pages *p, const struct conf_error *error)
{
	struct pages_memory *m = memory_take(p, 0);
	if (m == NULL)
		return NULL;
	m->respond = respond_new(error->respond, p->means);
	if (m->respond == NULL)
		return NULL;
	m->page = (struct http_page){.fields = m->respond->fields,
				     .fields_count = m->respond->fields_count,
				     .body = m->respond->body,
				     .body_len = m->respond->body_len};
	return &m->page;
}

static void page_put(struct http_status_page *list, size_t *count, unsigned status,
		     const struct http_page *page)
{
	for (size_t i = 0; i < *count; i++)
		if (list[i].status == status)
			return;
	list[(*count)++] = (struct http_status_page){status, page};
}

int pages_add(struct pages *p, const struct conf_error *errors, size_t count,
	      const struct http_pages *outer, const struct http_pages **ret)
{
	size_t most = outer != NULL ? outer->count : 0;
	*ret = outer;
	if (count == 0)
		return 0;
	for (size_t i = 0; i < count; i++)
		most += errors[i].statuses_count;
	struct pages_memory *m = memory_take(p, most);
	if (m == NULL)
		return -ENOMEM;
	m->table.list = m->list;
	for (size_t i = 0; i < count; i++) {
		const struct http_page *page = page_new(p, &errors[i]);
		if (page == NULL)
			return -ENOMEM;
		for (size_t k = 0; k < errors[i].statuses_count; k++)
			page_put(m->list, &m->table.count, errors[i].statuses[k], page);
	}
	for (size_t i = 0; outer != NULL && i < outer->count; i++)
		page_put(m->list, &m->table.count, outer->list[i].status, outer->list[i].page);
	*ret = &m->table;
	return 0;
}

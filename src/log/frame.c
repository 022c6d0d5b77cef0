/* The layout runs in every child, for each request. The reading runs in the master and must trust
 * nothing: a child that was taken over can write any bytes. */
#include "frame.h"

#include "base/text.h"

#include <string.h>

static uint16_t slice_place(const struct log_record *r, struct log_slice slice)
{
	return slice.len > 0 ? (uint16_t)(slice.data - r->text.data) : 0;
}

/* The size with its NUL, limited to max. */
static uint16_t string_size(const char *s, size_t max)
{
	return s != NULL ? (uint16_t)(strnlen(s, max - 1) + 1) : 0;
}

static char *string_put(char *to, const char *s, uint16_t size)
{
	if (size == 0)
		return to;
	memcpy(to, s, size - 1U);
	to[size - 1] = '\0';
	return to + size;
}

void frame_layout(const struct log *l, const struct log_record *r, struct log_wire *w)
{
	const struct log_access *a = r->access;
	struct frame_head head = {.mark = FRAME_MARK,
				  .priority = (uint8_t)r->priority,
				  .text_len = (uint16_t)r->text.len,
				  .ms = (uint16_t)r->ms,
				  .second = l->second};
	char *strings = w->room + sizeof(head), *end = strings;
	if (a != NULL) {
		head.client_size = string_size(a->client, FRAME_CLIENT_MAX);
		head.id_size = string_size(a->request_id, FRAME_ID_MAX);
		head.reason_size = string_size(a->reason, FRAME_REASON_MAX);
		head.method_at = slice_place(r, r->method);
		head.method_len = (uint16_t)r->method.len;
		head.path_at = slice_place(r, r->path);
		head.path_len = (uint16_t)r->path.len;
		head.status = (uint16_t)a->status;
		head.bytes = a->bytes;
		head.duration_us = a->duration_us;
		end = string_put(end, a->client, head.client_size);
		end = string_put(end, a->request_id, head.id_size);
		end = string_put(end, a->reason, head.reason_size);
	}
	head.size = (uint16_t)(sizeof(head) + r->text.len + (size_t)(end - strings));
	memcpy(w->room, &head, sizeof(head));
	w->iov[0] = (struct iovec){w->room, sizeof(head)};
	w->iov[1] = (struct iovec){(void *)(uintptr_t)r->text.data, r->text.len};
	w->iov[2] = (struct iovec){strings, (size_t)(end - strings)};
	w->count = 3;
}

int frame_size(const unsigned char *data, size_t len)
{
	uint16_t size;
	if (data[0] != FRAME_MARK)
		return -1;
	if (len < offsetof(struct frame_head, size) + sizeof(size))
		return 0;
	memcpy(&size, data + offsetof(struct frame_head, size), sizeof(size));
	return size < sizeof(struct frame_head) || size > LOG_STREAM_MAX ? -1 : size;
}

static bool is_printable(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (s[i] < 0x20 || s[i] > 0x7e)
			return false;
	return true;
}

/* May be shown as it is: our own sentences may have names in UTF-8. */
static bool is_shown(const char *s, size_t len)
{
	for (size_t n; len > 0; s += n, len -= n) {
		n = *s >= 0x20 && *s < 0x7f ? 1 : text_shown_len(s, len);
		if (n == 0)
			return false;
	}
	return true;
}

/* size 0 means that there is no string, which is valid. */
static bool is_string(const char *s, size_t size, size_t max)
{
	return size == 0 || (size <= max && s[size - 1] == '\0' && is_printable(s, size - 1));
}

static bool lengths_fit(const struct frame_head *h, size_t size)
{
	return size >= sizeof(*h) && h->mark == FRAME_MARK && h->size == size &&
	       h->text_len <= LOG_TEXT_MAX && h->client_size <= FRAME_CLIENT_MAX &&
	       h->id_size <= FRAME_ID_MAX && h->reason_size <= FRAME_REASON_MAX &&
	       sizeof(*h) + h->text_len + h->client_size + h->id_size + h->reason_size == size &&
	       (size_t)h->method_at + h->method_len <= h->text_len &&
	       (size_t)h->path_at + h->path_len <= h->text_len && h->priority <= 7 && h->ms < 1000;
}

static struct log_slice slice_of_text(const char *text, uint16_t at, uint16_t len)
{
	return len > 0 ? (struct log_slice){text + at, len} : (struct log_slice){NULL, 0};
}

bool frame_read(const unsigned char *data, size_t size, struct frame *ret)
{
	struct frame_head h;
	if (size < sizeof(h))
		return false;
	memcpy(&h, data, sizeof(h));
	if (!lengths_fit(&h, size))
		return false;
	const char *text = (const char *)data + sizeof(h);
	const char *client = text + h.text_len, *id = client + h.client_size,
		   *reason = id + h.id_size;
	if (!is_shown(text, h.text_len) || !is_string(client, h.client_size, FRAME_CLIENT_MAX) ||
	    !is_string(id, h.id_size, FRAME_ID_MAX) ||
	    !is_string(reason, h.reason_size, FRAME_REASON_MAX))
		return false;
	*ret = (struct frame){
	    .record = {.priority = h.priority, .ms = h.ms, .text = {text, h.text_len}},
	    .second = h.second};
	if (h.client_size == 0)
		return true;
	ret->access = (struct log_access){.client = client,
					  .status = h.status,
					  .bytes = h.bytes,
					  .duration_us = h.duration_us,
					  .request_id = h.id_size > 0 ? id : NULL,
					  .reason = h.reason_size > 0 ? reason : NULL};
	ret->record.method = slice_of_text(text, h.method_at, h.method_len);
	ret->record.path = slice_of_text(text, h.path_at, h.path_len);
	return true; /* the caller sets record.access */
}

/* The layout runs in every child, for each request. The reading runs in the master and must trust
 * nothing: a child that was taken over can write any bytes. */
#include "frame.h"

#include "base/text.h"

#include <string.h>
#include <syslog.h>

/* The place of a value that lies in the text; else SIZE_MAX. */
static size_t place_in_text(const struct log_record *r, const struct log_value *v)
{
	const uintptr_t begin = (uintptr_t)r->text.data, at = (uintptr_t)v->data;
	return at >= begin && at - begin <= r->text.len && v->len <= r->text.len - (at - begin)
		   ? at - begin
		   : SIZE_MAX;
}

void frame_layout(const struct log *l, const struct log_record *r, struct log_wire *w)
{
	struct frame_head head = {.mark = FRAME_MARK,
				  .priority = (uint8_t)(r->priority | FRAME_VALUES),
				  .text_len = (uint16_t)r->text.len,
				  .ms = (uint16_t)r->ms,
				  .second = l->second};
	const size_t count = r->values_count < LOG_VALUES_MAX ? r->values_count : LOG_VALUES_MAX;
	char *const values = w->room + sizeof(head);
	char *const rest = values + count * sizeof(struct frame_value);
	const size_t room = LOG_STREAM_MAX - (size_t)(rest - w->room) - r->text.len;
	size_t rest_len = 0;
	for (size_t i = 0; i < count; i++) {
		const struct log_value *v = &r->values[i];
		size_t at = place_in_text(r, v);
		if (at == SIZE_MAX && v->len > room - rest_len)
			continue;
		if (at == SIZE_MAX) {
			at = r->text.len + rest_len;
			memcpy(rest + rest_len, v->data, v->len);
			rest_len += v->len;
		}
		const struct frame_value one = {(uint16_t)v->name, (uint16_t)at, (uint16_t)v->len};
		memcpy(values + head.values_count++ * sizeof(one), &one, sizeof(one));
	}
	const size_t begin = sizeof(head) + head.values_count * sizeof(struct frame_value);
	head.size = (uint16_t)(begin + r->text.len + rest_len);
	memcpy(w->room, &head, sizeof(head));
	w->iov[0] = (struct iovec){w->room, begin};
	w->iov[1] = (struct iovec){(void *)(uintptr_t)r->text.data, r->text.len};
	w->iov[2] = (struct iovec){rest, rest_len};
	w->count = 3;
}

/* --- the master's side ------------------------------------------------------------------------ */

/* Is it of the form before? */
static bool is_before(const unsigned char *data)
{
	return (data[offsetof(struct frame_head, priority)] & FRAME_VALUES) == 0;
}

int frame_size(const unsigned char *data, size_t len)
{
	_Static_assert(offsetof(struct frame_head, size) == offsetof(struct frame_before, size),
		       "both forms begin alike");
	uint16_t size;
	if (data[0] != FRAME_MARK)
		return -1;
	if (len < offsetof(struct frame_head, size) + sizeof(size))
		return 0;
	memcpy(&size, data + offsetof(struct frame_head, size), sizeof(size));
	const size_t least =
	    is_before(data) ? sizeof(struct frame_before) : sizeof(struct frame_head);
	return size < least || size > LOG_STREAM_MAX ? -1 : size;
}

/* May be shown as it is: our own sentences may have names in UTF-8. */
static bool is_all_shown(const char *s, size_t len)
{
	for (size_t n; len > 0; s += n, len -= n) {
		n = *s >= 0x20 && *s < 0x7f ? 1 : text_shown_len(s, len);
		if (n == 0)
			return false;
	}
	return true;
}

static bool values_read(const unsigned char *from, const char *body, size_t len, size_t count,
			struct log_value *ret)
{
	for (size_t i = 0; i < count; i++) {
		struct frame_value v;
		memcpy(&v, from + i * sizeof(v), sizeof(v));
		if (v.at > len || v.len > len - v.at || (i > 0 && v.name <= ret[i - 1].name) ||
		    !is_all_shown(body + v.at, v.len))
			return false;
		ret[i] = (struct log_value){v.name, body + v.at, v.len};
	}
	return true;
}

static bool before_read(const unsigned char *data, size_t size, struct frame *ret)
{
	struct frame_before h;
	if (size < sizeof(h))
		return false;
	memcpy(&h, data, sizeof(h));
	const char *text = (const char *)data + sizeof(h);
	if (h.size != size || h.text_len > size - sizeof(h) || h.text_len > LOG_TEXT_MAX ||
	    h.priority > LOG_DEBUG || h.ms >= 1000 || !is_all_shown(text, h.text_len))
		return false;
	*ret = (struct frame){
	    .record = {.priority = h.priority, .ms = h.ms, .text = {text, h.text_len}},
	    .second = h.second};
	return true;
}

bool frame_read(const unsigned char *data, size_t size, struct frame *ret)
{
	struct frame_head h;
	if (size < sizeof(h) || data[0] != FRAME_MARK)
		return false;
	if (is_before(data))
		return before_read(data, size, ret);
	memcpy(&h, data, sizeof(h));
	const uint8_t priority = h.priority & (uint8_t)~FRAME_VALUES;
	const size_t begin = sizeof(h) + h.values_count * sizeof(struct frame_value);
	if (h.size != size || h.values_count > LOG_VALUES_MAX || begin > size ||
	    h.text_len > size - begin || h.text_len > LOG_TEXT_MAX || priority > LOG_DEBUG ||
	    h.ms >= 1000)
		return false;
	const char *text = (const char *)data + begin;
	if (!is_all_shown(text, h.text_len) ||
	    !values_read(data + sizeof(h), text, size - begin, h.values_count, ret->values))
		return false;
	ret->second = h.second;
	ret->record = (struct log_record){.priority = priority,
					  .ms = h.ms,
					  .text = {text, h.text_len},
					  .values = ret->values,
					  .values_count = h.values_count};
	return true;
}

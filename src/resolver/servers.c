/* Runs in resolvers. */
#include "servers.h"

#include <string.h>

#include "base/num.h"

#define NDOTS_MAX     15
#define TIMEOUT_MAX_S 30
#define ATTEMPTS_MAX  5
#define DNS_PORT      53

struct word {
	const char *text;
	size_t len;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\0';
}

static bool word_next(const char **at, const char *end, struct word *ret)
{
	while (*at < end && is_blank(**at))
		(*at)++;
	ret->text = *at;
	while (*at < end && !is_blank(**at))
		(*at)++;
	ret->len = (size_t)(*at - ret->text);
	return ret->len > 0;
}

static bool word_is(const struct word *w, const char *text)
{
	return w->len == strlen(text) && memcmp(w->text, text, w->len) == 0;
}

/* --- nameserver ------------------------------------------------------------------------------- */

static bool port_read(const char *text, size_t len, uint16_t *ret)
{
	uint64_t port = 0;
	if (num_parse(text, len, 1, UINT16_MAX, &port) < 0)
		return false;
	*ret = (uint16_t)port;
	return true;
}

/* "fe80::1%eth0" */
static bool zone_read(const struct word *w, const char *percent, struct server *ret)
{
	const size_t len = (size_t)(w->text + w->len - percent - 1);
	if (len == 0 || len >= sizeof(ret->zone) ||
	    network_address_parse(w->text, (size_t)(percent - w->text), &ret->address) < 0 ||
	    network_address_is_v4(&ret->address))
		return false;
	memcpy(ret->zone, percent + 1, len);
	return true;
}

static bool server_read(const struct word *w, struct server *ret)
{
	const char *percent = memchr(w->text, '%', w->len);
	*ret = (struct server){.port = DNS_PORT};
	if (percent != NULL)
		return zone_read(w, percent, ret);
	if (network_address_parse(w->text, w->len, &ret->address) == 0)
		return true;
	const bool brackets = w->text[0] == '[';
	const char *colon = memrchr(w->text, ':', w->len);
	if (colon == NULL || (brackets && colon[-1] != ']'))
		return false;
	const char *host = w->text + brackets;
	return network_address_parse(host, (size_t)(colon - host) - brackets, &ret->address) == 0 &&
	       network_address_is_v4(&ret->address) != brackets &&
	       port_read(colon + 1, (size_t)(w->text + w->len - colon - 1), &ret->port);
}

static void server_add(struct servers *s, const struct word *w)
{
	if (s->count < SERVERS_MAX && server_read(w, &s->list[s->count]))
		s->count++;
}

/* --- search, options -------------------------------------------------------------------------- */

static void search_add(struct servers *s, const struct word *w)
{
	size_t len = w->len;
	if (len > 1 && w->text[len - 1] == '.')
		len--;
	if (s->search_count == SERVERS_SEARCH_MAX || len >= sizeof(s->search[0]) || len == 0)
		return;
	memcpy(s->search[s->search_count], w->text, len);
	s->search[s->search_count++][len] = '\0';
}

static void search_read(struct servers *s, const char *at, const char *end, unsigned most)
{
	struct word w;
	s->search_count = 0;
	while (s->search_count < most && word_next(&at, end, &w))
		search_add(s, &w);
}

/* "timeout:2"; what is above the most is the most, as in resolv.conf(5). */
static void option_number(const struct word *w, const char *name, unsigned least, unsigned most,
			  unsigned *ret)
{
	uint64_t value = 0;
	const size_t len = strlen(name);
	if (w->len <= len || memcmp(w->text, name, len) != 0 ||
	    num_parse(w->text + len, w->len - len, 0, UINT32_MAX, &value) < 0)
		return;
	*ret = value < least ? least : value > most ? most : (unsigned)value;
}

static void options_read(struct servers *s, const char *at, const char *end)
{
	unsigned timeout_s = s->timeout_ms / 1000;
	struct word w;
	while (word_next(&at, end, &w)) {
		option_number(&w, "ndots:", 0, NDOTS_MAX, &s->ndots);
		option_number(&w, "timeout:", 1, TIMEOUT_MAX_S, &timeout_s);
		option_number(&w, "attempts:", 1, ATTEMPTS_MAX, &s->attempts);
		s->rotate = s->rotate || word_is(&w, "rotate");
		s->tcp = s->tcp || word_is(&w, "use-vc");
	}
	s->timeout_ms = timeout_s * 1000;
}

/* --- the file --------------------------------------------------------------------------------- */

static void line_read(struct servers *s, const char *at, const char *end)
{
	struct word w;
	if (at < end && (*at == ';' || *at == '#'))
		return;
	if (!word_next(&at, end, &w))
		return;
	if (word_is(&w, "nameserver")) {
		if (word_next(&at, end, &w))
			server_add(s, &w);
	} else if (word_is(&w, "search"))
		search_read(s, at, end, SERVERS_SEARCH_MAX);
	else if (word_is(&w, "domain"))
		search_read(s, at, end, 1);
	else if (word_is(&w, "options"))
		options_read(s, at, end);
}

void servers_read(const char *text, size_t len, const char *host, struct servers *ret)
{
	static const struct word own = {"127.0.0.1", 9};
	const char *end = text + len, *dot = host != NULL ? strchr(host, '.') : NULL;
	*ret = (struct servers){.ndots = 1, .timeout_ms = 1000, .attempts = 3};
	if (dot != NULL)
		search_read(ret, dot + 1, dot + 1 + strlen(dot + 1), 1);
	for (const char *line = text; line < end;) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		const char *line_end = newline != NULL ? newline : end;
		line_read(ret, line, line_end);
		line = newline != NULL ? newline + 1 : end;
	}
	if (ret->count == 0)
		server_add(ret, &own);
}

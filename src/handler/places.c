/* Runs in the workers, before they serve. */
#include "places.h"

#include <errno.h>
#include <stdlib.h>

#define KIND_DECLARE(constant, name) extern const struct filter_kind filter_kind_##name;
FILTER_KINDS(KIND_DECLARE)

#define KIND_ROW(constant, name) [CONF_FILTER_##constant] = &filter_kind_##name,
static const struct filter_kind *const kinds[] = {FILTER_KINDS(KIND_ROW)};

_Static_assert(CONF_FILTERS <= FILTERS_MAX, "an exchange has room for all");

/* The options of a kind; NULL: the place has none, or they say `off`. Faults are in the location.
 */
static const void *kind_options(unsigned kind, const struct conf_filters *conf,
				const struct conf_location *faulty)
{
	if (kind == CONF_FILTER_FAULT)
		return faulty;
	const void *options = conf != NULL ? conf->options[kind] : NULL;
	if (options != NULL && kinds[kind]->is_off != NULL && kinds[kind]->is_off(options))
		return NULL;
	return options;
}

/* What is the same as in the place around it is made once, and has one state for both. */
static int kind_init(const struct places *places, struct place *place, unsigned kind,
		     const void *options, const struct place *outer)
{
	struct place_filter *f = &place->kinds[kind];
	if (kind != CONF_FILTER_FAULT && outer != NULL && outer->conf != NULL &&
	    outer->conf->options[kind] == options) {
		f->config = outer->kinds[kind].config;
		f->local = outer->kinds[kind].local;
		return 0;
	}
	f->config = options;
	if (kinds[kind]->make != NULL) {
		f->made = kinds[kind]->make(options, &places->means);
		f->config = f->made;
	}
	if (f->config == NULL)
		return -ENOMEM;
	if (kinds[kind]->filter != NULL && kinds[kind]->filter->open != NULL)
		f->local = ++*places->locals;
	return 0;
}

static void place_list(struct place *place)
{
	struct http_finishers *finishers = place->finishers;
	for (unsigned k = 0; k < CONF_FILTERS; k++) {
		const struct place_filter *f = &place->kinds[k];
		if (f->config != NULL && kinds[k]->filter != NULL)
			place->filters[place->filters_count++] = (struct http_location_filter){
			    .filter = kinds[k]->filter, .config = f->config, .local = f->local};
	}
	for (unsigned k = CONF_FILTERS; k-- > 0;) {
		const struct place_filter *f = &place->kinds[k];
		if (f->config != NULL && kinds[k]->finish != NULL)
			finishers->list[finishers->count++] =
			    (struct http_finisher){.finish = kinds[k]->finish,
						   .stays = kinds[k]->stays,
						   .config = f->config};
	}
	if (finishers->count > 0)
		return;
	free(place->finishers);
	place->finishers = NULL;
}

int places_add(struct places *places, const struct conf_filters *conf,
	       const struct conf_location *faulty, const struct place *outer,
	       const struct place **ret)
{
	*ret = outer;
	if (faulty == NULL && (conf == NULL || (outer != NULL && conf == outer->conf)))
		return 0;
	struct place *place = calloc(1, sizeof(*place));
	if (place == NULL)
		return -ENOMEM;
	place->next = places->list;
	places->list = place;
	place->conf = conf;
	place->finishers =
	    calloc(1, sizeof(*place->finishers) + CONF_FILTERS * sizeof(place->finishers->list[0]));
	if (place->finishers == NULL)
		return -ENOMEM;
	for (unsigned k = 0; k < CONF_FILTERS; k++) {
		const void *options = kind_options(k, conf, faulty);
		if (options != NULL && kind_init(places, place, k, options, outer) < 0)
			return -ENOMEM;
	}
	place_list(place);
	*ret = place;
	return 0;
}

void place_use(const struct place *place, struct http_location *location)
{
	if (place == NULL)
		return;
	location->filters = place->filters;
	location->filters_count = place->filters_count;
	location->finishers = place->finishers;
}

void places_release(struct places *places)
{
	while (places->list != NULL) {
		struct place *place = places->list;
		places->list = place->next;
		for (unsigned k = 0; k < CONF_FILTERS; k++) {
			void (*release)(void *) = kinds[k]->release;
			if (place->kinds[k].made != NULL)
				(release != NULL ? release : free)(place->kinds[k].made);
		}
		free(place->finishers);
		free(place);
	}
}

int places_open(const struct places *places, struct http_loop *http)
{
	int error = 0;
	for (const struct place *place = places != NULL ? places->list : NULL; place != NULL;
	     place = place->next)
		for (unsigned k = 0; k < CONF_FILTERS && error == 0; k++) {
			const struct place_filter *f = &place->kinds[k];
			void **local = &http->locals[f->local];
			if (f->local != 0 && *local == NULL) /* else another place has it, too */
				error = kinds[k]->filter->open(http, f->config, local);
		}
	return error;
}

void places_close(const struct places *places, struct http_loop *http)
{
	for (const struct place *place = places != NULL ? places->list : NULL; place != NULL;
	     place = place->next)
		for (unsigned k = 0; k < CONF_FILTERS; k++) {
			void **local = &http->locals[place->kinds[k].local];
			if (place->kinds[k].local == 0 || *local == NULL)
				continue;
			kinds[k]->filter->close(*local);
			*local = NULL;
		}
}

/* Runs in the master: a configuration that ports share, from its reading to the end of the last of
 * these ports. */
#include <stdlib.h>

#include "base/beneath.h"
#include "master/port/port.h"

struct configuration *configuration_new(struct conf *conf)
{
	struct configuration *c = malloc(sizeof(*c));
	if (c == NULL) {
		conf_free(conf);
		return NULL;
	}
	*c = (struct configuration){.conf = conf, .users = 1};
	return c;
}

int configuration_secrets(struct configuration *c, const struct secrets **ret)
{
	const int error = c->secrets_known ? 0 : secrets_find(c->conf, &c->secrets);
	c->secrets_known = error == 0;
	*ret = &c->secrets;
	return error;
}

void configuration_forget(struct configuration *c)
{
	secrets_release(&c->secrets);
	c->secrets_known = false;
}

void configuration_release(struct configuration *c)
{
	if (c == NULL || --c->users > 0)
		return;
	configuration_forget(c);
	conf_free(c->conf);
	free(c);
}

/* Runs before the master is one, and for -t and -T. Writes nothing. */
#include "builtin.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define GREETING "respond 200 \"Hello, world!\\n\""

static const uint16_t default_ports[] = {8000, 8001, 8002};

/* cert.pem and key.pem in the current directory, or neither. 1, 0, or -1 after a message. */
static int certificate_find(void)
{
	bool certificate = access("cert.pem", F_OK) == 0, key = access("key.pem", F_OK) == 0;
	if (certificate == key)
		return certificate;
	fprintf(stderr,
		"bulkhead: there is %s without %s in the current directory; put both there, "
		"or neither for a development certificate\n",
		certificate ? "cert.pem" : "key.pem", certificate ? "key.pem" : "cert.pem");
	return -1;
}

int builtin_conf(const struct arguments *a, const struct conf_options *options,
		 conf_report_fn *report, void *arg, struct conf **ret)
{
	const uint16_t *ports = a->ports != NULL ? a->ports : default_ports;
	size_t count =
	    a->ports != NULL ? a->ports_count : sizeof(default_ports) / sizeof(default_ports[0]);
	char *text = NULL;
	size_t len = 0;
	int found = a->certificate == NULL ? certificate_find() : 0;
	FILE *f = found < 0 ? NULL : open_memstream(&text, &len);
	if (f == NULL)
		return -1;
	if (a->certificate == NULL)
		fputs(found ? "tls { certificate \"cert.pem\" key \"key.pem\" }\n"
			    : "tls development\n",
		      f);
	for (size_t i = 0; i < count; i++)
		fprintf(f, "port %u { " GREETING " }\n", ports[i]);
	int error = fclose(f) == 0
			? conf_parse_text(text, len, "built-in", options, report, arg, ret)
			: -ENOMEM;
	free(text);
	return error < 0 ? -1 : 0;
}

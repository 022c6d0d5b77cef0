/* bulkheadctl: its command line, getopt_long(3). Must never pass on a request that the server's
 * parser would refuse. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "ctl/ctl.h"

enum takes { TAKES_NOTHING, TAKES_PORT, MAY_TAKE_PORT, TAKES_LEVEL, TAKES_UPSTREAM, TAKES_WORDS };

static const struct command {
	const char *name;
	enum ctl_command command;
	enum takes takes;
} commands[] = {
    {"status", CTL_STATUS, MAY_TAKE_PORT},
    {"top", CTL_TOP, TAKES_NOTHING},
    {"crashes", CTL_CRASHES, MAY_TAKE_PORT},
    {"reload", CTL_RELOAD, TAKES_NOTHING},
    {"stop", CTL_STOP, TAKES_PORT},
    {"start", CTL_START, TAKES_PORT},
    {"restart", CTL_RESTART, TAKES_PORT},
    {"drain", CTL_DRAIN, TAKES_NOTHING},
    {"upgrade", CTL_UPGRADE, TAKES_NOTHING},
    {"log", CTL_LOG, TAKES_LEVEL},
    {"upstream", CTL_UPSTREAM, TAKES_UPSTREAM},
    {"complete", CTL_COMPLETE, TAKES_WORDS},
};

void arguments_usage(void)
{
	puts("usage: bulkheadctl [-s path] command\n"
	     "  status [--json] [port]    the state of the server and its ports\n"
	     "  top                       the same, live; q quits\n"
	     "  crashes [--json] [port]   how processes have ended\n"
	     "  reload [--dry-run]        read the configuration again, or only show the changes\n"
	     "  stop|start|restart port   stop, start or restart one port\n"
	     "  upstream port [NAME [up|drain|down]]\n"
	     "                            its upstreams, or an order for one or for an endpoint\n"
	     "  drain                     stop the server, and wait for its end\n"
	     "  upgrade                   let the installed program take over\n"
	     "  log level LEVEL           err, warning, notice, info or debug\n"
	     "options:\n"
	     "  -s, --socket PATH         the control socket; else BULKHEAD_CONTROL,\n"
	     "                            else that of the one server that runs\n"
	     "  -V, --version             print the version\n"
	     "  -h, --help                print this\n"
	     "exit status: 0 done, 1 it failed, 2 usage, 3 no server, 4 not permitted,\n"
	     "             5 a server runs, but its control socket was not found");
}

static enum ctl_status wrong(const char *what, const char *word)
{
	char sentence[256];
	(void)snprintf(sentence, sizeof(sentence), "%s%s%s; see bulkheadctl -h", what,
		       word != NULL ? ": " : "", word != NULL ? word : "");
	return ctl_say(CTL_USAGE, sentence);
}

static const struct command *command_find(const char *word)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(commands[i].name, word) == 0)
			return &commands[i];
	return NULL;
}

static bool option_take(struct ctl_arguments *a, const char *word)
{
	if (strcmp(word, "--json") == 0 &&
	    (a->command == CTL_STATUS || a->command == CTL_CRASHES || a->command == CTL_UPSTREAM))
		a->json = true;
	else if (strcmp(word, "--dry-run") == 0 && a->command == CTL_RELOAD)
		a->dry_run = true;
	else
		return false;
	return true;
}

static enum ctl_status port_take(struct ctl_arguments *a, const char *word)
{
	uint64_t number;
	if (a->port != 0)
		return wrong("one port is enough", word);
	if (num_parse(word, strlen(word), 1, UINT16_MAX, &number) < 0)
		return wrong("that is not a port", word);
	a->port = (uint16_t)number;
	return CTL_DONE;
}

static enum ctl_status level_take(struct ctl_arguments *a, int count, char **words)
{
	if (count != 2 || strcmp(words[0], "level") != 0)
		return wrong("log takes \"level\" and one of err, warning, notice, info, debug",
			     NULL);
	if (control_level_parse(words[1], strlen(words[1])) < 0)
		return wrong("that is not a level", words[1]);
	a->level = words[1];
	return CTL_DONE;
}

/* A blank or another byte in a name would be another request. */
static bool is_name(const char *word)
{
	for (const char *c = word; *c != '\0'; c++)
		if ((unsigned char)*c <= 0x20 || (unsigned char)*c > 0x7e)
			return false;
	return word[0] != '\0' && strlen(word) < CONTROL_UPSTREAM_MAX;
}

static enum ctl_status upstream_take(struct ctl_arguments *a, const char *word)
{
	if (a->port == 0)
		return port_take(a, word);
	if (a->upstream == NULL) {
		a->upstream = word;
		return is_name(word) ? CTL_DONE : wrong("that is no name of an upstream", word);
	}
	if (a->order != NULL)
		return wrong("this command takes no such argument", word);
	a->order = word;
	return control_order_parse(word, strlen(word)) < CONTROL_ORDERS
		   ? CTL_DONE
		   : wrong("an upstream can be told up, drain or down, not this", word);
}

static enum ctl_status words_take(struct ctl_arguments *a, enum takes takes, int count,
				  char **words)
{
	if (takes == TAKES_LEVEL)
		return level_take(a, count, words);
	if (takes == TAKES_WORDS) {
		a->words = words;
		a->words_count = count;
		return CTL_DONE;
	}
	for (int i = 0; i < count; i++) {
		if (option_take(a, words[i]))
			continue;
		if (words[i][0] == '-')
			return wrong("there is no such option of this command", words[i]);
		if (takes == TAKES_NOTHING)
			return wrong("this command takes no such argument", words[i]);
		if ((takes == TAKES_UPSTREAM ? upstream_take(a, words[i])
					     : port_take(a, words[i])) != CTL_DONE)
			return CTL_USAGE;
	}
	if ((takes == TAKES_PORT || takes == TAKES_UPSTREAM) && a->port == 0)
		return wrong("this command needs a port", NULL);
	return CTL_DONE;
}

static const char *socket_named(void)
{
	const char *path = getenv("BULKHEAD_CONTROL");
	return path != NULL && path[0] != '\0' ? path : NULL;
}

enum ctl_status arguments_read(struct ctl_arguments *a, int argc, char **argv)
{
	static const struct option options[] = {{"socket", required_argument, NULL, 's'},
						{"version", no_argument, NULL, 'V'},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	int option;
	*a = (struct ctl_arguments){.socket = socket_named()};
	while ((option = getopt_long(argc, argv, "+s:Vh", options, NULL)) != -1) {
		switch (option) {
		case 's':
			if (*optarg == '\0')
				return wrong(
				    "--socket takes the path of a socket, which cannot be empty",
				    NULL);
			a->socket = optarg;
			break;
		case 'V':
			a->command = CTL_VERSION;
			return CTL_DONE;
		case 'h':
			a->command = CTL_HELP;
			return CTL_DONE;
		default: /* getopt_long() has printed the error */
			return CTL_USAGE;
		}
	}
	if (optind == argc)
		return wrong("a command is missing", NULL);
	const struct command *c = command_find(argv[optind]);
	if (c == NULL)
		return wrong("there is no such command", argv[optind]);
	a->command = c->command;
	return words_take(a, c->takes, argc - optind - 1, argv + optind + 1);
}

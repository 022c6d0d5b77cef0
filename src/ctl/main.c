/* bulkheadctl: asks a running server and shows the answer. It can do no more than the user who runs
 * it. Must never print a byte of the server that a terminal could take for a command. */
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "ctl/find.h"
#include "ctl/words.h"

static bool asks_a_server(enum ctl_command command)
{
	return command != CTL_COMPLETE && command != CTL_HELP && command != CTL_VERSION;
}

static enum ctl_status server_choose(struct ctl_arguments *a)
{
	char lines[FIND_SAID_MAX];
	enum ctl_status status;
	struct text t;
	text_init(&t, lines, sizeof(lines));
	a->socket = server_find(&status, &t);
	return a->socket != NULL ? CTL_DONE : ctl_say_lines(status, lines);
}

static enum ctl_status command_run(const struct ctl_arguments *a)
{
	switch (a->command) {
	case CTL_STATUS:
		return ctl_status(a);
	case CTL_TOP:
		return ctl_top(a);
	case CTL_CRASHES:
		return ctl_crashes(a);
	case CTL_RELOAD:
	case CTL_STOP:
	case CTL_START:
	case CTL_RESTART:
	case CTL_DRAIN:
	case CTL_UPGRADE:
	case CTL_LOG:
		return ctl_order(a);
	case CTL_UPSTREAM:
		return ctl_upstream(a);
	case CTL_COMPLETE:
		return ctl_complete(a);
	case CTL_HELP:
		arguments_usage();
		return CTL_DONE;
	case CTL_VERSION:
		puts("bulkheadctl " BULKHEAD_VERSION);
		return CTL_DONE;
	}
	return CTL_USAGE;
}

/* Output that is not for a terminal is UTF-8 in any locale. */
static void characters_choose(void)
{
	if (isatty(STDOUT_FILENO) && setlocale(LC_CTYPE, "") != NULL &&
	    strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
		words_ascii_only();
}

int main(int argc, char **argv)
{
	struct ctl_arguments arguments;
	characters_choose();
	(void)signal(SIGPIPE, SIG_IGN);
	enum ctl_status status = arguments_read(&arguments, argc, argv);
	if (status == CTL_DONE && arguments.socket == NULL && asks_a_server(arguments.command))
		status = server_choose(&arguments);
	if (status == CTL_DONE)
		status = command_run(&arguments);
	if ((fflush(stdout) != 0 || ferror(stdout)) && status == CTL_DONE)
		status = ctl_say(CTL_FAILED, "standard output cannot be written");
	return status;
}

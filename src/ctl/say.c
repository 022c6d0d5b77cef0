/* bulkheadctl: prints errors to standard error. */
#include <stdio.h>

#include "base/text.h"
#include "ctl/ctl.h"
#include "ctl/find.h"
#include "ctl/words.h"

enum ctl_status ctl_say_lines(enum ctl_status status, const char *lines)
{
	fprintf(stderr, "bulkheadctl: %s\n", lines);
	return status;
}

static void servers_show(void)
{
	char lines[FIND_SAID_MAX];
	struct text t;
	text_init(&t, lines, sizeof(lines));
	servers_mention(&t);
	if (t.len > 0)
		(void)ctl_say_lines(CTL_NO_SERVER, lines);
}

enum ctl_status ctl_say(enum ctl_status status, const char *sentence)
{
	char line[2048];
	struct text t;
	text_init(&t, line, sizeof(line));
	words_safe(&t, sentence);
	(void)ctl_say_lines(status, line);
	if (status == CTL_NO_SERVER)
		servers_show();
	return status;
}

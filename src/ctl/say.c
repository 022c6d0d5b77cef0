/* bulkheadctl: what is wrong, on standard error. */
#include <stdio.h>

#include "base/text.h"
#include "ctl/ctl.h"
#include "ctl/words.h"

enum ctl_status ctl_say(enum ctl_status status, const char *sentence)
{
	char line[2048];
	struct text t;
	text_init(&t, line, sizeof(line));
	words_safe(&t, sentence);
	fprintf(stderr, "bulkheadctl: %s\n", line);
	return status;
}

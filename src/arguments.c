/* Runs once at the start of every bulkhead; must never use anything but its arguments. */
#include "arguments.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "conf/conf.h"

#define USAGE_STATUS     2
#define CONFIG_INSTALLED "/etc/bulkhead/bulkhead.conf"

enum {
	OPTION_CERTIFICATE = 256,
	OPTION_KEY,
	OPTION_CHILD,
	OPTION_ATTEMPTS,
	OPTION_ADOPT,
	OPTION_JSON,
	OPTION_WITHOUT
};

static const struct option options[] = {
    {"config", required_argument, NULL, 'f'},
    {"test", no_argument, NULL, 't'},
    {"dump", no_argument, NULL, 'T'},
    {"port", required_argument, NULL, 'p'},
    {"workers", required_argument, NULL, 'w'},
    {"certificate", required_argument, NULL, OPTION_CERTIFICATE},
    {"key", required_argument, NULL, OPTION_KEY},
    {"pid-file", required_argument, NULL, 'P'},
    {"daemonize", no_argument, NULL, 'D'},
    {"verbose", no_argument, NULL, 'v'},
    {"version", no_argument, NULL, 'V'},
    {"help", no_argument, NULL, 'h'},
    {"child", no_argument, NULL, OPTION_CHILD},
    {"attempts", required_argument, NULL, OPTION_ATTEMPTS},
    {"adopt", required_argument, NULL, OPTION_ADOPT},
    {0},
};

static const struct option selftest_options[] = {
    {"config", required_argument, NULL, 'f'},
    {"json", no_argument, NULL, OPTION_JSON},
    {"without", required_argument, NULL, OPTION_WITHOUT},
    {"help", no_argument, NULL, 'h'},
    {0},
};

void arguments_usage(void)
{
	puts("usage: bulkhead [-tTDvVh] [-f FILE | -p LIST] [-w N] [-P FILE]\n"
	     "                [--certificate FILE --key FILE]\n"
	     "       bulkhead selftest [-f FILE] [--json] [--without LAYER]\n"
	     "\n"
	     "An HTTPS server with a process of its own for every port. Without a\n"
	     "configuration it serves ports 8000, 8001 and 8002.\n"
	     "\n"
	     "  -f, --config FILE       the configuration, see bulkhead.conf(5)\n"
	     "  -t, --test              check it, and the files that it names; exit 0 or 1\n"
	     "  -T, --dump              print it in full, with its defaults\n"
	     "                          (without -f: the installed one, where there is one)\n"
	     "  -p, --port LIST         serve these ports instead: 9000,9005-9009\n"
	     "  -w, --workers N         worker processes for each port\n"
	     "      --certificate FILE  PEM certificate (and chain) ...\n"
	     "      --key FILE          ... and its private key\n"
	     "  -D, --daemonize         go to the background once the ports are served\n"
	     "  -P, --pid-file FILE     write the master's process id there\n"
	     "  -v, --verbose           log details, too: each process's confinement, timeouts\n"
	     "  -V, --version           print the version\n"
	     "  -h, --help              print this\n"
	     "\n"
	     "selftest serves the configuration on other ports with throwaway keys, and plays\n"
	     "an attacker that has taken over one of its processes; exit 0 or 1.\n"
	     "\n"
	     "  -f, --config FILE       the configuration\n"
	     "      --json              print JSON\n"
	     "      --without LAYER     leave a layer out: seccomp, landlock, user, chroot,\n"
	     "                          keyholder, verifier or mounts\n"
	     "\n"
	     "SIGINT and SIGTERM stop the server gracefully; a second one at once.");
}

static void __attribute__((noreturn, format(printf, 1, 2))) refuse(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fputs("bulkhead: ", stderr);
	(void)vfprintf(stderr, format, args);
	va_end(args);
	fputs("\nTry 'bulkhead --help'.\n", stderr);
	exit(USAGE_STATUS);
}

static void argument_add_port(struct arguments *a, uint16_t port)
{
	for (size_t i = 0; i < a->ports_count; i++)
		if (a->ports[i] == port)
			refuse("port %u is given twice", port);
	uint16_t *ports = reallocarray(a->ports, a->ports_count + 1, sizeof(*ports));
	if (ports == NULL)
		refuse("out of memory");
	a->ports = ports;
	a->ports[a->ports_count++] = port;
}

/* "9000,9005-9009" */
static void ports_parse(struct arguments *a, const char *list)
{
	const char *p = list;
	do {
		size_t len = strcspn(p, ",");
		const char *dash = memchr(p, '-', len);
		size_t first_len = dash != NULL ? (size_t)(dash - p) : len;
		uint64_t first, last;
		if (num_parse(p, first_len, 1, 65535, &first) < 0)
			refuse("'%.*s' is not a port (1 to 65535)", (int)len, p);
		last = first;
		if (dash != NULL &&
		    num_parse(dash + 1, len - first_len - 1, first, 65535, &last) < 0)
			refuse("'%.*s' is not a range of ports", (int)len, p);
		for (uint64_t port = first; port <= last; port++)
			argument_add_port(a, (uint16_t)port);
		p += len;
	} while (*p++ == ',');
}

static uint32_t workers_parse(const char *text)
{
	uint64_t n;
	if (num_parse(text, strlen(text), 1, CONF_WORKERS_MAX, &n) < 0)
		refuse("'%s' is not a number of workers (1 to %d)", text, CONF_WORKERS_MAX);
	return (uint32_t)n;
}

static const char *file_parse(const char *option, const char *name)
{
	if (*name == '\0')
		refuse("%s takes the name of a file, which cannot be empty", option);
	return name;
}

static int descriptor_parse(const char *text)
{
	uint64_t n;
	if (num_parse(text, strlen(text), 3, INT_MAX, &n) < 0)
		refuse("--adopt is for an earlier version of this program");
	return (int)n;
}

static void combinations_check(const struct arguments *a)
{
	if (a->config != NULL && a->ports != NULL)
		refuse(
		    "--config and --port exclude each other: the ports are in the configuration");
	if ((a->certificate == NULL) != (a->key == NULL))
		refuse("--certificate and --key go together");
}

/* getopt_long(3) has printed the error. */
static void __attribute__((noreturn)) refuse_option(void)
{
	fputs("Try 'bulkhead --help'.\n", stderr);
	exit(USAGE_STATUS);
}

/* argv[0] is "selftest". The pair is never read: the selftest makes its own. */
static void selftest_parse(struct arguments *a, int argc, char **argv)
{
	int c;
	a->mode = MODE_SELFTEST;
	while ((c = getopt_long(argc, argv, "+f:h", selftest_options, NULL)) != -1) {
		switch (c) {
		case 'f':
			a->config = file_parse("--config", optarg);
			break;
		case OPTION_JSON:
			a->json = true;
			break;
		case OPTION_WITHOUT:
			if (!selftest_without_parse(optarg, &a->without))
				refuse("there is no layer '%s'", optarg);
			break;
		case 'h':
			a->mode = MODE_HELP;
			return;
		default:
			refuse_option();
		}
	}
	if (optind < argc)
		refuse("unexpected argument '%s'", argv[optind]);
	if (a->config == NULL)
		a->certificate = a->key = "throwaway";
}

void arguments_parse(struct arguments *a, int argc, char **argv)
{
	*a = (struct arguments){.mode = MODE_SERVE, .adopt_fd = -1};
	int c;
	if (argc > 1 && strcmp(argv[1], "selftest") == 0) {
		selftest_parse(a, argc - 1, argv + 1);
		return;
	}
	while ((c = getopt_long(argc, argv, "+f:tTp:w:P:DvVh", options, NULL)) != -1) {
		switch (c) {
		case 'f':
			a->config = file_parse("--config", optarg);
			break;
		case 't':
			a->mode = MODE_TEST;
			break;
		case 'T':
			a->mode = MODE_DUMP;
			break;
		case 'p':
			ports_parse(a, optarg);
			break;
		case 'w':
			a->workers = workers_parse(optarg);
			break;
		case OPTION_CERTIFICATE:
			a->certificate = file_parse("--certificate", optarg);
			break;
		case OPTION_KEY:
			a->key = file_parse("--key", optarg);
			break;
		case 'P':
			a->pid_file = file_parse("--pid-file", optarg);
			break;
		case 'D':
			a->daemonize = true;
			break;
		case 'v':
			a->verbose = true;
			break;
		case 'V':
			a->mode = MODE_VERSION;
			return;
		case 'h':
			a->mode = MODE_HELP;
			return;
		case OPTION_CHILD:
			a->mode = MODE_CHILD;
			a->attempts = argv[optind];
			return;
		case OPTION_ATTEMPTS:
			a->attempts = optarg;
			break;
		case OPTION_ADOPT:
			a->adopt_fd = descriptor_parse(optarg);
			break;
		default:
			refuse_option();
		}
	}
	if (optind < argc)
		refuse("unexpected argument '%s'", argv[optind]);
	combinations_check(a);
}

/* A file that this user may not look at counts as there: reading it then fails with the reason. */
static bool is_there(const char *path)
{
	return access(path, F_OK) == 0 || errno == EACCES;
}

/* For /opt/b/sbin/bulkhead: /opt/b/etc/bulkhead/bulkhead.conf. False: the folder of the program is
 * neither sbin nor bin. */
static bool installed_name(const char *program, char path[PATH_MAX])
{
	static const char *const folders[] = {"/sbin/", "/bin/"};
	const char *slash = program != NULL ? strrchr(program, '/') : NULL;
	for (size_t i = 0; slash != NULL && i < sizeof(folders) / sizeof(folders[0]); i++) {
		const size_t len = strlen(folders[i]), end = (size_t)(slash - program) + 1;
		if (end < len || strncmp(program + end - len, folders[i], len) != 0)
			continue;
		size_t prefix = end - len;
		if (prefix == strlen("/usr") && strncmp(program, "/usr", prefix) == 0)
			prefix = 0;
		const int n =
		    snprintf(path, PATH_MAX, "%.*s" CONFIG_INSTALLED, (int)prefix, program);
		return n > 0 && n < PATH_MAX;
	}
	return false;
}

static bool may_choose(const struct arguments *a)
{
	return a->config == NULL && a->ports == NULL && a->certificate == NULL && a->adopt_fd < 0;
}

bool arguments_installed_config(const struct arguments *a, const char *program,
				char ret_path[PATH_MAX])
{
	if (!may_choose(a))
		return false;
	if (installed_name(program, ret_path) && is_there(ret_path))
		return true;
	(void)strlcpy(ret_path, CONFIG_INSTALLED, PATH_MAX);
	return is_there(ret_path);
}

void arguments_choose_config(struct arguments *a, const char *program)
{
	char path[PATH_MAX];
	a->chosen = may_choose(a);
	if (!arguments_installed_config(a, program, path))
		return;
	char *copy = strdup(path);
	if (copy == NULL)
		refuse("out of memory");
	a->config = a->kept[a->kept_count++] = copy;
}

void arguments_release(struct arguments *a)
{
	free(a->ports);
	a->ports = NULL;
	for (size_t k = 0; k < a->kept_count; k++)
		free(a->kept[k]);
	for (size_t k = 0; a->again != NULL && a->again[k] != NULL; k++)
		free(a->again[k]);
	free(a->again);
}

/* --- for the next version --------------------------------------------------------------------- */

static void again_add(char **list, size_t *count, const char *word)
{
	if (word != NULL)
		list[(*count)++] = strdup(word);
}

static void again_add_option(char **list, size_t *count, const char *option, const char *value)
{
	if (value == NULL)
		return;
	again_add(list, count, option);
	again_add(list, count, value);
}

/* "8000,8001"; the list may have been given in ranges. */
static char *ports_word(const struct arguments *a)
{
	char *word = a->ports != NULL ? malloc(a->ports_count * sizeof("65535,") + 1) : NULL;
	size_t len = 0;
	for (size_t i = 0; word != NULL && i < a->ports_count; i++)
		len += (size_t)sprintf(word + len, "%s%u", i > 0 ? "," : "", a->ports[i]);
	return word;
}

/* Links are not resolved, since a link may lead elsewhere when the file is read again. */
static void path_keep(struct arguments *a, const char **path)
{
	char here[PATH_MAX], *absolute = NULL;
	if (*path == NULL || **path == '/' || getcwd(here, sizeof(here)) == NULL ||
	    asprintf(&absolute, "%s/%s", here, *path) < 0)
		return;
	*path = a->kept[a->kept_count++] = absolute;
}

void arguments_keep_paths(struct arguments *a)
{
	path_keep(a, &a->config);
	path_keep(a, &a->certificate);
	path_keep(a, &a->key);
	path_keep(a, &a->pid_file);
}

char **arguments_again(struct arguments *a, size_t *ret_count)
{
	char number[16], **list = calloc(24, sizeof(char *)),
			 *ports = list != NULL ? ports_word(a) : NULL;
	size_t count = 0;
	if (list == NULL)
		return NULL;
	a->again = list;
	(void)snprintf(number, sizeof(number), "%u", (unsigned)a->workers);
	again_add(list, &count, "bulkhead");
	again_add_option(list, &count, "--config", a->config);
	again_add_option(list, &count, "--port", ports);
	again_add_option(list, &count, "--workers", a->workers > 0 ? number : NULL);
	again_add_option(list, &count, "--certificate", a->certificate);
	again_add_option(list, &count, "--key", a->key);
	again_add_option(list, &count, "--pid-file", a->pid_file);
	again_add(list, &count, a->daemonize ? "--daemonize" : NULL);
	free(ports);
	for (size_t i = 0; i < count; i++)
		if (list[i] == NULL)
			return NULL;
	*ret_count = count;
	return list;
}

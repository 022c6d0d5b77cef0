/* bulkheadctl top: the terminal. Must always restore it. */
#include "ctl/terminal.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/fd.h"

#define SCREEN_ENTER "\033[?1049h\033[?25l\033[?7l\033[H\033[2J"
#define SCREEN_LEAVE "\033[?7h\033[?25h\033[?1049l"

static const int signals[] = {SIGINT,  SIGTERM, SIGHUP,   SIGQUIT, SIGUSR1,
			      SIGUSR2, SIGALRM, SIGWINCH, SIGCONT, SIGTSTP};

static void size_read(struct terminal *t)
{
	struct winsize size;
	t->lines = 24;
	t->columns = 80;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row == 0 || size.ws_col == 0)
		return;
	t->lines = size.ws_row;
	t->columns = size.ws_col;
}

int terminal_write(const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(STDOUT_FILENO, data, len);
		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

static void screen_enter(const struct terminal *t)
{
	struct termios raw = t->before;
	cfmakeraw(&raw);
	raw.c_oflag |= OPOST; /* for other programs that write there */
	(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
	(void)terminal_write(SCREEN_ENTER, strlen(SCREEN_ENTER));
}

static void screen_leave(const struct terminal *t)
{
	(void)terminal_write(SCREEN_LEAVE, strlen(SCREEN_LEAVE));
	(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &t->before);
}

int terminal_begin(struct terminal *t, struct err *err)
{
	sigset_t set;
	t->keys = (struct keys){.state = KEYS_PLAIN};
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) ||
	    tcgetattr(STDIN_FILENO, &t->before) < 0) {
		err_set(err, "top needs a terminal; status is for everything else");
		return -1;
	}
	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaddset(&set, signals[i]);
	if (sigprocmask(SIG_BLOCK, &set, &t->mask_before) < 0 ||
	    (t->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) < 0) {
		err_set(err, "signals cannot be read: %s", strerror(errno));
		return -1;
	}
	size_read(t);
	screen_enter(t);
	return 0;
}

void terminal_end(struct terminal *t)
{
	screen_leave(t);
	fd_close(&t->signal_fd);
	(void)sigprocmask(SIG_SETMASK, &t->mask_before, NULL);
}

void terminal_suspend(struct terminal *t)
{
	screen_leave(t);
	(void)raise(SIGSTOP);
	screen_enter(t);
	size_read(t);
}

static enum terminal_event signal_read(struct terminal *t)
{
	struct signalfd_siginfo info;
	if (read(t->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return TERMINAL_NOTHING;
	switch (info.ssi_signo) {
	case SIGWINCH:
		size_read(t);
		return TERMINAL_REDRAW;
	case SIGCONT:
		screen_enter(t);
		size_read(t);
		return TERMINAL_REDRAW;
	case SIGTSTP:
		terminal_suspend(t);
		return TERMINAL_REDRAW;
	default:
		return TERMINAL_QUIT;
	}
}

/* The sequences of console_codes(4), and those of xterm(1) and others. */
static enum terminal_event sequence_end(const struct keys *k, char byte)
{
	switch (byte) {
	case 'A':
		return TERMINAL_UP;
	case 'B':
		return TERMINAL_DOWN;
	case 'H':
		return TERMINAL_HOME;
	case 'F':
		return TERMINAL_END;
	case '~':
		break;
	default:
		return TERMINAL_NOTHING;
	}
	switch (k->number) {
	case 1:
	case 7:
		return TERMINAL_HOME;
	case 4:
	case 8:
		return TERMINAL_END;
	case 5:
		return TERMINAL_PAGE_UP;
	case 6:
		return TERMINAL_PAGE_DOWN;
	}
	return TERMINAL_NOTHING;
}

/* A sequence ends with a letter or '~'; a control character in it is a key of its own. */
static enum terminal_event byte_take(struct keys *k, char byte, char *ret_key)
{
	const enum keys_state state = k->state;
	k->state = KEYS_PLAIN;
	if (byte == '\033') {
		k->state = KEYS_ESCAPE;
		return TERMINAL_NOTHING;
	}
	if (state == KEYS_ESCAPE && (byte == '[' || byte == 'O')) {
		k->state = KEYS_SEQUENCE;
		k->number = 0;
		k->further = false;
		return TERMINAL_NOTHING;
	}
	if (state == KEYS_SEQUENCE && byte >= ' ') {
		if (byte >= '@')
			return sequence_end(k, byte);
		k->state = KEYS_SEQUENCE;
		k->further = k->further || byte < '0' || byte > '9';
		if (!k->further && k->number < 100)
			k->number = 10 * k->number + (unsigned)(byte - '0');
		return TERMINAL_NOTHING;
	}
	*ret_key = byte;
	return TERMINAL_KEY;
}

enum terminal_event keys_next(struct keys *k, char *ret_key)
{
	enum terminal_event event = TERMINAL_NOTHING;
	while (k->at < k->len && event == TERMINAL_NOTHING)
		event = byte_take(k, k->bytes[k->at++], ret_key);
	return event;
}

static enum terminal_event keys_read(struct keys *k, char *ret_key)
{
	ssize_t n = read(STDIN_FILENO, k->bytes, sizeof(k->bytes));
	if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
		return TERMINAL_QUIT;
	k->at = 0;
	k->len = n > 0 ? (size_t)n : 0;
	return keys_next(k, ret_key);
}

bool terminal_has_more(const struct terminal *t)
{
	return t->keys.at < t->keys.len;
}

enum terminal_event terminal_read(struct terminal *t, char *ret_key)
{
	struct pollfd typed = {.fd = STDIN_FILENO, .events = POLLIN};
	enum terminal_event event = signal_read(t);
	if (event != TERMINAL_NOTHING)
		return event;
	if (terminal_has_more(t))
		return keys_next(&t->keys, ret_key);
	return poll(&typed, 1, 0) > 0 ? keys_read(&t->keys, ret_key) : TERMINAL_NOTHING;
}

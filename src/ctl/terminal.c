/* bulkheadctl top: the terminal. Must never leave it other than it was. */
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

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGCONT, SIGTSTP};

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
	raw.c_oflag |= OPOST; /* for whatever else writes there */
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

/* A key, or the last of the bytes that an arrow sends. */
static enum terminal_event key_read(char *ret_key)
{
	char bytes[16];
	ssize_t n = read(STDIN_FILENO, bytes, sizeof(bytes));
	if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
		return TERMINAL_QUIT;
	if (n < 0)
		return TERMINAL_NOTHING;
	if (n == 3 && bytes[0] == '\033' && (bytes[1] == '[' || bytes[1] == 'O'))
		return bytes[2] == 'A'   ? TERMINAL_UP
		       : bytes[2] == 'B' ? TERMINAL_DOWN
					 : TERMINAL_NOTHING;
	if (bytes[0] == '\033' && n > 1)
		return TERMINAL_NOTHING;
	*ret_key = bytes[0];
	return TERMINAL_KEY;
}

enum terminal_event terminal_read(struct terminal *t, char *ret_key)
{
	struct pollfd keys = {.fd = STDIN_FILENO, .events = POLLIN};
	enum terminal_event event = signal_read(t);
	if (event != TERMINAL_NOTHING)
		return event;
	return poll(&keys, 1, 0) > 0 ? key_read(ret_key) : TERMINAL_NOTHING;
}

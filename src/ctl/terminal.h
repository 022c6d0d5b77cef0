/*
 * The terminal of `bulkheadctl top`: raw, on its other screen, with signals as events; and as it
 * was again at the end (termios(3), signalfd(2), console_codes(4)).
 */
#ifndef CTL_TERMINAL_H
#define CTL_TERMINAL_H

#include <signal.h>
#include <stdbool.h>
#include <termios.h>

#include "base/err.h"

enum terminal_event {
	TERMINAL_NOTHING, /* no more for now */
	TERMINAL_KEY,     /* with the key */
	TERMINAL_UP,      /* an arrow */
	TERMINAL_DOWN,
	TERMINAL_PAGE_UP,
	TERMINAL_PAGE_DOWN,
	TERMINAL_HOME,
	TERMINAL_END,
	TERMINAL_REDRAW, /* another size, or it is back from a stop */
	TERMINAL_QUIT    /* an ending signal, or the terminal is gone */
};

/* Where in what is typed it is: an arrow sends ESC [ and a letter, or ESC O and a letter. */
enum keys_state { KEYS_PLAIN, KEYS_ESCAPE, KEYS_SEQUENCE };

/* What was read and has not been looked at. */
struct keys {
	char bytes[64];
	size_t at, len;
	enum keys_state state;
	unsigned number; /* the first one of the sequence: ESC [ 5 ~ */
	bool further;    /* there is a second one, which is no matter of ours */
};

struct terminal {
	int signal_fd;
	struct termios before;
	sigset_t mask_before;
	unsigned lines, columns;
	struct keys keys;
};

/* 0, or -1 and a sentence. */
int terminal_begin(struct terminal *, struct err *);
void terminal_end(struct terminal *);

/* Once standard input or signal_fd is readable: what it was. Again while terminal_has_more(). */
enum terminal_event terminal_read(struct terminal *, char *ret_key);
bool terminal_has_more(const struct terminal *);
/* The next key or arrow among the bytes. Pure. */
enum terminal_event keys_next(struct keys *, char *ret_key);
/* Stops the process as Ctrl-Z does, with the terminal as it was; returns when it goes on. */
void terminal_suspend(struct terminal *);
/* Writes all of it, or gives up: 0 or -1. */
int terminal_write(const char *data, size_t len);

#endif

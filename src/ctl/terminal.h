/*
 * The terminal of `bulkheadctl top`: raw, on the alternate screen, with signals as events; restored
 * at the end (termios(3), signalfd(2), console_codes(4)).
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
	TERMINAL_REDRAW, /* the size has changed, or the process continues after a stop */
	TERMINAL_QUIT    /* a signal to end, or the terminal is gone */
};

/* The position within an arrow key's bytes: ESC [ and a letter, or ESC O and a letter. */
enum keys_state { KEYS_PLAIN, KEYS_ESCAPE, KEYS_SEQUENCE };

/* Bytes that were read and not used yet. */
struct keys {
	char bytes[64];
	size_t at, len;
	enum keys_state state;
	unsigned number; /* the first number of the sequence: ESC [ 5 ~ */
	bool further;    /* there is a second number, which is ignored */
};

struct terminal {
	int signal_fd;
	struct termios before;
	sigset_t mask_before;
	unsigned lines, columns;
	struct keys keys;
};

/* Returns 0, or -1 and a sentence. */
int terminal_begin(struct terminal *, struct err *);
void terminal_end(struct terminal *);

/* Reads an event, after standard input or signal_fd became readable. Call it again while
 * terminal_has_more(). */
enum terminal_event terminal_read(struct terminal *, char *ret_key);
bool terminal_has_more(const struct terminal *);
/* Takes the next key or arrow from the bytes. Pure. */
enum terminal_event keys_next(struct keys *, char *ret_key);
/* Stops the process like Ctrl-Z, with the terminal restored; returns when it continues. */
void terminal_suspend(struct terminal *);
/* Writes all bytes, or gives up: 0 or -1. */
int terminal_write(const char *data, size_t len);

#endif

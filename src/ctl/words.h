/*
 * Figures and text from outside, for people on a terminal. Pure.
 *
 * All functions append to a struct text. words_short_*() write at most WORDS_SHORT characters, so
 * that a table keeps its columns.
 */
#ifndef CTL_WORDS_H
#define CTL_WORDS_H

#include <stdint.h>

#include "base/text.h"

#define WORDS_SHORT 6

/* Like text_add_utf8(): names stay, and characters that a terminal could take for a command become
 * \ooo. The server escapes its text already, so this only matters for a false server. NULL writes
 * nothing. */
void words_safe(struct text *, const char *);

/* From now on names are written in ASCII, for a terminal with another character set. */
void words_ascii_only(void);

/* Writes `of CN=example in "FILE"`; only the file if the certificate has no name. */
void words_certificate(struct text *, const char *subject, const char *file);

void words_short_duration(struct text *, uint64_t ms);   /* 850ms, 45s, 12m, 3h12m, 3d04h, 120d */
void words_short_latency(struct text *, uint64_t us);    /* 850us, 1.2ms, 120ms, 1.2s, 12s */
void words_short_bytes(struct text *, uint64_t bytes);   /* 512, 640K, 12.3M, 1.2G */
void words_short_count(struct text *, uint64_t count);   /* 12345, 123k, 12.3M */
void words_short_tenths(struct text *, uint64_t tenths); /* 0.3, 99.9, 1234, 123k */

#endif

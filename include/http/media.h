/*
 * Media types by the extension of a file's name.
 *
 * A table is made once, from text in the form of /etc/mime.types ("text/html html htm", "#" begins
 * a comment) or from pairs, and then only looked up: one hash, however many rows it has.
 */
#ifndef HTTP_MEDIA_H
#define HTTP_MEDIA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_TYPE_MAX      255 /* bytes of a media type; longer ones are left out */
#define HTTP_EXTENSION_MAX 64
#define HTTP_MEDIA_MAX     65536 /* extensions of one table; further ones are left out */
#define HTTP_MEDIA_TEXT    ((size_t)4 << 20) /* bytes of text that are read */

struct media_row {
	const char *extension; /* in lower case */
	const char *type;
	uint16_t type_len;
	uint8_t extension_len;
};

/* All zero: empty. */
struct media_table {
	struct media_row *rows; /* a hash table; free places have no extension */
	size_t size, count;     /* size is 0 or a power of 2 */
	struct media_texts *texts;
};

/* Both add: an extension that is there already keeps its type. Rows that are malformed are left
 * out. 0 or -ENOMEM. */
int media_add(struct media_table *, const char *extension, size_t extension_len, const char *type,
	      size_t type_len);
int media_read(struct media_table *, const char *text, size_t len);
/* The types that are known without any file. */
int media_add_known(struct media_table *);
void media_release(struct media_table *);

/* The row of the last extension of this name, or NULL. "a.tar.gz" has "gz"; ".profile" and "name."
 * have none. */
const struct media_row *media_find(const struct media_table *, const char *name, size_t len);

/* Is it text, so that it has a charset: text and the scripts of the web, if the type does not name
 * one? */
bool media_has_charset(const char *type, size_t len);

#endif

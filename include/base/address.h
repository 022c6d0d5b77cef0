/*
 * The text of a network address.
 */
#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H

/* The longest numeric address without a zone, with its NUL: INET6_ADDRSTRLEN of netinet/in.h, which
 * a header that knows no sockets does not include. */
#define ADDRESS_TEXT_MAX 46

#endif

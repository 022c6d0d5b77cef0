/*
 * The search for the addresses of one name: its candidates (resolv.conf(5), search) one after the
 * other, of each A and AAAA at the same time, and each of these questions to the name servers one
 * after the other, over UDP and, if an answer does not fit, over TCP (RFC 7766).
 *
 * Each question has sockets of its own, connected to one server, with a port that the kernel
 * chooses at random, and a random id: so nobody else can easily answer (RFC 5452).
 */
#ifndef RESOLVER_LOOKUP_H
#define RESOLVER_LOOKUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "dns.h"
#include "ipc/addresses.h"
#include "net/loop.h"
#include "servers.h"

/* A server has a second to answer before the next one is asked as well. */
#define LOOKUP_NEXT_MS 1000

struct lookup;

/* What all lookups of a process share. */
struct lookups {
	struct loop *loop;
	const struct servers *servers;
	const union ipc_address *places; /* of the servers: in the block */
	unsigned first;                  /* the server that the next lookup asks first */
};

enum lookup_verdict {
	LOOKUP_FOUND,     /* one address or more */
	LOOKUP_UNKNOWN,   /* the name does not exist, or has no address that can be used */
	LOOKUP_NO_ANSWER, /* of any server in time */
	LOOKUP_FAILED     /* the servers cannot say, or this process lacks descriptors or memory */
};

struct lookup_result {
	enum lookup_verdict verdict;
	/* IPv6 and IPv4 in turns (RFC 8305, 4), each ascending, so the same addresses are always
	 * the same list */
	struct network_address list[IPC_NAME_ADDRESSES_MAX];
	size_t count;
	uint32_t ttl; /* seconds */
};

/* A socket to a server. */
struct lookup_peer {
	struct loop_io io; /* first; fd -1: it is not in use */
	struct question *question;
	bool tcp;
	bool sent;     /* over TCP */
	bool failed;   /* in this attempt */
	struct buf in; /* over TCP */
};

struct question {
	struct lookup *lookup;
	enum dns_type type;
	struct loop_timer timer;
	struct lookup_peer peers[SERVERS_MAX];
	unsigned next;    /* how many servers this attempt has asked */
	unsigned attempt; /* from 0 */
	bool asking;
	bool some_failed; /* a server has said that it cannot say */
	uint8_t query[DNS_QUERY_MAX];
	size_t query_len;
	enum dns_verdict verdict; /* once it is no longer asking; DNS_FOREIGN: no answer */
	struct dns_answer answer;
};

/* The owner provides the memory. */
struct lookup {
	struct lookups *all;
	const char *name; /* at most 255 bytes; of the owner */
	/* Called once, from the loop or from within lookup_begin(). */
	void (*done)(struct lookup *, const struct lookup_result *);
	/* its own */
	unsigned candidate, first;
	bool beginning;
	struct question questions[2];
};

void lookup_begin(struct lookups *, struct lookup *, const char *name,
		  void (*done)(struct lookup *, const struct lookup_result *));
/* It will not be called back. Not after it was. */
void lookup_cancel(struct lookup *);

/* What two answers are together; pure. */
void lookup_merge(const struct dns_answer *v4, const struct dns_answer *v6,
		  struct lookup_result *ret);

#endif

/*
 * One packet on a SOCK_SEQPACKET socket; src/ipc only.
 */
#ifndef IPC_PACKET_H
#define IPC_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* 0 or -errno. It uses write(2), so SIGPIPE must be ignored. */
int packet_send(int fd, const void *data, size_t size);
/* Returns the length of the packet, even if it exceeds size; 0 when the peer is gone; or -errno. */
ssize_t packet_receive(int fd, void *data, size_t size, int flags);

/* The same with a descriptor, if it is not -1: the caller keeps it. */
int packet_send_with(int fd, const void *data, size_t size, int with);
/* And without blocking. *ret_with: the descriptor that came, or -1; *ret_lost: one came for which
 * this process has no room. */
ssize_t packet_receive_with(int fd, void *data, size_t size, int *ret_with, bool *ret_lost);

#endif

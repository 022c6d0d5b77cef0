/*
 * One packet on a SOCK_SEQPACKET socket; src/ipc only.
 */
#ifndef IPC_PACKET_H
#define IPC_PACKET_H

#include <stddef.h>
#include <sys/types.h>

/* 0 or -errno. It uses write(2), so SIGPIPE must be ignored. */
int packet_send(int fd, const void *data, size_t size);
/* Returns the length of the packet, even if it exceeds size; 0 when the peer is gone; or -errno. */
ssize_t packet_receive(int fd, void *data, size_t size, int flags);

#endif

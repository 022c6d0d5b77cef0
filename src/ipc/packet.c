/* Runs in workers, holders of secrets and the master. */
#include "packet.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

int packet_send(int fd, const void *data, size_t size)
{
	ssize_t n;
	do
		n = write(fd, data, size);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* MSG_TRUNC makes recv() return the real length of the packet. */
ssize_t packet_receive(int fd, void *data, size_t size, int flags)
{
	ssize_t n;
	do
		n = recv(fd, data, size, flags | MSG_TRUNC);
	while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	return n < 0 ? -errno : n;
}

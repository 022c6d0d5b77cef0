"""A TLS client that sends unusual records: records without data, and TLS's own messages."""
import ctypes
import socket

from harness import TIMEOUT

CLIENT, CERTIFICATE = 2, 1  # GNUTLS_CLIENT, GNUTLS_CRD_CERTIFICATE


class Records:
    """A connection by the GnuTLS library; its functions return what the library's do."""

    def __init__(self, port, priority=b"NORMAL"):
        self.gnutls = ctypes.CDLL("libgnutls.so.30")
        self.gnutls.gnutls_record_send2.restype = ctypes.c_ssize_t
        self.gnutls.gnutls_record_recv.restype = ctypes.c_ssize_t
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
        self.socket.settimeout(None)  # the library waits
        self.session, self.credentials = ctypes.c_void_p(), ctypes.c_void_p()
        assert self.gnutls.gnutls_init(ctypes.byref(self.session), CLIENT) == 0
        self.gnutls.gnutls_certificate_allocate_credentials(ctypes.byref(self.credentials))
        self.gnutls.gnutls_priority_set_direct(self.session, priority, None)
        self.gnutls.gnutls_credentials_set(self.session, CERTIFICATE, self.credentials)
        self.gnutls.gnutls_handshake_set_timeout(self.session, TIMEOUT * 1000)
        fd = self.socket.fileno()
        self.gnutls.gnutls_transport_set_int2(self.session, fd, fd)

    def __enter__(self):
        assert self.gnutls.gnutls_handshake(self.session) == 0
        return self

    def __exit__(self, *_):
        self.gnutls.gnutls_deinit(self.session)
        self.gnutls.gnutls_certificate_free_credentials(self.credentials)
        self.socket.close()

    def send(self, data, padding=0):
        return self.gnutls.gnutls_record_send2(
            self.session, data, ctypes.c_size_t(len(data)), ctypes.c_size_t(padding), 0)

    def send_nothing(self, padding=2000):
        """A record of TLS 1.3 that holds padding alone: data of no bytes."""
        return self.send(b"", padding)

    def update_keys(self, both=True):
        return self.gnutls.gnutls_session_key_update(self.session, int(both))

    def read_to_end(self):
        """All data until the end, clean or not."""
        data, part = b"", ctypes.create_string_buffer(65536)
        again = -28  # GNUTLS_E_AGAIN, after one of TLS's own messages
        while (n := self.gnutls.gnutls_record_recv(self.session, part, len(part))) > 0 or n == again:
            data += part.raw[:max(n, 0)]
        return data

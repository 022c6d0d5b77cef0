"""A name server on loopback, whose answers a test decides; and systems that ask it."""
import contextlib
import socket
import struct
import threading

A, AAAA, CNAME = 1, 28, 5
UNSHARE = ("unshare", "-m", "--propagation", "private", "sh", "-c")


class NameServer:
    """Answers over UDP and TCP. `names` has the records by name: [(type, ttl, data)], an rcode as a number,
    or None for silence; data is the text of an address, or a name. What is not there does not exist.
    `truncated` has the names whose answers do not fit into a datagram; `damages` change a name's answers."""

    def __init__(self, **names):
        self.names = {name.replace("_", "."): answer for name, answer in names.items()}
        self.truncated, self.damages, self.asked = set(), {}, []
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.port = self.tcp.getsockname()[1]
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", self.port))
        for serve in (self.serve_udp, self.serve_tcp):
            threading.Thread(target=serve, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for s in (self.tcp, self.udp):
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)
            s.close()

    def serve_udp(self):
        with contextlib.suppress(OSError):
            while True:
                query, client = self.udp.recvfrom(4096)
                if not query:  # it was shut down
                    return
                answer = self.answer(query, False)
                if answer:
                    self.udp.sendto(answer, client)

    def serve_tcp(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.tcp.accept()
                with client, contextlib.suppress(OSError):
                    client.settimeout(10)
                    query = client.recv(4096)
                    answer = self.answer(query[2:], True)
                    if answer:
                        client.sendall(struct.pack("!H", len(answer)) + answer)

    def count(self, name, over=None):
        return sum(1 for asked, _, way in list(self.asked) if asked == name and over in (None, way))

    def answer(self, query, tcp):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode("latin-1"))
            at += query[at] + 1
        name, question = ".".join(labels).lower(), query[12:at + 5]
        kind = struct.unpack("!H", query[at + 1:at + 3])[0]
        self.asked.append((name, kind, "tcp" if tcp else "udp"))
        found = self.names.get(name, 3)
        if found is None:
            return None
        rcode, records, flags = (found, [], 0) if isinstance(found, int) else (0, found, 0)
        if name in self.truncated and not tcp:
            records, flags = [], 0x0200  # TC
        data = b"".join(self.record(r) for r in records if r[0] in (kind, CNAME))
        count = sum(1 for r in records if r[0] in (kind, CNAME))
        answer = query[:2] + struct.pack("!HHHHH", 0x8180 | flags | rcode, 1, count, 0, 0) + question + data
        return self.damages.get(name, bytes)(answer)

    @staticmethod
    def record(record):
        kind, ttl, text = record
        data = socket.inet_pton(socket.AF_INET6 if kind == AAAA else socket.AF_INET, text)
        return b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data


def with_files(folder, resolv, hosts="127.0.0.1 localhost\n"):
    """The wrapper of a server whose /etc/resolv.conf and /etc/hosts are these."""
    (folder / "resolv.conf").write_text(resolv)
    (folder / "hosts").write_text(hosts)
    mounts = " && ".join(f"mount --bind '{folder / name}' /etc/{name}" for name in ("resolv.conf", "hosts"))
    return [*UNSHARE, f'{mounts} && exec "$@"', "sh"]

"""TLS towards servers: contexts from a server's `tls` options, and a TLS socket with the calls a link needs.

gevent's SSLSocket waits cooperatively; a link wants the plain non-blocking object underneath, for its own watcher.
"""

from __future__ import annotations

import socket
import ssl
from functools import lru_cache
from typing import Any

import gevent.ssl

from gproxy.core.backends import Tls


@lru_cache(maxsize=1024)
def client_context(tls: Tls) -> ssl.SSLContext:
    """Return the context for `tls`, made once; raises OSError (ssl.SSLError included) for files that cannot be used."""
    context = gevent.ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # ssl.create_default_context would wait blocking
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if tls.ca_file:
        context.load_verify_locations(tls.ca_file)
    else:
        context.load_default_certs()
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.cert_file:
        context.load_cert_chain(tls.cert_file, tls.key_file)
    context.set_alpn_protocols(["http/1.1"])
    return context


class TlsWire:
    """A non-blocking TLS connection; WantRead and WantWrite say what the link has to wait for.

    `sock` holds the descriptor, `tls` is Python's own object for what goes over it.
    """

    __slots__ = ("__weakref__", "_read", "_write", "pending", "sock", "tls")

    def __init__(self, sock: socket.socket, tls: Any) -> None:
        self.sock = sock
        self.tls = tls
        #: number of decrypted bytes that wait although the descriptor is silent
        self.pending = tls.pending
        self._read = tls.read
        self._write = tls.write

    def recv(self, size: int) -> bytes:
        """Return up to `size` decrypted bytes of one record; b"" after close_notify."""
        try:
            data: bytes = self._read(size)
        except ssl.SSLZeroReturnError:
            return b""  # close_notify: an honest end, unlike a bare end of the TCP stream
        return data

    def send(self, data: bytes | memoryview) -> int:
        """Write all or nothing; what was refused must be given again as it was."""
        written: int = self._write(data)
        return written

    def recv_into(self, buffer: memoryview) -> int:
        """Fill `buffer` with decrypted bytes; 0 after close_notify."""
        try:
            count: int = self._read(len(buffer), buffer)
        except ssl.SSLZeroReturnError:
            return 0
        return count

    def setsockopt(self, level: int, option: int, value: bytes) -> None:
        """Set an option of the TCP connection."""
        self.sock.setsockopt(level, option, value)

    def fileno(self) -> int:
        """Return the descriptor to watch."""
        return int(self.sock.fileno())

    def shutdown(self, how: int) -> None:
        """Shut the TCP connection down in one direction."""
        self.sock.shutdown(how)

    def close(self) -> None:
        """Close the descriptor."""
        self.sock.close()

"""TLS towards a client, over a plain non-blocking socket."""

from __future__ import annotations

import contextlib
import socket
import ssl

from gproxy.worker.tls import TlsWire

#: largest payload of a record (RFC 8446 5.1)
_RECORD_BYTES = 1 << 14
_WOULD_BLOCK = (ssl.SSLWantReadError, ssl.SSLWantWriteError)


class ClientWire(TlsWire):
    """A connection that a client has opened; it ends with TLS's own goodbye unless it is cut."""

    __slots__ = ("_is_cut",)

    def __init__(self, sock: socket.socket, front: ssl.SSLContext) -> None:
        # What SSLContext.wrap_socket does, without an SSLSocket, which would take the descriptor over (30 us, 1 KB).
        super().__init__(sock, front._wrap_socket(sock, True, owner=self))  # type: ignore[attr-defined]
        self._is_cut = False

    def move_to(self, context: ssl.SSLContext) -> None:
        """Go on with another context's certificate."""
        self.tls.context = context

    def send(self, data: bytes | memoryview) -> int:
        """Write as many records as the client takes, so that it can be seen to go on; the rest must be given again."""
        if len(data) <= _RECORD_BYTES:
            return super().send(data)
        view, sent = memoryview(data), 0
        try:
            while sent < len(view):
                sent += self._write(view[sent : sent + _RECORD_BYTES])
        except _WOULD_BLOCK:
            if not sent:
                raise
        return sent

    #: OpenSSL hands the connection to `sni_callback` by this name
    context = property(None, move_to)

    def setsockopt(self, level: int, option: int, value: bytes) -> None:
        """Set an option of the TCP connection; that it shall be reset means that nobody says goodbye."""
        super().setsockopt(level, option, value)
        self._is_cut = self._is_cut or option == socket.SO_LINGER

    def shutdown(self, how: int) -> None:
        """Say that nothing more will be sent."""
        self._say_goodbye()
        super().shutdown(how)

    def close(self) -> None:
        """End the connection."""
        self._say_goodbye()
        super().close()

    def _say_goodbye(self) -> None:
        if not self._is_cut:
            self._is_cut = True
            with contextlib.suppress(OSError):  # among them: the other side has not said goodbye yet
                self.tls.shutdown()

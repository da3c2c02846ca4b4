"""TLS for waitress: a channel whose socket shakes hands and decrypts without ever holding up the loop."""

import socket
import ssl
from typing import Any

from waitress.channel import HTTPChannel


class TlsChannel(HTTPChannel):
    """One connection over TLS. Use a class made by `of`."""

    context: ssl.SSLContext

    @classmethod
    def of(cls, context: ssl.SSLContext) -> type["TlsChannel"]:
        """Return the class of channels that use this context."""
        return type("Channel", (cls,), {"context": context})

    def __init__(self, server: Any, sock: socket.socket, *rest: Any, **more: Any) -> None:
        sock.setblocking(False)
        self._is_shaken = False
        self._awaits_write = False
        tls = self.context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        self._tls = tls
        super().__init__(server, tls, *rest, **more)

    def readable(self) -> bool:
        """Tell whether to wait for bytes to read."""
        return bool(super().readable()) if self._is_shaken else not self._awaits_write

    def writable(self) -> bool:
        """Tell whether to wait until bytes can be written."""
        return bool(super().writable()) if self._is_shaken else self._awaits_write or self.will_close

    def handle_read(self) -> None:
        """Read all that has come: what is decrypted already makes no socket readable."""
        if not self._is_shaken:
            self._shake()
        while self._is_shaken and self.connected and self.readable():
            try:
                data = self._tls.recv(self.adj.recv_bytes)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            except OSError:
                data = b""
            if not data:
                self.handle_close()
                return
            self.received(data)

    def handle_write(self) -> None:
        """Write, or go on with the handshake."""
        if self._is_shaken or self.will_close:
            super().handle_write()
        else:
            self._shake()

    def send(self, data: bytes, do_close: bool = True) -> int:
        """Send what the socket takes, and return how much that was."""
        try:
            return int(self._tls.send(data))
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return 0
        except OSError:
            if do_close:
                self.handle_close()
            return 0

    def _shake(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._awaits_write = False
        except ssl.SSLWantWriteError:
            self._awaits_write = True
        except OSError:  # not TLS, or not one that we speak
            self.handle_close()
        else:
            self._is_shaken = True

"""What comes before the first request of a connection: a PROXY header, the TLS handshake.

Both in a greenlet of its own with a deadline over both. A connection that has said nothing yet costs no more than any
idle one: TLS begins with the first byte.
"""

from __future__ import annotations

import logging
import socket
import ssl
from time import monotonic
from typing import TYPE_CHECKING

from gproxy.core.errors import BadRequest, GatewayError
from gproxy.core.proxy_protocol import MOST_HEADER_BYTES, parse
from gproxy.shared import layout
from gproxy.worker.client_wire import ClientWire
from gproxy.worker.connection import Client
from gproxy.worker.forwarded import origin
from gproxy.worker.identity import identity_lines
from gproxy.worker.link import RECV_BYTES, ClientGone, Wire

if TYPE_CHECKING:
    from gproxy.entrances import Entrance
    from gproxy.worker.forwarded import Origin
    from gproxy.worker.runtime import Runtime

log = logging.getLogger(__name__)


class Arrival(Client):
    """A client connection through an entrance that asks for more than requests. `is_new` until those can be read."""

    __slots__ = ("_entrance", "_pending", "is_new")

    def __init__(self, sock: socket.socket, origin: Origin, runtime: Runtime, entrance: Entrance) -> None:
        super().__init__(sock, origin, runtime)
        self.is_new = True
        self._entrance = entrance
        self._pending = _nothing
        self.deadlines.set(self, monotonic() + runtime.handshake_s)

    def recv(self, size: int = RECV_BYTES) -> bytes:
        """Return what TLS has decrypted already, else park."""
        return self._recv(size) if self._pending() else super().recv(size)

    def unattended(self) -> None:
        """New: the client begins to speak. Later: as with any client."""
        if not self.is_new:
            super().unattended()
        elif self.busy:
            self.disarm()
        else:
            self.busy = True
            self.runtime.start(self._arrive)

    def tell_crowded(self) -> None:
        """Say nothing in plain to who wants to speak TLS."""
        if not self._entrance.speaks_tls:
            super().tell_crowded()

    def turn_away(self, error: GatewayError) -> None:
        """Close a connection that is one too many: a handshake would cost more than the answer is worth."""
        if self.is_new:
            self.close()
        else:
            super().turn_away(error)

    def timed_out(self) -> Exception:
        """Return what a greenlet is told whose client is too slow."""
        if not self.is_new:
            return super().timed_out()
        self.runtime.count(layout.SLOW_HANDSHAKES)
        return ClientGone("took too long for its handshake")

    def idle_expired(self) -> None:
        """Close a connection that was idle, or said nothing at all, for too long."""
        if self.is_new:
            self.runtime.count(layout.SLOW_HANDSHAKES)
        super().idle_expired()

    def linger(self) -> None:
        """As with any client; what comes behind our goodbye is not decrypted, as OpenSSL takes it for a fault."""
        super().linger()
        if isinstance(self.wire, ClientWire) and not self.closed:
            self._recv = self.wire.sock.recv

    def _arrive(self) -> None:
        """Take the connection to its first request; runs in a borrowed greenlet."""
        try:
            if self._entrance.announces:
                self._read_announcement()
            if self._entrance.speaks_tls:
                self._shake_hands()
        except ClientGone:
            self.close()
        except ssl.SSLError as error:  # before ValueError, which some of them are as well
            self._refuse(error)
        except ValueError as error:
            self.runtime.count(layout.REFUSED_ANNOUNCEMENTS)
            log.warning("connection refused", extra={"from": self.origin.ip.decode("ascii"), "reason": error})
            self.close()
        except OSError:  # reset before a handshake could begin
            self.close()
        except Exception:
            self.close()
            raise
        else:
            self._begin()

    def _read_announcement(self) -> None:
        """Take the PROXY header off the connection, not a byte more, and believe it. Raises ValueError, ClientGone."""
        sock, header = self.wire, b""
        assert isinstance(sock, socket.socket)
        while True:
            try:
                seen = sock.recv(MOST_HEADER_BYTES, socket.MSG_PEEK)
            except BlockingIOError:
                self.wait_readable()
                continue
            if not seen:
                raise ClientGone("closed by the client")
            found = parse(header + seen)
            header += sock.recv(len(seen) if found is None else found.size - len(header))
            if found is None:
                continue
            if found.source:
                self.origin = origin(found.source, self.runtime.settings.gproxy.trusted_proxies)
            if not self.runtime.has_room_for(self):
                raise ClientGone("one connection too many")
            return

    def _shake_hands(self) -> None:
        runtime, sock, termination = self.runtime, self.wire, self.runtime.termination
        assert isinstance(sock, socket.socket)
        assert termination is not None
        wire = ClientWire(sock, termination.front)
        self._use(wire)
        while True:
            runtime.next_turn.wait()  # a signature takes half a millisecond: a flood of them holds nobody else
            if self.closed:
                raise ClientGone("took too long for its handshake")
            try:
                wire.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.wait_readable()
            except ssl.SSLWantWriteError:
                self.wait_writable()
        runtime.count(layout.HANDSHAKES)
        if wire.tls.session_reused:
            runtime.count(layout.RESUMED)
        self._pending = wire.pending
        certificate = wire.tls.getpeercert(True) if termination.verifies else None
        lines = identity_lines(certificate, wire.tls.getpeercert(False)) if certificate else b""
        self.origin = self.origin.over_tls(lines)

    def _begin(self) -> None:
        """Read the first request: it may have come with the last bytes of the handshake."""
        self.is_new = False
        self.deadlines.set(self, monotonic() + self.runtime.head_s)
        data = self._read_now()
        if self._speaks_http2() and data != b"":
            self.speak_http2(data or b"")
        elif data:
            self.buffer = data
            self.serve()
        elif data is None:
            self.busy = False
            self.arm()
        else:
            self.close()

    def _speaks_http2(self) -> bool:
        return isinstance(self.wire, ClientWire) and self.wire.tls.selected_alpn_protocol() == "h2"

    def _refuse(self, error: ssl.SSLError) -> None:
        """End a connection whose handshake failed; who speaks plain HTTP is told so."""
        self.runtime.count(layout.FAILED_HANDSHAKES)
        log.debug("handshake failed", extra={"client_ip": self.origin.ip.decode("ascii"), "reason": error.reason})
        if error.reason != "HTTP_REQUEST":
            self.close()
            return
        assert isinstance(self.wire, ClientWire)
        self._use(self.wire.sock)
        self.is_new = False
        self.turn_away(BadRequest("This address speaks https."))

    def _use(self, wire: Wire) -> None:
        self.wire = wire
        self._recv = wire.recv
        self._send = wire.send

    def _rest(self, now_s: float) -> None:
        """Give the greenlet back, unless the next request was decrypted with the last one: no event tells of it."""
        if not self._pending():
            super()._rest(now_s)
            return
        self.buffer = self._recv(RECV_BYTES)
        runtime = self.runtime
        runtime.next_turn.add(lambda: runtime.start(self.serve))


def _nothing() -> int:
    """Return how many decrypted bytes wait on a connection without TLS."""
    return 0

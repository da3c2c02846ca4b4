"""A client connection: reads requests strictly and in order, and rests without a greenlet between them."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from gproxy.core.errors import BadRequest, GatewayError, HeadTooLarge, RequestTimeout, TargetTooLong
from gproxy.core.http1 import (
    REQUEST_LINE,
    RequestFields,
    absolute_target,
    is_hopeless,
    parse_request_fields,
    with_host,
)
from gproxy.shared import layout
from gproxy.worker.crowd import CROWDED
from gproxy.worker.deadlines import NEVER
from gproxy.worker.exchange import NO_FIELDS, Exchange
from gproxy.worker.link import RECV_BYTES, WOULD_BLOCK, ClientGone, Link, unsent

if TYPE_CHECKING:
    from gproxy.worker.forwarded import Origin
    from gproxy.worker.gathering import Gathering
    from gproxy.worker.pace import Pace
    from gproxy.worker.pause import Pause
    from gproxy.worker.runtime import Runtime
    from gproxy.worker.upstream import Upstream

#: how long and how much we read of what a client still sends after its answer: closing with unread bytes would
#: reset the connection and could take the answer away from the client (RFC 9112 9.6)
LINGER_S, LINGER_BYTES = 2.0, 1 << 20
#: struct linger {on, 0 seconds}: closing drops what is unsent and resets
_RESET = struct.pack("ii", 1, 0)

#: how a connection begins whose client knows that we speak HTTP/2 (RFC 9113 3.4)
_HTTP2 = b"PRI * HTTP/2.0\r\n\r\n"
#: requests of one connection that are served before the loop looks at the others: a pipeline of answers that need no
#: server would hold it (2,500 tiny requests that get 404: 65 ms)
_MOST_IN_A_ROW = 32

_match_request_line = REQUEST_LINE.fullmatch


class Client(Link):
    """One accepted connection. `buffer` holds bytes that were read and belong to the next request.

    `busy`: a greenlet serves it. `owes_body`: the body of the request in flight has not all arrived. `waits_for` is
    what the request in flight may be parked on. `desk` takes its requests. `place` is where it is counted by its
    address, 0 if it is not.
    """

    __slots__ = (
        "_pace",
        "buffer",
        "busy",
        "desk",
        "gone",
        "lingers",
        "origin",
        "owes_body",
        "place",
        "runtime",
        "waits_for",
    )
    broken = ClientGone

    def __init__(self, sock: socket.socket, origin: Origin, runtime: Runtime) -> None:
        super().__init__(sock, runtime.deadlines)
        self.runtime = runtime
        self.origin = origin
        self.desk = runtime.desk
        self.buffer = b""
        self.busy = False
        self.gone = False
        self.owes_body = False
        self.lingers = 0
        self.place = 0
        self._pace: Pace | None = None
        self.waits_for: Upstream | Pause | Gathering | None = None
        self.deadlines.set(self, monotonic() + runtime.head_s)

    def serve(self, exchange: Exchange | None = None, step: Callable[[], object] | None = None) -> None:
        """Serve requests until the connection is idle or ends; runs in a borrowed greenlet.

        The first one may be an exchange that is under way, with the `step` that takes it on.
        """
        runtime = self.runtime
        try:
            for _ in range(_MOST_IN_A_ROW):
                if exchange is not None and step is not None:
                    runtime.go_on(exchange, step)
                else:
                    try:
                        exchange = self._receive()
                    except GatewayError as error:
                        if self.buffer.startswith(_HTTP2) and runtime.settings.gproxy.http2 == "all":
                            self.speak_http2(self.buffer)
                            return
                        exchange = Exchange(self, b"-", b"-", b"1", NO_FIELDS)
                        runtime.refuse(exchange, error)
                    else:
                        if exchange is None:
                            self.close()
                            return
                        self.desk.handle(exchange)
                if not exchange.keeps_alive or self.gone:
                    self._end(exchange)
                    return
                if not self.buffer:
                    self._rest(monotonic())
                    return
                step = None
            runtime.next_turn.add(lambda: runtime.start(self.serve))
        except ClientGone:
            self.close()
        except Exception:  # a fault of ours: nobody would ever close a connection that stays busy
            self.close()
            raise

    def unattended(self) -> None:
        """Idle: a request begins or the client leaves. Busy: the client leaves or is ahead of us."""
        if self.lingers:
            self._discard()
        elif self.busy:
            self._look_for_end()
        else:
            try:
                self.buffer = self._recv(RECV_BYTES)
            except WOULD_BLOCK:
                return
            except OSError:
                self.buffer = b""
            if self.buffer:
                self.busy = True
                if not self.desk.begin(self):
                    self.runtime.start(self.serve)
            else:
                self.close()

    def go_on(self, exchange: Exchange, step: Callable[[], object]) -> None:
        """Take on an exchange of the short way in a borrowed greenlet, by `step`; only from callbacks of the loop."""
        self.runtime.start(partial(self.serve, exchange, step))

    def answered(self, exchange: Exchange, now_s: float) -> None:
        """An exchange of the short way is over."""
        if not exchange.keeps_alive or self.gone:
            self._end(exchange)
        elif self.buffer:
            self.runtime.start(self.serve)
        else:
            self._rest(now_s)

    def speak_http2(self, data: bytes) -> None:
        """Go on with HTTP/2; `data` is what has been read of it."""
        from gproxy.worker.http2.session import Session  # 3 MB that a worker without such clients has no use for

        self.busy = True
        self.buffer = b""
        Session(self).begin(data)

    def turn_away(self, error: GatewayError) -> None:
        """Answer a connection that is one too many, before it says anything."""
        exchange = Exchange(self, b"-", b"-", b"1", NO_FIELDS)
        try:
            self.runtime.refuse(exchange, error)
            self.gone = True  # whatever it has sent is read and forgotten
            self._end(exchange)
        except ClientGone:
            self.close()

    def tell_crowded(self) -> None:
        """Say that the client's address has too many connections, if that can be said at once."""
        with contextlib.suppress(OSError):
            self._send(CROWDED)

    def write_pace(self) -> Pace:
        """Return how slow the client may be in taking its answers: what it has earned lasts as long as itself."""
        if self._pace is None:
            self._pace = self.runtime.pace()
        return self._pace

    def timed_out(self) -> Exception:
        """Return what a client that is too slow is told."""
        self.runtime.count(layout.SLOW_BODIES if self.owes_body else layout.SLOW_HEADS)
        return RequestTimeout("The request took too long to arrive.")

    def stalled(self) -> Exception:
        """Return what a story is told whose client does not read: as good as gone."""
        self.runtime.count(layout.SLOW_READERS)
        return ClientGone("took no byte of the response in time")

    def idle_expired(self) -> None:
        """Close a connection that was idle, or lingered, for too long; what an idle client has not read is dropped."""
        if not self.lingers and unsent(self.wire):
            self.runtime.count(layout.SLOW_READERS)
            self.break_off()
        else:
            self.close()

    def drain(self) -> None:
        """Make an idle connection of a draining worker end soon."""
        if not self.busy:
            self.deadlines.set(self, min(self.deadline, monotonic() + self.runtime.client_idle_s))

    def close(self) -> None:
        """Close the socket and uncount the connection."""
        if not self.closed:
            super().close()
            self.runtime.forget(self)

    def break_off(self) -> None:
        """Close in a way that a client cannot take for the end of a response (reset)."""
        if self.closed:
            return
        self.wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.close()

    def _receive(self) -> Exchange | None:
        """Read the next head; None when the client left between requests. Raises GatewayError."""
        buffer = self.buffer
        end = buffer.find(b"\r\n\r\n")
        if end <= 0:
            end = self._complete_head()
            if end < 0:
                return None
            buffer = self.buffer
        self.deadline = NEVER
        runtime = self.runtime
        line_end = buffer.find(b"\r\n")
        if not line_end:  # one empty line before a request is forgiven (RFC 9112 2.2)
            self.buffer = buffer = buffer[2:]
            end -= 2
            line_end = buffer.find(b"\r\n")
        line = _match_request_line(buffer, 0, line_end)
        if line is None:
            raise self._bad_request_line(buffer[:line_end])
        method, target, minor = line.groups()
        if len(target) > runtime.target_bytes:
            raise TargetTooLong(f"The request target is longer than {runtime.target_bytes} bytes.")
        if end > runtime.head_bytes:
            raise HeadTooLarge(f"The request head is larger than {runtime.head_bytes} bytes.")
        block = buffer[line_end + 2 : end + 2]
        fields = runtime.known_blocks.get(block) if minor == b"1" else None
        if fields is None:
            fields = parse_request_fields(block, minor, runtime.head_fields)
            if minor == b"1":
                runtime.remember_request_fields(block, fields)
        if target[0] != 47:  # not "/"
            target, fields = _other_target(method, target, fields)
        self.buffer = buffer[end + 4 :]
        return Exchange(self, method, target, minor, fields)

    def _complete_head(self) -> int:
        """Read on until the buffer holds a whole head; return where it ends, -1 when the client left."""
        runtime, buffer = self.runtime, self.buffer
        self.deadlines.set(self, monotonic() + runtime.head_s)
        seen = 0
        while True:
            start = 2 if buffer.startswith(b"\r\n") else 0
            end = buffer.find(b"\r\n\r\n", max(start, seen - 3))
            if end >= 0:
                return end
            if is_hopeless(buffer, max(0, seen - 1)):
                raise BadRequest("The request head holds a control character or a bare line end.")
            if len(buffer) > runtime.target_bytes + 64 and b"\r\n" not in buffer[start:]:
                raise TargetTooLong(f"The request target is longer than {runtime.target_bytes} bytes.")
            if len(buffer) > runtime.head_bytes:
                raise HeadTooLarge(f"The request head is larger than {runtime.head_bytes} bytes.")
            seen = len(buffer)
            data = self.recv()
            if not data:
                return -1
            self.buffer = buffer = buffer + data

    def _bad_request_line(self, line: bytes) -> GatewayError:
        if len(line) > self.runtime.target_bytes + 64:
            return TargetTooLong(f"The request target is longer than {self.runtime.target_bytes} bytes.")
        return BadRequest("The request line is malformed.")

    def _rest(self, now_s: float) -> None:
        """Wait for the next request, without a greenlet."""
        runtime = self.runtime
        self.busy = False
        if not self._armed:
            self.arm()
        self.deadline = deadline = now_s + runtime.client_idle_s
        if deadline < self.due:
            self.deadlines.enter(self, deadline)

    def _end(self, exchange: Exchange) -> None:
        """Close after the last response, in a way that lets the client read it."""
        if self.closed:
            return
        is_all_read = exchange.is_body_read() and not self.buffer and self._armed  # disarmed: something came meanwhile
        if is_all_read and not self.gone:
            self.close()
        else:
            self.linger()

    def linger(self) -> None:
        """Say that nothing more will come, and read for a moment what the client still sends."""
        self.buffer = b""
        self.lingers = LINGER_BYTES
        try:
            self.wire.shutdown(socket.SHUT_WR)
        except OSError:
            self.close()
            return
        self.arm()
        self.deadlines.set(self, monotonic() + LINGER_S)

    def _discard(self) -> None:
        data = self._read_now()
        if data is None:
            return
        self.lingers -= len(data)
        if not data or self.lingers <= 0:
            self.close()

    def _read_now(self) -> bytes | None:
        """Return what is there, b"" at the end of the connection however it came, None when there is nothing."""
        try:
            return self._recv(RECV_BYTES)
        except WOULD_BLOCK:
            return None
        except OSError:
            return b""

    def _look_for_end(self) -> None:
        """The socket is readable during an exchange: the client is ahead of us, or it has gone.

        What it sends ahead is read within bounds, or else it would hide that the client goes. Not what belongs to
        the body of this exchange: that is for the upload to read, as fast as the server takes it.
        """
        if self.owes_body or len(self.buffer) >= RECV_BYTES:
            self.disarm()
            return
        data = self._read_now()
        if data is None:
            return
        self.buffer += data
        if not data:
            self.disarm()
            self.gone = True
            if self.waits_for is not None:
                self.waits_for.interrupt(ClientGone("closed by the client"))


def _other_target(method: bytes, target: bytes, fields: RequestFields) -> tuple[bytes, RequestFields]:
    """Handle absolute-form and asterisk-form (RFC 9112 3.2.2, 3.2.4); the URI's authority replaces Host."""
    if target == b"*":
        if method != b"OPTIONS":
            raise BadRequest("Only OPTIONS can ask for the target *.")
        return target, fields
    if method == b"CONNECT":
        raise BadRequest("This gateway opens no tunnels.")
    authority, target = absolute_target(target)
    return target, with_host(fields, authority)

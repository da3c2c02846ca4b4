"""One stream of an HTTP/2 connection, standing where a client connection stands for an exchange of HTTP/1.1.

What the story sends to it, it turns into frames: the first bytes are a response head, the rest is the body as it is.
A body whose length nobody has said is given to the story in chunks, because that is how it knows where one ends.
"""

from __future__ import annotations

from functools import lru_cache
from time import monotonic
from typing import TYPE_CHECKING, cast

from greenlet import getcurrent, greenlet
from h2.errors import ErrorCodes

from gproxy.core.chunked import LAST_CHUNK, chunk
from gproxy.core.errors import GatewayError, RequestTimeout
from gproxy.core.http1 import CHUNKED, split_fields
from gproxy.shared import layout
from gproxy.worker.deadlines import NEVER
from gproxy.worker.exchange import NO_FIELDS, Exchange
from gproxy.worker.http2.request import read
from gproxy.worker.link import RECV_BYTES, ClientGone, hub, switch

if TYPE_CHECKING:
    from gproxy.worker.connection import Client
    from gproxy.worker.http2.session import Session
    from gproxy.worker.pace import Pace
    from gproxy.worker.pause import Pause
    from gproxy.worker.runtime import Runtime
    from gproxy.worker.upstream import Upstream

Headers = list[tuple[bytes, bytes]]
_BODILESS = frozenset((b"204", b"304"))
#: heads are remembered, as servers repeat theirs: so many, each of so many bytes at most
_KNOWN_HEADS, _KNOWN_BYTES = 1024, 2048


class _Room:
    """The wait of a story for the client to take more of its response."""

    __slots__ = ("_pace", "_runtime", "_writer", "deadline", "due")

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._pace: Pace | None = None
        self._writer: greenlet | None = None
        self.deadline = NEVER
        self.due = NEVER

    def wait(self) -> Pace:
        """Park until there may be room; raises ClientGone when the client takes too little in time.

        Returns what wants to know how much has moved then.
        """
        pace = self._pace = self._pace or self._runtime.pace()
        deadlines = self._runtime.deadlines
        deadlines.set(self, pace.wait(monotonic()))
        self._writer = getcurrent()
        try:
            switch(hub)
        finally:
            deadlines.forget(self)
        pace.moved(0, monotonic())  # to be woken is no progress
        return pace

    def wake(self, error: Exception | None = None) -> None:
        """End the wait, if there is one."""
        writer, self._writer = self._writer, None
        if writer is None:
            return
        if error is None:
            writer.switch()
        else:
            writer.throw(error)

    def expire(self) -> None:
        """Called by the wheel."""
        self._runtime.count(layout.SLOW_READERS)
        self.wake(ClientGone("took no byte of the response in time"))


class Stream:
    """A request and its response. `gone`: the client wants no answer any more.

    `buffer` holds what of the body had arrived when the story began. `ended`: the last frame of the response is out.
    """

    __slots__ = (
        "_headers",
        "_inbox",
        "_is_framed",
        "_is_head",
        "_left",
        "_reader",
        "_room",
        "_session",
        "_unread",
        "all_came",
        "buffer",
        "closed",
        "deadline",
        "deadlines",
        "due",
        "ended",
        "gone",
        "number",
        "origin",
        "owes_body",
        "runtime",
        "waits_for",
    )

    def __init__(self, session: Session, number: int, headers: Headers) -> None:
        self.number = number
        self.runtime, self.origin = session.runtime, session.origin
        self.deadlines = session.runtime.deadlines
        self.deadline = NEVER
        self.due = NEVER
        self.waits_for: Upstream | Pause | None = None
        self.gone = self.closed = self.owes_body = self.all_came = self.ended = False
        self.buffer = b""
        self._session = session
        self._headers: Headers | None = headers
        self._inbox: list[bytes] = []
        self._unread = 0
        self._is_framed = False
        #: bytes of the response's body still to be sent, None when only its end will tell; -1: its head comes first
        self._left: int | None = -1
        self._is_head = False
        self._reader: greenlet | None = None
        self._room = _Room(self.runtime)

    # -- what comes from the client: called by the session -------------------------------------------------------

    def take(self, data: bytes, size: int) -> None:
        """Take a piece of the body, which took `size` bytes of the window."""
        if not data:  # nothing to read: whoever reads would take it for the end, or never let the client go on
            self._session.acknowledge(self.number, size)
            return
        self._inbox.append(data)
        self._unread += size
        self._wake()

    def finish(self) -> None:
        """The body has all come."""
        self.all_came = True
        self._wake()

    def leave(self, reason: str = "the stream was reset by the client") -> None:
        """The client has reset the stream, or the whole connection is over."""
        self.gone = self.ended = True
        self.interrupt(ClientGone(reason))
        self._room.wake(ClientGone(reason))
        if self.waits_for is not None:
            self.waits_for.interrupt(ClientGone(reason))

    def may_send(self) -> None:
        """There may be room for more of the response."""
        self._room.wake()

    def run(self) -> None:
        """Have the request answered; runs in a borrowed greenlet."""
        session, headers = self._session, self._headers or []
        self._headers = None
        me = cast("Client", self)
        exchange = None
        try:
            method, target, fields = read(headers, not self.all_came or bool(self._inbox), self.runtime)
            exchange = Exchange(me, method, target, b"2", fields)
            self._is_head = method == b"HEAD"
            self._is_framed = fields.length == CHUNKED
            self.buffer = self._read_inbox()
            session.desk.handle(exchange)
        except GatewayError as error:
            exchange = Exchange(me, b"-", b"-", b"2", NO_FIELDS)
            self.runtime.refuse(exchange, error)
        finally:
            self.deadlines.forget(self)
            self._close(exchange)
            session.over(self)

    # -- what the story does with its client ---------------------------------------------------------------------

    def recv(self, size: int = RECV_BYTES) -> bytes:
        """Return more of the body, parking until some is there; b"" never: a client that leaves is an error here."""
        while not self._inbox:
            if self.all_came and self._is_framed:
                self._is_framed = False
                return LAST_CHUNK
            if self.gone or self.all_came:
                raise _gone()
            self._reader = getcurrent()
            switch(hub)
        return self._read_inbox()

    def send(self, data: bytes | memoryview) -> None:
        """Send what HTTP/1.1 would have on the wire: a head, then bytes of the body. Raises ClientGone."""
        if self._left == -1:
            head, _, data = bytes(data).partition(b"\r\n\r\n")
            self._send_head(head)
        if data:
            self._send_body(memoryview(data))

    def arm(self) -> None:
        """Do nothing: the session hears of it when the client leaves."""

    def interrupt(self, error: Exception) -> bool:
        """Raise `error` in the greenlet that waits for the body; False when there is none. Only from the hub."""
        reader, self._reader = self._reader, None
        if reader is None:
            return False
        reader.throw(error)
        return True

    def break_off(self) -> None:
        """End the response so that nobody takes it for complete."""
        self._reset(ErrorCodes.INTERNAL_ERROR)

    def close(self) -> None:
        """Nobody has anything more to say here."""
        self._reset(ErrorCodes.CANCEL)

    def expire(self) -> None:
        """Called by the wheel: the client was too slow with its body."""
        self.interrupt(RequestTimeout("The request took too long to arrive."))

    # -- inside ----------------------------------------------------------------------------------------------------

    def _read_inbox(self) -> bytes:
        """Return what is there of the body, and let the client send as much again."""
        data = b"".join(self._inbox)
        self._inbox.clear()
        unread, self._unread = self._unread, 0
        if unread:
            self._session.acknowledge(self.number, unread)
        if not self._is_framed:
            return data
        if not self.all_came:
            return chunk(data)
        self._is_framed = False
        return chunk(data) + LAST_CHUNK

    def _send_head(self, head: bytes) -> None:
        line, _, block = head.partition(b"\r\n")
        status = line[9:12]
        if self.gone:
            raise _gone()
        if status[:1] == b"1":
            self._session.send_headers(self.number, _headers(status, block), False)
            return
        headers = _headers(status, block)
        length = next((value for name, value in headers if name == b"content-length"), None)
        self._left = None if length is None else int(length)
        self.ended = self._is_head or self._left == 0 or status in _BODILESS
        self._session.send_headers(self.number, headers, self.ended)

    def _send_body(self, data: memoryview) -> None:
        pace = None
        while data:
            if self.gone:
                raise _gone()
            room = self._session.room(self.number)
            if room <= 0:
                pace = self._room.wait()
                continue
            piece, data = data[:room], data[room:]
            if self._left is not None:
                self._left -= len(piece)
            self.ended = self._left == 0
            self._session.send_data(self.number, bytes(piece), self.ended)
            if pace is not None:
                pace.moved(len(piece), monotonic())

    def _close(self, exchange: Exchange | None) -> None:
        """Send the end of the response, or a reset in its place; take no more of the request."""
        is_whole = exchange is not None and exchange.status and exchange.code not in ("response_broken", "client_gone")
        if not self.ended:
            if is_whole and self._left != -1:
                self.ended = True
                self._session.send_data(self.number, b"", True)
            else:
                self._reset(ErrorCodes.INTERNAL_ERROR)
        if not self.all_came and not self.closed and not self.gone:
            self._reset(ErrorCodes.NO_ERROR)  # RFC 9113 8.1: the answer does not need the rest of the request
        self._read_inbox()

    def _reset(self, code: ErrorCodes) -> None:
        if not self.closed and not self.gone:
            self.closed = self.ended = True
            self._session.reset(self.number, code)

    def _wake(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.switch()


def _gone() -> ClientGone:
    return ClientGone("the stream was reset by the client")


def _headers(status: bytes, block: bytes) -> Headers:
    """Return the fields of a response for HTTP/2: names in lower case, nothing about the connection."""
    return _remembered(status, block) if len(block) <= _KNOWN_BYTES else _made(status, block)


def _made(status: bytes, block: bytes) -> Headers:
    fields = [(name.lower(), value) for name, value in split_fields(block)]
    return [(b":status", status), *(field for field in fields if field[0] != b"connection")]


_remembered = lru_cache(maxsize=_KNOWN_HEADS)(_made)

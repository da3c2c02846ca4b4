"""What is kept of a request while it is answered, for copies that are made of it afterwards."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from gproxy.core.comparison import Answer

if TYPE_CHECKING:
    from gproxy.core.http1 import ResponseHead
    from gproxy.worker.exchange import Exchange


class Tee:
    """Keeps what of the body comes after the head, up to `most` bytes, and the server's answer when rules compare it.

    `compared` are the names of those rules. `answer` is None until it has come whole. What is larger than `most` is let
    go of: then `is_too_large`, or the body of the answer is None.
    """

    __slots__ = ("_answered", "_asked", "_head", "_pieces", "_taken", "answer", "compared", "is_too_large", "most")

    def __init__(self, most: int, compared: Collection[str]) -> None:
        self.most = most
        self.compared = compared
        self.is_too_large = False
        #: bytes of the request and of the answer: both may come at the same time
        self._asked = self._answered = 0
        self.answer: Answer | None = None
        self._pieces: list[bytes] = []
        self._taken: list[bytes] | None = []
        self._head: ResponseHead | None = None

    # -- the request -------------------------------------------------------------------------------------------

    def take(self, data: bytes) -> None:
        """Take a piece of the body, framed as it is sent on."""
        self._asked += len(data)
        if self._asked > self.most:
            self.is_too_large = True
            self._pieces.clear()
        else:
            self._pieces.append(data)

    def body(self, exchange: Exchange) -> bytes | None:
        """Return the whole body as it was sent on; None when it did not come whole, or is too large."""
        if not exchange.left:
            return exchange.body if len(exchange.body) <= self.most else None
        if exchange.upload is None or not exchange.upload.done or self.is_too_large:
            return None
        body = b"".join((exchange.body, *self._pieces))
        return body if len(body) <= self.most else None

    def take_answer(self, head: ResponseHead, body: bytes) -> None:
        """Take an answer that has come at once, and went to the client."""
        if self.compared:
            self.answer = Answer(head.status, head.lines, body if len(body) <= self.most else None)

    # -- the answer: a tap of the node --------------------------------------------------------------------------

    def open(self, head: ResponseHead) -> Tee | None:
        """Begin with an answer; return what takes its body, None when it is not wanted."""
        if not self.compared:
            return None
        self._head, self._taken, self._answered = head, [], 0
        return self

    def feed(self, piece: bytes | memoryview) -> None:
        """Take a piece of the body."""
        if self._taken is None:
            return
        self._answered += len(piece)
        if self._answered > self.most:
            self._taken = None
        else:
            self._taken.append(bytes(piece))

    def end(self) -> None:
        """The answer is whole."""
        assert self._head is not None
        body = None if self._taken is None else b"".join(self._taken)
        self.answer = Answer(self._head.status, self._head.lines, body)

    def abandon(self) -> None:
        """The answer was broken off: nothing can be compared with it."""
        self._taken = None

"""A correct keep-alive HTTP/1.1 server that says exactly what it received.

The path of the request may ask for more: `/status/404`, `/bytes/N`, `/chunked/N`, `/until-close/N`, `/slow/MS`,
`/close`, `/cut/N`, `/trailers`, `/early-hints`. Everything else answers with a JSON description of the request.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable

from tests.harness import content
from tests.harness.backend import ScriptedBackend
from tests.harness.exchange import Exchange

#: sizes of successive chunks of `/chunked/N`: one byte, odd sizes, and some larger than socket buffers' pieces
_CHUNK_SIZES = (1, 17, 1_000, 4_096, 65_536, 131_072)


class EchoBackend(ScriptedBackend):
    """The correct server; `name` appears in every JSON answer so that tests see which server answered."""

    def __init__(self, name: str = "echo", *, tls: ssl.SSLContext | None = None, port: int = 0) -> None:
        self.name = name
        super().__init__(self._respond, tls=tls, keep_bytes=100_000, port=port)

    def _respond(self, exchange: Exchange) -> None:
        if exchange.head.value("expect") is not None:
            exchange.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        exchange.read_body(within_s=None)  # the size of a body is the test's business
        path = exchange.target.partition("?")[0]
        _, command, argument = (path + "//").split("/")[:3]
        action = _ACTIONS.get(command)
        if action is None:
            self._describe(exchange)
        else:
            action(exchange, int(argument) if argument.isdigit() else 0)

    def _describe(self, exchange: Exchange) -> None:
        request = next(r for r in reversed(self.requests) if r.head is exchange.head)
        body = json.dumps(
            {
                "backend": self.name,
                "method": request.method,
                "target": request.target,
                "headers": [[n.decode("latin-1"), v.decode("latin-1")] for n, v in request.head.fields],
                "size": request.size,
                "sha256": request.sha256,
                "connection": request.connection,
            }
        ).encode()
        if exchange.method == "HEAD":
            exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
        else:
            exchange.answer(body, b"Content-Type: application/json\r\n")


def _status(exchange: Exchange, code: int) -> None:
    if code in (204, 304):
        exchange.send(b'HTTP/1.1 %d Nothing\r\nETag: "1"\r\n\r\n' % code)
        return
    text = b"status %d" % code
    body = b"" if exchange.method == "HEAD" else text
    exchange.send(b"HTTP/1.1 %d Chosen\r\nContent-Length: %d\r\n\r\n%b" % (code, len(text), body))


def _bytes(exchange: Exchange, size: int) -> None:
    exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
    if exchange.method != "HEAD":
        for piece in content.pieces(size):
            if not exchange.send(piece):
                exchange.close()
                return


def _chunked(exchange: Exchange, size: int) -> None:
    exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    if exchange.method == "HEAD":
        return
    whole, at, turn = content.body(size), 0, 0
    while at < size:
        chunk = whole[at : at + _CHUNK_SIZES[turn % len(_CHUNK_SIZES)]]
        if not exchange.send(b"%x\r\n%b\r\n" % (len(chunk), chunk)):
            exchange.close()
            return
        at, turn = at + len(chunk), turn + 1
    exchange.send(b"0\r\n\r\n")


def _until_close(exchange: Exchange, size: int) -> None:
    exchange.send(b"HTTP/1.1 200 OK\r\n\r\n")
    for piece in content.pieces(size):
        exchange.send(piece)
    exchange.close()


def _cut(exchange: Exchange, size: int) -> None:
    exchange.send(b"HTTP/1.1 200 OK\r\n\r\n" + content.body(size))
    exchange.cut()


def _slow(exchange: Exchange, milliseconds: int) -> None:
    exchange.finished.wait(milliseconds / 1000)  # set early when the backend stops
    exchange.answer(b"slow")


def _close(exchange: Exchange, _: int) -> None:
    exchange.answer(b"closing", b"Connection: close\r\n")
    exchange.close()


def _trailers(exchange: Exchange, _: int) -> None:
    exchange.send(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
        b"5\r\nhello\r\n0\r\nX-Sum: 42\r\nX-Unannounced: 1\r\n\r\n"
    )


def _early_hints(exchange: Exchange, _: int) -> None:
    exchange.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n")
    exchange.answer(b"hinted")


_ACTIONS: dict[str, Callable[[Exchange, int], None]] = {
    "status": _status,
    "bytes": _bytes,
    "chunked": _chunked,
    "until-close": _until_close,
    "cut": _cut,
    "slow": _slow,
    "close": _close,
    "trailers": _trailers,
    "early-hints": _early_hints,
}

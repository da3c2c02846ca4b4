"""Laws of chunked bodies: of requests (our decoder) and of responses (llhttp)."""

from __future__ import annotations

import re
from collections.abc import Iterator

import h11

from gproxy.core.chunked import ChunkedDecoder
from gproxy.core.errors import BadRequest
from gproxy.worker.dechunk import Dechunker
from tests.fuzz.peers import read_body

#: What only we read: blanks before an extension, which RFC 9112 7.1.1 allows (as bad white space).
_BLANKS = re.compile(rb"[0-9A-Fa-f][\t ]+;")
#: Where we end: sizes of more than fifteen digits, leading zeros among them.
_MANY_DIGITS = re.compile(rb"[0-9A-Fa-f]{16}")
#: What h11 looks into in trailers, too; here they are never passed on.
_FRAMING = frozenset((b"content-length", b"transfer-encoding", b"host"))
#: (payload, whether it is whole, what follows it, trailers)
Body = tuple[bytes, bool, bytes, list[tuple[bytes, bytes]]]


def chunked_bodies(data: bytes) -> None:
    """However a body is cut on its way it means the same, to h11 and llhttp, too. The first byte says how it is cut."""
    step, wire = data[:1], data[1:]
    if not step:
        return
    whole = _decode([wire])
    assert _decode(_cut(wire, 1)) == whole
    assert _decode(_cut(wire, 2 + step[0] % 30)) == whole
    if whole is None:
        _refused_by_llhttp(wire)
        return
    payload, is_whole, rest, trailers = whole
    if not is_whole:
        return
    body = wire[: len(wire) - len(rest)]
    assert _decode([body]) == (payload, True, b"", trailers)
    if not _BLANKS.search(wire) and not {name.lower() for name, _ in trailers} & _FRAMING:
        _h11_agrees(wire, payload, rest)
    _llhttp_agrees(body, payload, trailers)


def _cut(wire: bytes, step: int) -> Iterator[bytes]:
    return (wire[at : at + step] for at in range(0, len(wire), step))


def _decode(pieces: Iterator[bytes] | list[bytes]) -> Body | None:
    """Decode a body that comes in pieces; None when it is refused. What is behind its end is put together."""
    decoder = ChunkedDecoder()
    payload = rest = b""
    try:
        for piece in pieces:
            if decoder.done:
                rest += piece
                continue
            payload += decoder.feed(piece)
            while decoder.has_more:
                payload += decoder.feed(b"")
    except BadRequest:
        return None
    return payload, decoder.done, decoder.rest + rest, decoder.trailers


def _h11_agrees(wire: bytes, payload: bytes, rest: bytes) -> None:
    peer = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    peer.receive_data(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + wire)
    assert isinstance(peer.next_event(), h11.Request)
    assert read_body(peer) == payload
    assert peer.trailing_data[0] == rest


def _llhttp_agrees(body: bytes, payload: bytes, trailers: list[tuple[bytes, bytes]]) -> None:
    """It may refuse what we take (it knows what an extension has to look like), but not read it in another way."""
    parser = Dechunker()
    parser.begin()
    try:
        found = parser.feed_body(body)
    except ValueError:
        return
    assert parser.is_reusable()
    assert found == payload
    assert parser.trailers() == trailers


def _refused_by_llhttp(wire: bytes) -> None:
    """What we refuse it refuses as well, limits of ours aside: nothing that servers may say is denied to clients."""
    if len(wire) > 1000 or _MANY_DIGITS.search(wire):
        return
    parser = Dechunker()
    parser.begin()
    try:
        parser.feed_body(wire)
    except ValueError:
        return
    assert not parser.done, "llhttp takes what we refuse"

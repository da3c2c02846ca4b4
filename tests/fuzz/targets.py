"""The targets of the fuzzer: one visible table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from tests.fuzz.announcements import announcements
from tests.fuzz.bodies import chunked_bodies
from tests.fuzz.expressions import expressions
from tests.fuzz.heads import request_heads, response_heads
from tests.fuzz.paths import paths
from tests.fuzz.worker import connections, http2_frames

CORPUS = Path(__file__).parent / "corpus"


@dataclass(frozen=True, slots=True)
class Target:
    """What is fuzzed: `holds` raises when bytes break a law; `words` are what inputs are made of besides bytes."""

    holds: Callable[[bytes], None]
    words: tuple[bytes, ...]
    most_bytes: int = 400

    @property
    def name(self) -> str:
        """The name on the command line and in the corpus."""
        return self.holds.__name__


_FIELDS = (
    *(b"Host: a\r\n", b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n"),
    *(b"Connection: ", b"keep-alive", b"Upgrade: websocket\r\n", b"Expect: 100-continue\r\n", b"Trailer: x\r\n"),
    *(b"X-Forwarded-For: 192.0.2.1\r\n", b"TE: trailers\r\n", b"Keep-Alive: timeout=5\r\n", b"chunked", b"gzip, "),
    *(b"HTTP/1.1", b"HTTP/1.0", b"\r\n\r\n", b"\r\n", b"\r\n ", b": ", b"\t", b"_"),
)

_REQUESTS = (
    *(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"POST / HTTP/1.1\r\nHost: a\r\n", b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"),
    *(b"GET / HTTP/1.0\r\n\r\n", b"3\r\nabc\r\n0\r\n\r\n", b"0\r\n\r\n", b"abc"),
)
#: GET and POST of https://a/ (RFC 7541), other fields, and frames (RFC 9113 6)
_GET, _POST = b"\x82\x87\x84\x41\x01a", b"\x83\x87\x84\x41\x01a"
_LINES = (b"\x40\x01a\x01b", b"\x0f\x0d\x013", b"\0\x02te\x08trailers")
_FRAMES = tuple(
    frame.serialize()
    for frame in (
        HeadersFrame(1, _GET, flags=["END_HEADERS", "END_STREAM"]),
        HeadersFrame(3, _POST, flags=["END_HEADERS"]),
        DataFrame(3, b"abc", flags=["END_STREAM"]),
        HeadersFrame(5, _GET[:3]),
        ContinuationFrame(5, _GET[3:], flags=["END_HEADERS"]),
        RstStreamFrame(1, error_code=8),
        SettingsFrame(flags=["ACK"]),
        SettingsFrame(settings={SettingsFrame.INITIAL_WINDOW_SIZE: 0}),
        PingFrame(opaque_data=b"12345678"),
        WindowUpdateFrame(1, window_increment=256),
        PriorityFrame(1, depends_on=3, stream_weight=1),
        GoAwayFrame(last_stream_id=1),
    )
)

_OF_EXPRESSIONS = (
    *(b"$header_x_a ", b"$cookie_a ", b"$query_a ", b"$path_id ", b"$client_ip in 10.0.0.0/8", b"$host", b"$method"),
    *(b"==", b"!=", b"<=", b" not ", b" in ", b" contains ", b" exists", b" ~ ", b'"', b",", b"\x1f", b"\n"),
)

TARGETS = {
    target.name: target
    for target in (
        Target(request_heads, (*_FIELDS, b"GET / HTTP/1.1\r\n", b"http://", b"OPTIONS *", b"POST ", b"CONNECT ")),
        Target(chunked_bodies, (b"0\r\n\r\n", b"3\r\nabc\r\n", b"0\r\n", b";a=b", b"\r\n", b"A: b\r\n", b"ffff")),
        Target(response_heads, (*_FIELDS, b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 204 ", b"304 ", b"100 ", b"101 ")),
        Target(
            announcements,
            (b"PROXY TCP4 ", b"PROXY TCP6 ", b"PROXY UNKNOWN", b"10.0.0.1 ", b"::1 ", b" 1 2\r\n", b"\x21\x11\x00\x0c")
            + (b"\r\n\r\n\0\r\nQUIT\n", b"\x20\x00\x00\x00", b"\x21\x21\x00\x24"),
        ),
        Target(paths, (b"/", b"..", b"%2e", b"%2F", b"%5c", b"%25", b"%00", b";", b"/a/b", b"\\", b"%c3%a9")),
        Target(expressions, _OF_EXPRESSIONS),
        Target(connections, (*_FIELDS, *_REQUESTS)),
        Target(http2_frames, (*_FRAMES, _GET, _POST, *_LINES)),
    )
}


def kept(target: Target) -> list[bytes]:
    """Return the inputs of a target's corpus: a line each, bytes that are no plain ASCII as escapes."""
    lines = (CORPUS / f"{target.name}.txt").read_text(encoding="ascii").splitlines()
    return [line.encode("ascii").decode("unicode_escape").encode("latin-1") for line in lines]


def keep(target: Target, inputs: set[bytes]) -> None:
    """Write a target's corpus anew, short inputs first."""
    lines = [data.decode("latin-1").encode("unicode_escape").decode("ascii") for data in inputs]
    lines.sort(key=lambda line: (len(line), line))
    CORPUS.mkdir(exist_ok=True)
    (CORPUS / f"{target.name}.txt").write_text("".join(f"{line}\n" for line in lines), encoding="ascii")

"""Agreement with h11, an independent implementation: what we accept, it accepts with the same meaning.

h11 is the more lenient one: it takes bare LF and folded lines, equal Content-Length fields and any Host, and drops
Content-Length beside chunked. So the law holds in one direction, and the table at the end lists where we differ.
"""

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gproxy.core.chunked import ChunkedDecoder
from gproxy.core.errors import GatewayError
from gproxy.core.http1 import CHUNKED, REQUEST_LINE, UNTIL_CLOSE, parse_request_fields, parse_response_head

_LINES = [
    b"Host: a", b"Host: b:80", b"Host:", b"host: [::1]", b"Content-Length: 0", b"Content-Length: 7",
    b"content-length:\t07 ", b"Content-Length: 7,7", b"Content-Length: +7", b"Transfer-Encoding: chunked",
    b"transfer-encoding: CHUNKED\t", b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: identity",
    b"Connection: close", b"Connection: Keep-Alive", b"Connection: x,CLOSE ", b"Expect: 100-continue", b"A: b", b"A:",
    b"A : b", b" A: b", b"\tfolded", b"A", b": b", b"A: \xe9\tb", b"A: b\x00", b"A: b\x01", b"A: b\rC: d",
    b"A: b\nC: d", b"A\x00: b", b"\xc4: b",
]  # fmt: skip
_blocks = st.lists(st.sampled_from(_LINES), max_size=4).map(lambda lines: b"".join(line + b"\r\n" for line in lines))
_bytes = st.sampled_from([b"", b" ", b"\t", b"\r", b"\n", b"\r\n", b":", b",", b"\x00", b"7", b"A", b"\x7f", b"\x80"])


@st.composite
def blocks(draw: st.DrawFn) -> bytes:
    """Field lines from the table above, sometimes with a byte put in, replaced or taken out."""
    drawn = draw(st.sampled_from([b"", b"Host: a\r\n"])) + draw(_blocks)
    if drawn and draw(st.booleans()):
        at = draw(st.integers(0, len(drawn)))
        drawn = drawn[:at] + draw(_bytes) + drawn[at + draw(st.integers(0, 1)) :]
    return drawn


def body_of(length: int) -> bytes:
    """Return wire bytes of a body with that framing."""
    return b"3;x\r\nabc\r\n0\r\n\r\n" if length == CHUNKED else b"x" * length


def read_body(peer: h11.Connection) -> bytes:
    """Return the payload that h11 finds up to the end of the message; AssertionError when it finds no end."""
    payload = b""
    while True:
        event = peer.next_event()
        if isinstance(event, h11.EndOfMessage):
            return payload
        assert isinstance(event, h11.Data), event
        payload += bytes(event.data)


@given(blocks(), st.sampled_from([b"1", b"0"]))
def test_requests(block: bytes, minor: bytes) -> None:
    try:
        fields = parse_request_fields(block, minor, 100)
    except GatewayError:
        return
    peer = h11.Connection(h11.SERVER)
    peer.receive_data(b"POST / HTTP/1.%b\r\n%b\r\n" % (minor, block))
    request = peer.next_event()
    assert isinstance(request, h11.Request)
    assert peer.they_are_waiting_for_100_continue is fields.expects_continue
    if fields.length:
        assert peer.next_event() is h11.NEED_DATA
    peer.receive_data(body_of(fields.length))
    assert read_body(peer) == (b"abc" if fields.length == CHUNKED else b"x" * fields.length)
    if minor == b"1":  # h11 never keeps HTTP/1.0 connections
        assert fields.close is (peer.their_state is h11.MUST_CLOSE)


@given(blocks(), st.sampled_from([b"1", b"0"]), st.sampled_from([b"200 OK", b"404", b"503 x\ty", b"999 "]))
def test_responses(block: bytes, minor: bytes, status: bytes) -> None:
    head = b"HTTP/1.%b %b\r\n%b" % (minor, status, block)
    try:
        parsed = parse_response_head(head, 100)
    except ValueError:
        return
    peer = h11.Connection(h11.CLIENT)
    peer.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    peer.send(h11.EndOfMessage())
    peer.receive_data(head + b"\r\n")
    response = peer.next_event()
    assert isinstance(response, h11.Response)
    assert response.status_code == parsed.status
    if parsed.length == UNTIL_CLOSE:
        peer.receive_data(b"abc")
        peer.receive_data(b"")
        assert read_body(peer) == b"abc"
        return
    peer.receive_data(body_of(parsed.length))
    assert read_body(peer) == (b"abc" if parsed.length == CHUNKED else b"x" * parsed.length)
    if minor == b"1":
        assert parsed.close is (peer.their_state is h11.MUST_CLOSE)


@given(
    st.text(st.sampled_from("GET /*:#?\x00\t\x7f\xe9 HTTP/1.0"), max_size=12).map(lambda text: text.encode("latin-1"))
)
def test_request_lines(middle: bytes) -> None:
    line = b"GET %b HTTP/1.1" % middle
    if REQUEST_LINE.fullmatch(line) is None:
        return
    peer = h11.Connection(h11.SERVER)
    peer.receive_data(line + b"\r\nHost: a\r\n\r\n")
    request = peer.next_event()
    assert isinstance(request, h11.Request)
    assert bytes(request.target) == middle


@given(
    st.lists(
        st.sampled_from([b"3\r\nabc\r\n", b"0\r\n\r\n", b"\r\n", b"a;x=y\r\n0123456789\r\n", b"0\r\nT: x\r\n\r\n"])
    ),
    st.integers(0, 40),
    _bytes.filter(lambda data: data not in (b" ", b"\t")),  # blanks before an extension are ours to read, not h11's
)
def test_chunked_bodies(pieces: list[bytes], at: int, inserted: bytes) -> None:
    wire = b"".join(pieces)
    wire = wire[:at] + inserted + wire[at:]
    decoder = ChunkedDecoder()
    try:
        payload = decoder.feed(wire)
    except GatewayError:
        return
    peer = h11.Connection(h11.SERVER)
    peer.receive_data(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + wire)
    assert isinstance(peer.next_event(), h11.Request)
    if decoder.done:
        assert read_body(peer) == payload
        assert peer.trailing_data[0] == decoder.rest


@pytest.mark.parametrize(
    "block",
    [
        b"Host: a\nA: b\r\n",
        b"Host: a\r\nA: b\r\n c\r\n",
        b"Host: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n",
        b"Host: a\r\nContent-Length: 5, 5\r\n",
        b"Host: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Host: a b\r\n",
        b"Host:\r\n",
        b"Host: a\r\nExpect: x\r\n",
        b"Host: a\r\nA: b\x01\r\n",
        b"Host: a\r\nContent-Length: 1000000000000000000\r\n",
    ],
)
def test_where_we_are_stricter(block: bytes) -> None:
    peer = h11.Connection(h11.SERVER)
    peer.receive_data(b"POST / HTTP/1.1\r\n%b\r\n" % block)
    assert isinstance(peer.next_event(), h11.Request)
    with pytest.raises(GatewayError):
        parse_request_fields(block, b"1", 100)

"""The decoder of response bodies (llhttp), and its agreement with ours of request bodies."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gproxy.core.chunked import ChunkedDecoder
from gproxy.core.errors import BadRequest
from gproxy.worker.dechunk import Dechunker, Measured

SECOND = b"HTTP/1.1 200 OK\r\nX-Sum: 9\r\nContent-Length: 3\r\n\r\nxyz"


def begun() -> Dechunker:
    dechunker = Dechunker()
    dechunker.begin()
    return dechunker


def feed(dechunker: Dechunker, *pieces: bytes) -> bytes:
    return b"".join(dechunker.feed_body(piece) for piece in pieces if piece)


def singly(wire: bytes) -> list[bytes]:
    return [wire[at : at + 1] for at in range(len(wire))]


@pytest.mark.parametrize(
    ("wire", "payload", "trailers"),
    [
        (b"0\r\n\r\n", b"", []),
        (b"3\r\nabc\r\n0\r\n\r\n", b"abc", []),
        (b"3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n", b"abc0123456789", []),
        (b"0\r\nA: b\r\n\r\n", b"", [(b"A", b"b")]),
        (b"0\r\nA:\r\nB: \tc d\t\r\nB: \xe9\r\n\r\n", b"", [(b"A", b""), (b"B", b"c d"), (b"B", b"\xe9")]),
    ],
)
def test_bodies(wire: bytes, payload: bytes, trailers: list[tuple[bytes, bytes]]) -> None:
    for pieces in ([wire], singly(wire)):
        dechunker = begun()
        assert feed(dechunker, *pieces) == payload
        assert dechunker.done
        assert dechunker.is_reusable()
        assert dechunker.trailers() == trailers


@pytest.mark.parametrize(
    "wire",
    [
        b"\r\n", b"x\r\n", b"-1\r\n", b"3\nabc", b"3\r\nabcd", b"3\r\nabc\n", b"fffffffffffffffff\r\n", b"3;\x01\r\n",
        b"0\r\nA : b\r\n\r\n", b"0\r\n A: b\r\n\r\n", b"0\r\nA: b\r\n c\r\n\r\n", b"0\r\nA: b\n\r\n", b"0\r\nA\r\n\r\n",
        b"0\r\nA: \x00\r\n\r\n", b"0\r\nContent-Length: 3\r\n\r\n",
    ],
)  # fmt: skip
def test_deviations_are_refused(wire: bytes) -> None:
    for pieces in ([wire], singly(wire)):
        dechunker = begun()
        with pytest.raises(ValueError, match="invalid chunked body"):
            feed(dechunker, *pieces)
        assert not dechunker.is_reusable()


@pytest.mark.parametrize("wire", [b"", b"3", b"3\r\nab", b"3\r\nabc\r\n", b"0\r\n", b"0\r\n\r", b"0\r\nA: b\r\n"])
def test_a_part_of_a_body_is_not_done(wire: bytes) -> None:
    dechunker = begun()
    feed(dechunker, wire)
    assert not dechunker.done
    assert not dechunker.is_reusable()


@pytest.mark.parametrize("behind", [b"x", b"0\r\n\r\n", b"HTTP/1.1 ", SECOND, SECOND + SECOND, b"\x00"])
@pytest.mark.parametrize("joined", [False, True])
def test_what_is_behind_the_body_is_no_part_of_it(behind: bytes, joined: bool) -> None:
    wire = b"3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n"
    dechunker = begun()
    pieces = [wire + behind] if joined else [wire, behind]
    assert feed(dechunker, *pieces) == b"abc"
    assert dechunker.done
    assert not dechunker.is_reusable()
    assert dechunker.trailers() == [(b"X-Sum", b"1")]


def test_one_dechunker_decodes_body_after_body() -> None:
    dechunker = Dechunker()
    for number in range(5):
        dechunker.begin()
        assert not dechunker.done
        assert feed(dechunker, *singly(b"1\r\n%d\r\n0\r\nA: %d\r\n\r\n" % (number, number))) == b"%d" % number
        assert dechunker.trailers() == [(b"A", b"%d" % number)]
        assert dechunker.is_reusable()


_chunks = st.lists(st.tuples(st.binary(min_size=1, max_size=20), st.sampled_from([b"", b";a=b", b" ;a", b";"])))
_trailers = st.lists(st.tuples(st.sampled_from([b"A", b"x-sum"]), st.sampled_from([b"", b"b", b"c: d", b"\xff"])))
_behind = st.sampled_from([b"", b"", b"x", b"\r\n", b"0\r\n\r\n", SECOND, b"2\r\nde\r\n0\r\n\r\n"])
_bytes = st.sampled_from(
    [b"", b"0", b"1", b"a", b"\r", b"\n", b"\r\n", b" ", b"\t", b";", b":", b"\x00", b"\xff", b"-"]
)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """A chunked body, sometimes with bytes put in, replaced or taken out at up to three places."""
    wire = b"".join(b"%x%b\r\n%b\r\n" % (len(chunk), extension, chunk) for chunk, extension in draw(_chunks))
    wire += b"0\r\n" + b"".join(b"%b: %b\r\n" % trailer for trailer in draw(_trailers)) + b"\r\n" + draw(_behind)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(wire)))
        wire = wire[:at] + draw(_bytes) + wire[at + draw(st.integers(0, 2)) :]
    return wire


def ours(wire: bytes) -> tuple[bytes, bool] | None:
    decoder = ChunkedDecoder()
    try:
        return decoder.feed(wire), decoder.done
    except BadRequest:
        return None


def theirs(pieces: list[bytes]) -> tuple[bytes, bool] | None:
    dechunker = begun()
    try:
        return feed(dechunker, *pieces), dechunker.done
    except ValueError:
        return None


@given(bodies(), st.lists(st.integers(0, 200), max_size=6))
@example(b"3\r\nabc\r\n0\r\n\r\n" + SECOND, [])
@example(b"3 ;a\r\nabc\r\n0\r\n\r\n", [])
def test_never_two_meanings(wire: bytes, cuts: list[int]) -> None:
    # One of them may refuse what the other one accepts, but a body that both take is the same body.
    places = [0, *sorted(min(cut, len(wire)) for cut in cuts), len(wire)]
    pieces = [wire[begin:end] for begin, end in pairwise(places)]
    mine, llhttps = ours(wire), theirs(pieces)
    assert llhttps == theirs([wire])
    if mine is not None and llhttps is not None:
        assert mine == llhttps


def test_a_body_of_known_length() -> None:
    body = Measured(5)
    assert (body.feed_body(b"abc"), body.done, body.is_reusable()) == (b"abc", False, False)
    assert (body.feed_body(b"de"), body.done, body.is_reusable()) == (b"de", True, True)
    assert body.trailers() == []
    assert (body.feed_body(b"f"), body.done, body.is_reusable()) == (b"", True, False)
    assert Measured(0).is_reusable()

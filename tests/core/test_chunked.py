from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gproxy.core.chunked import LAST_CHUNK, ChunkedDecoder, chunk, last_chunk
from gproxy.core.errors import BadRequest

Result = tuple[bytes, bool, bytes, list[tuple[bytes, bytes]]]


def decode(*pieces: bytes) -> Result:
    """Return (payload, done, rest, trailers) of a body that comes in pieces; what comes behind its end is added."""
    decoder = ChunkedDecoder()
    payload = rest = b""
    for piece in pieces:
        if decoder.done:
            rest += piece
        else:
            payload += decoder.feed(piece)
            while decoder.has_more:
                payload += decoder.feed(b"")
    return payload, decoder.done, decoder.rest + rest, decoder.trailers


def singly(wire: bytes) -> Iterable[bytes]:
    return (wire[at : at + 1] for at in range(len(wire)))


@pytest.mark.parametrize(
    ("wire", "payload", "rest", "trailers"),
    [
        (b"0\r\n\r\n", b"", b"", []),
        (b"3\r\nabc\r\n0\r\n\r\n", b"abc", b"", []),
        (b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", b"abcde", b"", []),
        (b"0003\r\nabc\r\n0000\r\n\r\n", b"abc", b"", []),
        (b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789", b"", []),
        (b"a\r\n0123456789\r\n0\r\n\r\n", b"0123456789", b"", []),
        (b"4\r\n\r\n\r\n\r\n0\r\n\r\n", b"\r\n\r\n", b"", []),
        (b"5\r\n0\r\n\r\n\r\n0\r\n\r\n", b"0\r\n\r\n", b"", []),
        (b"0\r\n\r\nGET / HTTP/1.1\r\n", b"", b"GET / HTTP/1.1\r\n", []),
        (b"0\r\n\r\n\r\n", b"", b"\r\n", []),
        (b"1\r\nx\r\n0\r\n\r\n0\r\n\r\n", b"x", b"0\r\n\r\n", []),
        # extensions (RFC 9112 7.1.1) are read over
        (b"3;a\r\nabc\r\n0;b=c\r\n\r\n", b"abc", b"", []),
        (b'3;a="b;\t\\" \xff"\r\nabc\r\n0\r\n\r\n', b"abc", b"", []),
        (b"3 \t; a\r\nabc\r\n0\r\n\r\n", b"abc", b"", []),
        (b"3;\r\nabc\r\n0\r\n\r\n", b"abc", b"", []),
        (b"0\r\nA: b\r\n\r\n", b"", b"", [(b"A", b"b")]),
        (b"0\r\nA:\r\nA: \tc d\t\r\n\r\nX", b"", b"X", [(b"A", b""), (b"A", b"c d")]),
        (b"0\r\nB: \xff:\r\n\r\n", b"", b"", [(b"B", b"\xff:")]),
    ],
)
def test_bodies(wire: bytes, payload: bytes, rest: bytes, trailers: list[tuple[bytes, bytes]]) -> None:
    expected = (payload, True, rest, trailers)
    assert decode(wire) == expected
    assert decode(*singly(wire)) == expected


@pytest.mark.parametrize(
    "wire",
    [
        b"", b"3", b"3\r", b"3;x", b"3;x\r", b"3\r\n", b"3\r\nab", b"3\r\nabc", b"3\r\nabc\r", b"3\r\nabc\r\n",
        b"3\r\nabc\r\n0", b"0\r\n", b"0\r\n\r", b"0\r\nA", b"0\r\nA: b\r", b"0\r\nA: b\r\n", b"0\r\nA: b\r\n\r",
        b"fffffffffffffff\r\nabc",
    ],
)  # fmt: skip
def test_parts_of_bodies_wait_for_more(wire: bytes) -> None:
    for pieces in ([wire], singly(wire)):
        payload, done, rest, _ = decode(*pieces)
        assert (done, rest) == (False, b"")
        assert payload in (b"", b"ab", b"abc")


@pytest.mark.parametrize(
    "wire",
    [
        b"\r\n", b"\n", b" 3\r\nabc\r\n", b"\r\n3\r\nabc\r\n", b"3 \r\nabc\r\n", b"3\t\r\nabc\r\n", b"3\nabc\r\n",
        b"3\rabc\r\n", b"3;x\nabc\r\n", b"3;x\ry\r\nabc\r\n", b"3;\x00\r\nabc\r\n", b"3;\x7f\r\nabc\r\n", b"3 x\r\n",
        b"+3\r\nabc\r\n", b"-3\r\nabc\r\n", b"0x3\r\nabc\r\n", b"3.0\r\n", b"g\r\n", b"\xb2\r\n", b"3_0\r\n", b";x\r\n",
        b"10000000000000000\r\n", b"0000000000000003\r\n", b"-0\r\n\r\n", b"00x\r\n\r\n",
        b"3\r\nabcd\r\n", b"3\r\nabc\n", b"3\r\nabc\r\r\n", b"3\r\nabc0\r\n", b"3\r\nab\r\n0\r\n\r\n", b"3\r\nabc\nx",
        b"0\r\n\n", b"0\r\n\r\r\n", b"0\n\r\n", b"0\r\n A: b\r\n\r\n", b"0\r\nA : b\r\n\r\n", b"0\r\nA\r\n\r\n",
        b"0\r\n: b\r\n\r\n", b"0\r\nA: b\r\n c\r\n\r\n", b"0\r\nA: b\n\r\n", b"0\r\nA: b\x00\r\n\r\n",
        b"0\r\nA: \x01\r\n\r\n", b"0\r\nA: b\rc\r\n\r\n", b"0\r\nA b: c\r\n\r\n", b"0\r\n3\r\nabc\r\n0\r\n\r\n",
    ],
)  # fmt: skip
def test_deviations_are_refused(wire: bytes) -> None:
    with pytest.raises(BadRequest):
        decode(wire)
    with pytest.raises(BadRequest):
        decode(*singly(wire))


@pytest.mark.parametrize(
    "wire", [b"x", b"3 x", b"3;a\x00", b"3;\r;", b"1234567890abcdef", b"3\r\nabcx", b"3\r\nabc\r\r"]
)
def test_a_deviation_is_seen_before_its_line_is_whole(wire: bytes) -> None:
    with pytest.raises(BadRequest):
        decode(wire)


@pytest.mark.parametrize("size", [0, 1])
def test_size_lines_are_limited(size: int) -> None:
    line = b"%x;" % size + b"x" * 1020  # 1024 bytes with the line end
    body = b"a\r\n0\r\n\r\n" if size else b"\r\n"
    for pieces in ([line + b"\r\n" + body], singly(line + b"\r\n" + body)):
        assert decode(*pieces)[1]
    for pieces in ([line + b"x\r\n" + body], singly(line + b"x\r\n" + body), [line + b"x" * 10]):
        with pytest.raises(BadRequest, match="size line"):
            decode(*pieces)


@pytest.mark.parametrize("cut", [0, 1, 3, 4096, 8192, 8193, 8194])
def test_trailers_are_limited_however_they_arrive(cut: int) -> None:
    line = b"A: " + b"x" * 95 + b"\r\n"  # 100 bytes
    most = line * 81 + b"B: " + b"x" * 85 + b"\r\n"  # 8190 bytes, and the empty line makes the limit
    wire = b"0\r\n" + most + b"\r\n"
    assert decode(wire[:cut], wire[cut:])[1]
    wire = b"0\r\n" + most.replace(b"B:", b"BB:") + b"\r\n"
    with pytest.raises(BadRequest, match="trailers"):
        decode(wire[:cut], wire[cut:])


def test_encoding() -> None:
    assert chunk(b"") == b""
    assert chunk(b"x" * 17) == b"11\r\n" + b"x" * 17 + b"\r\n"
    assert last_chunk([], frozenset()) == LAST_CHUNK == b"0\r\n\r\n"


def test_only_announced_trailers_are_sent_on() -> None:
    trailers = [(b"X-Sum", b"1"), (b"Evil", b"2"), (b"x-sum", b"3")]
    assert last_chunk(trailers, frozenset((b"x-sum",))) == b"0\r\nX-Sum: 1\r\nx-sum: 3\r\n\r\n"
    assert last_chunk(trailers, frozenset((b"other",))) == LAST_CHUNK


_extensions = st.sampled_from([b"", b";", b";a=b", b' ; a="\t\xff"'])
_chunks = st.lists(st.tuples(st.binary(min_size=1, max_size=20), _extensions))
_trailers = st.lists(st.tuples(st.sampled_from([b"A", b"x-sum", b"~"]), st.sampled_from([b"", b"b", b"c: d", b"\xff"])))
_cuts = st.lists(st.integers(0, 400), max_size=12)


def encode(chunks: list[tuple[bytes, bytes]], trailers: list[tuple[bytes, bytes]]) -> bytes:
    body = b"".join(b"%x%b\r\n%b\r\n" % (len(payload), extension, payload) for payload, extension in chunks)
    return body + b"0\r\n" + b"".join(b"%b: %b\r\n" % trailer for trailer in trailers) + b"\r\n"


def split(wire: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(min(cut, len(wire)) for cut in cuts), len(wire)]
    return [wire[begin:end] for begin, end in pairwise(places)]


@given(_chunks, _trailers, st.sampled_from([b"", b"GET / HTTP/1.1\r\n\r\n", b"\r\n", b"0\r\n\r\n"]), _cuts)
def test_any_split_gives_the_same(
    chunks: list[tuple[bytes, bytes]], trailers: list[tuple[bytes, bytes]], behind: bytes, cuts: list[int]
) -> None:
    wire = encode(chunks, trailers) + behind
    expected = (b"".join(payload for payload, _ in chunks), True, behind, trailers)
    assert decode(*split(wire, cuts)) == expected


def outcome(pieces: Iterable[bytes]) -> Result | None:
    try:
        return decode(*pieces)
    except BadRequest:
        return None


@given(_chunks, _trailers, st.integers(0, 300), st.binary(max_size=2), st.integers(0, 2), _cuts)
def test_any_split_of_a_damaged_body_ends_the_same(
    chunks: list[tuple[bytes, bytes]],
    trailers: list[tuple[bytes, bytes]],
    at: int,
    inserted: bytes,
    removed: int,
    cuts: list[int],
) -> None:
    wire = encode(chunks, trailers)
    wire = wire[:at] + inserted + wire[at + removed :]
    assert outcome(split(wire, cuts)) == outcome([wire]) == outcome(singly(wire))


@given(st.lists(st.binary(max_size=20)), _trailers)
def test_what_is_encoded_is_decoded(payloads: list[bytes], trailers: list[tuple[bytes, bytes]]) -> None:
    announced = frozenset(name.lower() for name, _ in trailers)
    wire = b"".join(map(chunk, payloads)) + last_chunk(trailers, announced)
    assert decode(wire) == (b"".join(payloads), True, b"", trailers)


def test_many_chunks_are_decoded_in_parts() -> None:
    wire = b"1\r\nx\r\n" * 2500 + b"0\r\n\r\nnext"
    decoder, parts = ChunkedDecoder(), []
    parts.append(decoder.feed(wire))
    while decoder.has_more:
        parts.append(decoder.feed(b""))
    assert [len(part) for part in parts] == [1000, 1000, 500]
    assert (decoder.done, decoder.rest) == (True, b"next")
    assert decode(b"5\r\nab", b"cde\r\n" + wire)[0] == b"abcde" + b"x" * 2500


@pytest.mark.parametrize("count", [999, 1000, 1001])
def test_the_end_may_come_where_a_part_ends(count: int) -> None:
    wire = b"1\r\nx\r\n" * count
    decoder = ChunkedDecoder()
    payload = decoder.feed(wire)
    while decoder.has_more:
        payload += decoder.feed(b"")
    assert (len(payload), decoder.done) == (count, False)
    decoder.feed(b"0\r\n\r\n")
    assert decoder.done


def extended(size: int, extension: int) -> bytes:
    return b"%x;%b\r\n%b\r\n" % (size, b"e" * extension, b"x" * size)


@pytest.mark.parametrize(
    ("one", "count", "is_refused"),
    [
        (extended(1, 1000), 18, True),
        (extended(1, 1000), 15, False),
        (extended(1000, 1000), 200, False),
        (extended(1, 10), 5000, False),
        (extended(1, 40), 2000, True),
        (b"1\r\nx\r\n", 50_000, False),
    ],
)
@pytest.mark.parametrize("cut", [7, 5000, 1_000_000])
def test_bodies_of_little_but_extensions(one: bytes, count: int, is_refused: bool, cut: int) -> None:
    wire = one * count
    pieces = [wire[at : at + cut] for at in range(0, len(wire), cut)]
    if is_refused:
        with pytest.raises(BadRequest, match="little but extensions"):
            decode(*pieces)
    else:
        assert len(decode(*pieces)[0]) == count * int(one.partition(b";")[0].partition(b"\r")[0], 16)

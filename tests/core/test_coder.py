import gzip
import zlib
from itertools import pairwise

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gproxy.core.coder import Coder

CODINGS = [b"gzip", b"br"]


def never() -> None:
    raise AssertionError("a small piece is coded at once")


def decode(coding: bytes, data: bytes) -> bytes:
    return gzip.decompress(data) if coding == b"gzip" else brotli.decompress(data)


@pytest.mark.parametrize("coding", CODINGS)
@given(pieces=st.lists(st.binary(max_size=300)), level=st.integers(1, 9), is_known=st.booleans())
def test_what_is_decoded_is_what_was_coded(coding: bytes, pieces: list[bytes], level: int, is_known: bool) -> None:
    coder = Coder(coding, level, len(b"".join(pieces)) if is_known else -1, never)
    wire = b"".join([coder.take(piece, False) for piece in pieces]) + coder.take(b"", True)
    assert decode(coding, wire) == b"".join(pieces)


@pytest.mark.parametrize("coding", CODINGS)
def test_a_piece_can_be_read_before_the_next_one_comes(coding: bytes) -> None:
    coder = Coder(coding, 5, -1, never)
    reader = zlib.decompressobj(31) if coding == b"gzip" else brotli.Decompressor()
    read = reader.decompress if coding == b"gzip" else reader.process
    for number in range(20):
        event = b"data: %d\n\n" % number
        assert read(coder.take(event, False)) == event
    assert coder.take(b"", False) == b""


@pytest.mark.parametrize("coding", CODINGS)
def test_a_large_piece_is_coded_in_steps(coding: bytes) -> None:
    rests: list[int] = []
    coder = Coder(coding, 5, 1 << 20, lambda: rests.append(1))
    body = bytes(range(256)) * (1 << 12)
    assert decode(coding, coder.take(body, True)) == body
    assert len(rests) == (1 << 20 >> 14) - 1


def test_higher_levels_make_less_of_it() -> None:
    body = b"".join(b'{"id": %d, "name": "user %d"}, ' % (number, number * 7919 % 1000) for number in range(2000))
    for coding in CODINGS:
        sizes = [len(Coder(coding, level, len(body), lambda: None).take(body, True)) for level in (1, 5)]
        assert all(one > other for one, other in pairwise(sizes))
        assert sizes[0] < len(body) / 4

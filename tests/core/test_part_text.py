import gzip
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gproxy.core.part_head import PartHead, part_head
from gproxy.core.part_text import part_text, uncoded


def head(media: str = "") -> PartHead:
    return part_head(f"HTTP/1.1 200 OK\r\nContent-Type: {media}\r\n".encode("latin-1"))


@pytest.mark.parametrize(
    ("media", "data", "text"),
    [
        ("application/json", b' {"a": 1} \n', b'{"a": 1}'),
        ("application/json", b"[1,2", b'"[1,2"'),
        ("application/json", b"", b"null"),
        ("application/json", b"   ", b'"   "'),
        ("application/json", b"\xef\xbb\xbf[1]", b"[1]"),
        ("application/json", b'{"a": NaN}', b'"{\\"a\\": NaN}"'),
        ("application/json; charset=utf-16", '{"é": 1}'.encode("utf-16"), '{"é": 1}'.encode()),
        ("application/json; charset=iso-8859-1", b'{"\xe9": 1}', '{"é": 1}'.encode()),
        ("application/json; charset=unknown", b'{"a": 1}', b'{"a": 1}'),
        ("application/vnd.x+json", b"true", b"true"),
        ("", b'{"a": 1}', b'{"a": 1}'),
        ("", b"hello", b'"hello"'),
        ("application/octet-stream", b"7", b"7"),
        ("text/plain", b"7", b'"7"'),
        ("text/plain", b"", b"null"),
        ("text/html", b'<a b="c">\n\x01', b'"<a b=\\"c\\">\\n\\u0001"'),
        ("text/plain", "é".encode(), '"é"'.encode()),
        ("text/plain; charset=ISO-8859-1", b"\xe9", '"é"'.encode()),
        ("text/plain; charset=windows-1252", b"\x80", '"€"'.encode()),
        ("text/plain; charset=shift_jis", "日本".encode("shift_jis"), '"日本"'.encode()),
        ("text/plain; charset=utf-8", b"a\xffb", '"a\ufffdb"'.encode()),
        ("text/plain; charset=hex", b"zz", b'"zz"'),
        ("text/plain; charset=punycode", b"a-b", b'"a-b"'),
        ("text/plain; charset=cp99999", b"a", b'"a"'),
        ("image/png", b"\x89PNG", '"\ufffdPNG"'.encode()),
    ],
)
def test_what_a_body_is_in_the_whole(media: str, data: bytes, text: bytes) -> None:
    assert part_text(head(media), data) == text


@given(st.binary(max_size=50), st.sampled_from(["", "application/json", "text/plain", "text/x; charset=utf-16"]))
def test_the_whole_is_always_valid(data: bytes, media: str) -> None:
    json.loads(part_text(head(media), data))


DATA = b"hello " * 1000


@pytest.mark.parametrize(
    ("coding", "data"),
    [
        (b"", DATA),
        (b"identity", DATA),
        (b"gzip", gzip.compress(DATA, mtime=0)),
        (b"x-gzip", gzip.compress(DATA, mtime=0)),
        (b"deflate", zlib.compress(DATA)),
    ],
)
def test_content_codings(coding: bytes, data: bytes) -> None:
    assert uncoded(coding, data, len(DATA)) == DATA


@pytest.mark.parametrize(
    ("coding", "data", "reason"),
    [
        (b"br", DATA, "content coding br"),
        (b"gzip, gzip", DATA, "content coding gzip, gzip"),
        (b"gzip", DATA, "content coding gzip: "),
        (b"gzip", gzip.compress(DATA, mtime=0)[:-4], "incomplete"),
        (b"gzip", b"", "incomplete"),
        (b"gzip", gzip.compress(DATA + b"x", mtime=0), f"more than {len(DATA)} bytes"),
        (b"gzip", gzip.compress(b"x" * 10_000_000, mtime=0), f"more than {len(DATA)} bytes"),
    ],
)
def test_what_cannot_be_decoded(coding: bytes, data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        uncoded(coding, data, len(DATA))

import ipaddress
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gproxy.core.proxy_protocol import LINE_BYTES, MOST_HEADER_BYTES, Announcement, parse

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
FOUR = bytes((10, 0, 0, 1, 10, 0, 0, 2)) + struct.pack(">HH", 1000, 443)
SIX = ipaddress.ip_address("2001:db8::1").packed + ipaddress.ip_address("::1").packed + struct.pack(">HH", 1, 2)


def binary(body: bytes, family: int = 0x11, command: int = 0x21, length: int | None = None) -> bytes:
    return SIGNATURE + struct.pack(">BBH", command, family, len(body) if length is None else length) + body


GOOD = [
    (b"PROXY TCP4 10.0.0.1 10.0.0.2 1000 443\r\n", "10.0.0.1"),
    (b"PROXY TCP6 2001:DB8:0::1 ::1 0 65535\r\n", "2001:db8::1"),
    (b"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe 65535 65535\r\n",
     "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    (b"PROXY UNKNOWN\r\n", ""),
    (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", ""),
    (binary(FOUR), "10.0.0.1"),
    (binary(SIX, 0x21), "2001:db8::1"),
    (binary(FOUR + b"\x04\x00\x03abc"), "10.0.0.1"),
    (binary(b"", command=0x20, family=0), ""),
    (binary(FOUR, command=0x20), ""),
    (binary(b"", family=0), ""),
    (binary(bytes(216), family=0x31), ""),
    (binary(FOUR + bytes(2036)), "10.0.0.1"),
]  # fmt: skip


@pytest.mark.parametrize(("header", "source"), GOOD)
def test_whole_headers_and_what_follows_them(header: bytes, source: str) -> None:
    for rest in (b"", b"GET / HTTP/1.1\r\n", header, b"\n"):
        assert parse(header + rest) == Announcement(len(header), source)


@pytest.mark.parametrize(("header", "source"), GOOD)
def test_the_beginning_of_a_header_is_not_enough(header: bytes, source: str) -> None:
    for size in range(len(header)):
        assert parse(header[:size]) is None


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n",
        b"\x16\x03\x01",
        b"\r\n\r\nX",
        b"proxy TCP4 10.0.0.1 10.0.0.2 1 2\r\n",
        b"PROXY  TCP4 10.0.0.1 10.0.0.2 1 2\r\n",
        b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2 \r\n",
        b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\n",
        b"PROXY TCP4 10.0.0.1 10.0.0.2 1\r\n",
        b"PROXY TCP4 10.0.0.1 10.0.0.2 01 2\r\n",
        b"PROXY TCP4 10.0.0.1 10.0.0.2 1 65536\r\n",
        b"PROXY TCP4 10.0.0.01 10.0.0.2 1 2\r\n",
        b"PROXY TCP4 10.0.0.256 10.0.0.2 1 2\r\n",
        b"PROXY TCP4 ::1 ::1 1 2\r\n",
        b"PROXY TCP6 10.0.0.1 10.0.0.2 1 2\r\n",
        b"PROXY TCP4 10.0.0.1 ::1 1 2\r\n",
        b"PROXY UDP4 10.0.0.1 10.0.0.2 1 2\r\n",
        b"PROXY UNKNOWNS\r\n",
        b"PROXY UNKNOWN \x00\r\n",
        b"PROXY \r\n",
        b"PROXY UNKNOWN " + b"x" * LINE_BYTES,
        b"PROXY UNKNOWN " + b"x" * (LINE_BYTES - 15) + b"\r\n",
        binary(FOUR, command=0x11),
        binary(FOUR, command=0x22),
        binary(FOUR, family=0x12),
        binary(FOUR, family=0x99),
        binary(FOUR[:-1]),
        binary(SIX[:-1], 0x21),
        binary(bytes(215), 0x31),
        binary(bytes(2049)),
        binary(b"", length=65535),
    ],
)
def test_what_is_no_header(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse(data)


@given(
    st.binary(max_size=60), st.sampled_from([b"", b"PROXY ", b"PROXY TCP4 ", SIGNATURE, SIGNATURE + b"\x21\x11\x00"])
)
def test_any_bytes(data: bytes, start: bytes) -> None:
    data = start + data
    try:
        found = parse(data)
    except ValueError:
        return
    if found is None:
        assert len(data) < MOST_HEADER_BYTES
    else:
        assert 0 < found.size <= len(data)
        assert not found.source or ipaddress.ip_address(found.source)
        for size in range(found.size):
            assert parse(data[:size]) is None, "nobody would have read on"


@given(st.ip_addresses(), st.ip_addresses(), st.integers(0, 65535), st.integers(0, 65535), st.binary(max_size=20))
def test_what_balancers_send(source: object, target: object, port: int, other_port: int, rest: bytes) -> None:
    one, two = ipaddress.ip_address(str(source)), ipaddress.ip_address(str(target))
    if one.version != two.version:
        two = one
    line = f"PROXY TCP{one.version} {one} {two} {port} {other_port}\r\n".encode()
    assert parse(line + rest) == Announcement(len(line), str(one))
    body = one.packed + two.packed + struct.pack(">HH", port, other_port)
    header = binary(body, 0x11 if one.version == 4 else 0x21)
    assert parse(header + rest) == Announcement(len(header), str(one))

import json

from gproxy.core.inspection import fields, is_asked, key_of, line


def test_a_key_depends_on_the_secret_alone() -> None:
    assert key_of(1) == key_of(1) != key_of(2)
    assert len(key_of(2**64 - 1)) == 32


def test_only_who_knows_the_key_is_told() -> None:
    key = key_of(7).encode()
    assert is_asked({b"x-gateway-inspect": key}, key)
    assert not is_asked({b"x-gateway-inspect": key[:-1]}, key)
    assert not is_asked({b"x-gateway-inspect": b"\xff"}, key)
    assert not is_asked({b"x-request-id": key}, key)


def test_a_line_is_ascii_and_one_line() -> None:
    told = line({"server": "u\u00e4\r\nX: 1"}, [])
    assert told.startswith(b"X-Gateway-Inspection: {")
    assert told.endswith(b"}\r\n")
    assert told.count(b"\r\n") == 1
    assert told.isascii()


def test_heads_of_parts_are_left_out_when_they_are_too_long_and_then_everything() -> None:
    part = {"name": "user", "headers": [["X", "x" * 40_000]]}
    told = json.loads(line({"server": None}, [part]).partition(b" ")[2])
    assert told["parts"] == [{"name": "user", "headers": None}]
    assert line({"reason": "x" * 40_000}, []) == b""


def test_fields_of_a_head() -> None:
    assert fields(b"HTTP/1.1 200 OK\r\nA: b\r\nC: \xe9\r\n") == [["A", "b"], ["C", "\xe9"]]

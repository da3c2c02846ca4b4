import pytest

from gproxy.core.compression import Compression, coded, not_modified, varied
from gproxy.core.model.compress import TYPES, Compress


def rule(**fields: object) -> Compression:
    made = Compression.compiled(Compress.model_validate(fields).model_dump(mode="json"))
    assert made is not None
    return made


def head(*lines: bytes, status: int = 200) -> bytes:
    return b"HTTP/1.1 %d X\r\n" % status + b"".join(line + b"\r\n" for line in lines)


def test_nothing_is_asked_for() -> None:
    assert Compression.compiled(None) is None


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        ([], b""),
        ([b""], b""),
        ([b"gzip"], b"gzip"),
        ([b"br"], b"br"),
        ([b"GZIP"], b"gzip"),
        ([b"x-gzip"], b"gzip"),
        ([b"gzip, br"], b"br"),
        ([b"gzip;q=0.9, br;q=0.8"], b"gzip"),
        ([b"gzip", b"br;q=0.1"], b"gzip"),
        ([b"deflate, zstd"], b""),
        ([b"*"], b"br"),
        ([b"*;q=0"], b""),
        ([b"br;q=0, *"], b"gzip"),
        ([b"br;q=0,gzip;q=0"], b""),
        ([b"identity"], b""),
        ([b"identity, gzip;q=0.5"], b""),
        ([b"identity;q=0, gzip;q=0.5"], b"gzip"),
        ([b"gzip ; q=0.5 , br;Q=0.500"], b"br"),
        ([b"gzip;q=2"], b""),
        ([b"gzip;q=0.1234"], b""),
        ([b"gzip;level=1"], b""),
        ([b",,gzip,,"], b"gzip"),
        ([b"\xff, gzip"], b"gzip"),
    ],
)
def test_what_a_client_gets(accepted: list[bytes], expected: bytes) -> None:
    assert rule().coding(accepted) == expected


def test_the_first_of_equals_is_the_rules_choice() -> None:
    assert rule(encodings=["gzip", "br"]).coding([b"br, gzip"]) == b"gzip"
    assert rule(encodings=["gzip"]).coding([b"br, gzip;q=0.1"]) == b"gzip"


@pytest.mark.parametrize(
    ("content_type", "is_worth"),
    [
        (b"text/html; charset=utf-8", True),
        (b"TEXT/Plain", True),
        (b"application/json", True),
        (b"application/problem+json", True),
        (b"image/svg+xml;x=y", True),
        (b"image/png", False),
        (b"application/jsonx", False),
        (b"text/event-stream", False),
        (b"text/event-stream; charset=utf-8", False),
        (b"text/event-streams", True),
        (b"", False),
        (b"\xff", False),
    ],
)
def test_types_that_are_worth_it(content_type: bytes, is_worth: bool) -> None:
    assert rule().concerns(200, head(b"Content-Type: " + content_type), 5000) is is_worth


def test_types_of_ones_own() -> None:
    own = rule(types=["text/event-stream", "image/*"])
    assert own.concerns(200, head(b"content-type:text/event-stream"), -1)
    assert own.concerns(200, head(b"Content-Type: image/bmp"), -1)
    assert not own.concerns(200, head(b"Content-Type: text/plain"), -1)
    assert "text/event-stream" not in TYPES


@pytest.mark.parametrize(
    ("status", "length", "is_concerned"),
    [
        (200, 1024, True),
        (200, 1023, False),
        (200, -1, True),
        (200, -2, True),
        (404, 5000, True),
        (204, -1, False),
        (205, -1, False),
        (206, 5000, False),
        (304, -2, False),
        (101, -2, False),
    ],
)
def test_status_and_length(status: int, length: int, is_concerned: bool) -> None:
    assert rule().concerns(status, head(b"Content-Type: text/css", status=status), length) is is_concerned


def test_nothing_is_never_compressed() -> None:
    assert not rule(min_bytes=0).concerns(200, head(b"Content-Type: text/css"), 0)
    assert rule(min_bytes=0).concerns(200, head(b"Content-Type: text/css"), 1)


@pytest.mark.parametrize(
    "line",
    [
        b"Content-Encoding: gzip",
        b"content-encoding:identity",
        b"Content-Range: bytes 0-1/2",
        b"Cache-Control: max-age=1, no-transform",
        b"cache-control: NO-TRANSFORM",
        b"Content-MD5: x",
        b"Repr-Digest: sha-256=:x:",
    ],
)
def test_what_is_left_alone(line: bytes) -> None:
    assert not rule().concerns(200, head(b"Content-Type: text/css", line, b"X: y"), 5000)


def test_other_fields_do_not_matter() -> None:
    lines = head(b"Content-Type: text/css", b"X-No: no-transform", b"Cache-Control: no-store", b"X-Content-Encoding: a")
    assert rule().concerns(200, lines, 5000)


def test_the_head_of_a_coded_body() -> None:
    lines = head(b'ETag: "a"', b"Content-Length: 9", b"accept-ranges: bytes", b"Vary: Origin", b"X: y")
    expected = head(b'ETag: W/"a"', b"Vary: Origin", b"X: y", b"Vary: Accept-Encoding", b"Content-Encoding: br")
    assert coded(lines, b"br") == expected
    assert coded(head(b'etag:W/"a"'), b"br").startswith(head(b'etag:W/"a"'))


@pytest.mark.parametrize(
    ("vary", "says_so"),
    [
        (b"Vary: *", True),
        (b"Vary: Accept-Encoding", True),
        (b"vary:Origin, accept-encoding , X", True),
        (b"Vary: X-Accept-Encoding", False),
        (b"Vary: Origin", False),
        (b"X: y", False),
    ],
)
def test_who_gets_something_else_is_told_once(vary: bytes, says_so: bool) -> None:
    lines = head(vary, b"X: y")
    assert varied(lines) == (lines if says_so else lines + b"Vary: Accept-Encoding\r\n")


def test_not_modified() -> None:
    lines = head(b'ETag: "a"', status=304)
    weak = head(b'ETag: W/"a"', b"Vary: Accept-Encoding", status=304)
    assert not_modified(lines, b'W/"b", W/"a"') == weak
    assert not_modified(lines, b'"a"') == lines
    assert not_modified(head(status=304), b'W/"a"') == head(status=304)


def test_long_values_are_read_but_not_remembered() -> None:
    accepted = [b"x-" + b"y" * 10_000, b"gzip"]
    assert rule().coding(accepted) == b"gzip"

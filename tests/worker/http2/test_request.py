from types import SimpleNamespace
from typing import Any

import pytest

from gproxy.core.errors import BadRequest, HeadTooLarge, TargetTooLong
from gproxy.core.http1 import CHUNKED, RequestFields
from gproxy.worker.http2.request import read


def runtime() -> Any:
    blocks: dict[bytes, RequestFields] = {}
    limits = {"target_bytes": 100, "head_bytes": 500, "head_fields": 5}
    return SimpleNamespace(**limits, known_blocks=blocks, remember_request_fields=blocks.__setitem__)


def request(*fields: tuple[bytes, bytes], method: bytes = b"GET", path: bytes = b"/a?b=c") -> list[tuple[bytes, bytes]]:
    pseudo = [(b":method", method), (b":path", path), (b":scheme", b"https"), (b":authority", b"A.example:8443")]
    return [*pseudo, *fields]


def test_a_request_is_read_as_one_of_http_1() -> None:
    fields = [(b"x-a", b"1"), (b"cookie", b"a=1"), (b"x-forwarded-for", b"192.0.2.1"), (b"cookie", b"b=2")]
    method, target, read_ = read(request(*fields), False, runtime())
    assert (method, target, read_.host, read_.host_value) == (b"GET", b"/a?b=c", b"a.example", b"A.example:8443")
    assert read_.forward == b"Host: A.example:8443\r\nx-a: 1\r\nCookie: a=1; b=2\r\n"
    assert read_.claims == {b"x-forwarded-for": b"192.0.2.1"}
    assert read_.length == 0


def test_a_body_has_a_length_or_comes_in_chunks() -> None:
    assert read(request((b"content-length", b"5"), method=b"POST"), True, runtime())[2].length == 5
    assert read(request(method=b"POST"), True, runtime())[2].length == CHUNKED


def test_a_block_is_read_once() -> None:
    known = runtime()
    first = read(request(), False, known)[2]
    assert read(request(), False, known)[2] is first


def test_a_host_field_may_stand_in_for_the_authority() -> None:
    headers = [(name, value) for name, value in request((b"host", b"b.example")) if name != b":authority"]
    assert read(headers, False, runtime())[2].host == b"b.example"
    assert read(request((b"host", b"a.example:8443")), False, runtime())[2].host == b"a.example"


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        (request((b"host", b"b.example")), BadRequest),
        (request(method=b"G T"), BadRequest),
        (request(path=b"a"), BadRequest),
        (request(path=b"*"), BadRequest),
        (request(path=b"/a b"), BadRequest),
        (request(path=b"/a#b"), BadRequest),
        (request(method=b"CONNECT"), BadRequest),
        (request((b"x-a", b"1\r\nx-b: 2")), BadRequest),
        (request((b"x-a", b"1\nx-b: 2")), BadRequest),
        (request((b"x a", b"1")), BadRequest),
        (request((b"content-length", b"5"), method=b"POST"), BadRequest),
        (request((b"x:a", b"1")), BadRequest),
        (request((b"cookie", b"a\r\nx: 1")), BadRequest),
        (request((b"content-length", b"+5")), BadRequest),
        (request(path=b"/" + b"a" * 100), TargetTooLong),
        (request((b"x-a", b"a" * 500)), HeadTooLarge),
        (request(*[(b"x-a", b"1")] * 6), HeadTooLarge),
    ],
)
def test_what_is_refused_in_http_1_is_refused_here(headers: list[tuple[bytes, bytes]], error: type[Exception]) -> None:
    with pytest.raises(error):
        read(headers, False, runtime())


def test_options_may_ask_for_the_server() -> None:
    assert read(request(method=b"OPTIONS", path=b"*"), False, runtime())[1] == b"*"

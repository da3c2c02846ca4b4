import pytest

from gproxy.core.part_fields import part_fields

HOST = b"Host: a\r\n"
IDENTITY = b"Accept-Encoding: identity\r\n"
READER = b'If-None-Match: "a"\r\nif-modified-since: x\r\nRange: bytes=0-1\r\nIf-Range: "a"\r\nAccept-Encoding: gzip\r\n'
WRITER = b'If-Match: "a"\r\nIf-Unmodified-Since: x\r\n'
BODY = b"Content-Length: 5\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\n"
OTHER = b"Authorization: x\r\nX-Range: 1\r\nCookie: a=b\r\nAccept: */*\r\nX-Content-Length: 5\r\n"


def test_a_reader_gets_the_whole_part_uncoded() -> None:
    assert part_fields(HOST + READER + OTHER, b"GET", True, False) == HOST + OTHER + IDENTITY


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"DELETE", b"GET"])
def test_what_protects_a_write_is_for_the_server(method: bytes) -> None:
    assert WRITER in part_fields(HOST + WRITER, method, True, True)


def test_a_write_may_be_for_what_is_not_there_yet() -> None:
    assert b"If-None-Match: *\r\n" in part_fields(HOST + b"If-None-Match: *\r\n", b"PUT", True, True)


def test_a_body_goes_with_what_is_said_about_it() -> None:
    assert part_fields(HOST + BODY + OTHER, b"POST", True, True) == HOST + BODY + OTHER + IDENTITY


def test_no_body_nothing_is_said_about_it() -> None:
    assert part_fields(HOST + BODY + OTHER, b"GET", False, True) == HOST + OTHER + IDENTITY


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"PATCH"])
def test_a_request_that_could_have_a_body_says_that_it_has_none(method: bytes) -> None:
    assert part_fields(HOST, method, True, False).endswith(b"\r\nContent-Length: 0\r\n")


def test_blocks_of_any_size() -> None:
    for size in (1, 2000, 3000, 30_000):
        filling = b"X: %b\r\n" % (b"y" * size)
        assert part_fields(HOST + filling + READER, b"GET", True, False) == HOST + filling + IDENTITY

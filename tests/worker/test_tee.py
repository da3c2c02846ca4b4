from types import SimpleNamespace
from typing import Any

import pytest

from gproxy.core.comparison import Answer
from gproxy.worker.tee import Tee

HEAD: Any = SimpleNamespace(status=200, lines=b"HTTP/1.1 200 OK\r\n")


def exchange(body: bytes, left: int = 0, done: bool | None = None) -> Any:
    upload = None if done is None else SimpleNamespace(done=done)
    return SimpleNamespace(body=body, left=left, upload=upload)


@pytest.mark.parametrize(
    ("asked", "pieces", "body"),
    [
        (exchange(b"abc"), [], b"abc"),
        (exchange(b"x" * 11), [], None),
        (exchange(b"abc", 3, True), [b"de", b"f"], b"abcdef"),
        (exchange(b"abc", -1, True), [b"", b"f"], b"abcf"),
        (exchange(b"abc", 3, False), [b"de"], None),
        (exchange(b"abc", 3), [], None),
        (exchange(b"", 12, True), [b"x" * 6, b"y" * 6], None),
        (exchange(b"x" * 8, 4, True), [b"yyyy"], None),
    ],
)
def test_the_body_as_it_was_sent_on(asked: Any, pieces: list[bytes], body: bytes | None) -> None:
    tee = Tee(10, ())
    for piece in pieces:
        tee.take(piece)
    assert tee.body(asked) == body


def test_an_answer_that_nobody_compares_is_not_kept() -> None:
    tee = Tee(10, ())
    assert tee.open(HEAD) is None
    assert tee.answer is None


def test_an_answer_is_kept_when_it_is_whole() -> None:
    tee = Tee(10, {"shadow"})
    tee.take(b"a body of the request")
    assert tee.open(HEAD) is tee
    buffer = bytearray(b"abc")
    tee.feed(memoryview(buffer))
    buffer[:] = b"xyz"
    tee.feed(b"def")
    assert tee.answer is None
    tee.end()
    assert tee.answer == Answer(200, HEAD.lines, b"abcdef")


def test_a_request_and_its_answer_may_come_at_the_same_time() -> None:
    tee = Tee(10, {"shadow"})
    tee.take(b"12345")
    tee.open(HEAD)
    for _ in range(2):
        tee.feed(b"abcd")
        tee.take(b"12")
    tee.end()
    assert tee.answer == Answer(200, HEAD.lines, b"abcdabcd")
    assert not tee.is_too_large
    tee.take(b"12")
    assert tee.is_too_large


def test_a_large_answer_has_no_body() -> None:
    tee = Tee(10, {"shadow"})
    tee.open(HEAD)
    for _ in range(3):
        tee.feed(b"12345")
    tee.end()
    assert tee.answer == Answer(200, HEAD.lines, None)


def test_a_broken_answer_is_none() -> None:
    tee = Tee(10, {"shadow"})
    tee.open(HEAD)
    tee.feed(b"abc")
    tee.abandon()
    assert tee.answer is None

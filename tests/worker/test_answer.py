"""Response heads in pieces, interim ones, and what is remembered of them."""

from types import SimpleNamespace
from typing import Any

import pytest

from gproxy.core.errors import BadUpstream, UpstreamTimeout
from gproxy.core.errors import Stage as Progress
from gproxy.worker.answer import Answers
from gproxy.worker.upstream import UpstreamBroken

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"


class Pieces:
    """An upstream that delivers these pieces, then what is raised, then its end."""

    def __init__(self, *pieces: bytes | Exception) -> None:
        self._pieces = list(pieces)

    def recv(self) -> bytes:
        piece = self._pieces.pop(0) if self._pieces else b""
        if isinstance(piece, Exception):
            raise piece
        return piece


def receive(*pieces: bytes | Exception, minor: bytes = b"1") -> tuple[int, bytes, list[bytes]]:
    """Return the status, the beginning of the body, and what the client was sent meanwhile."""
    sent: list[bytes] = []
    exchange: Any = SimpleNamespace(minor=minor, upgrade=None, client=SimpleNamespace(send=sent.append))
    upstream: Any = Pieces(*pieces)
    head, data, end = Answers(1000, 10).receive(exchange, upstream, upstream.recv())
    return head.status, data[end:], sent


@pytest.mark.parametrize("cut", range(1, len(HEAD)))
def test_a_head_may_come_in_pieces(cut: int) -> None:
    assert receive(HEAD[:cut], HEAD[cut:] + b"ok") == (200, b"ok", [])


def test_interim_responses_are_passed_on_but_not_to_old_clients() -> None:
    assert receive(EARLY + HEAD) == (200, b"", [EARLY])
    assert receive(EARLY, EARLY, HEAD) == (200, b"", [EARLY, EARLY])
    assert receive(EARLY, HEAD, minor=b"0") == (200, b"", [])


@pytest.mark.parametrize(
    "pieces",
    [
        (b"HTTP/1.1 2",),
        (b"HTTP/1.1 2", UpstreamBroken("reset")),
        (b"nonsense\\r\\n\\r\\n",),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n",),
        (EARLY * 21,),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1000, b"x"),
    ],
)
def test_what_is_no_answer(pieces: tuple[bytes | Exception, ...]) -> None:
    with pytest.raises(BadUpstream) as caught:
        receive(*pieces)
    assert caught.value.stage is Progress.ANSWERED


def test_no_byte_at_all_is_another_matter() -> None:
    with pytest.raises(UpstreamBroken):
        receive(b"")


def test_a_head_that_does_not_end_in_time_has_begun() -> None:
    with pytest.raises(UpstreamTimeout) as caught:
        receive(b"HTTP/1.1 ", UpstreamTimeout("too slow"))
    assert caught.value.stage is Progress.ANSWERED


def test_final_heads_are_remembered_within_bounds() -> None:
    answers = Answers(100_000, 100)
    exchange: Any = SimpleNamespace(minor=b"1", client=None)
    upstream: Any = Pieces()
    for number in range(1100):
        answers.receive(exchange, upstream, HEAD.replace(b"OK", b"OK %d" % number))
    assert 0 < len(answers.known) <= 1024
    answers.receive(exchange, upstream, b"HTTP/1.1 200 OK\r\nX: " + b"x" * 3000 + b"\r\n\r\n")
    assert max(map(len, answers.known)) <= 2048

import os
import socket
from collections.abc import Iterator

import pytest

from gproxy.master.handover import MOST_DESCRIPTORS, VARIABLE, Channel, Message, Word

Pair = tuple[Channel, Channel]


@pytest.fixture
def pair() -> Iterator[Pair]:
    one, other = Channel.pair()
    yield one, other
    one.close()
    other.close()


def test_words_arrive_in_order_with_their_details(pair: Pair) -> None:
    one, other = pair
    assert other.receive() is None
    one.say(Word.NEED_SIDES)
    one.say(Word.RUNNING, kept=[0, 2], pid_file=True)
    assert other.receive() == Message(Word.NEED_SIDES, {})
    assert other.receive() == Message(Word.RUNNING, {"kept": [0, 2], "pid_file": True})
    assert other.receive() is None
    assert not other.is_closed


def test_descriptors_arrive_as_our_own_and_stay_out_of_other_programs(pair: Pair) -> None:
    reader, writer = os.pipe()
    pair[0].say(Word.ESTATE, [reader] * MOST_DESCRIPTORS)
    os.close(reader)
    message = pair[1].receive()
    assert message is not None
    assert len(set(message.descriptors)) == MOST_DESCRIPTORS
    assert not any(os.get_inheritable(fd) for fd in message.descriptors)
    os.write(writer, b"x")
    assert os.read(message.descriptors[-1], 1) == b"x"
    for fd in (writer, *message.descriptors):
        os.close(fd)


def test_more_than_the_kernel_passes_is_an_error(pair: Pair) -> None:
    with pytest.raises(OSError, match="Invalid argument"):
        pair[0].say(Word.ESTATE, [0] * (MOST_DESCRIPTORS + 1))


def test_the_last_words_of_one_that_died_are_heard(pair: Pair) -> None:
    one, other = pair
    other.say(Word.ESTATE)  # never read: the kernel tells of a reset first
    one.say(Word.FAILED, reasons=["broken"])
    one.close()
    assert other.receive() == Message(Word.FAILED, {"reasons": ["broken"]})
    assert not other.is_closed
    assert other.receive() is None
    assert other.is_closed
    other.say(Word.YOURS)  # to nobody


def test_an_end_is_found_in_the_environment_once(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Channel.from_environment() is None
    copy = os.dup(pair[1].fileno())
    os.set_inheritable(copy, True)
    monkeypatch.setenv(VARIABLE, str(copy))
    found = Channel.from_environment()
    assert found is not None
    assert not os.get_inheritable(found.fileno())
    assert VARIABLE not in os.environ
    pair[0].say(Word.SIDES)
    assert found.receive() == Message(Word.SIDES, {})
    found.close()


def test_a_variable_that_leads_nowhere_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as tcp:
        for text in ("", "x", "-1", "99999", str(tcp.fileno())):
            monkeypatch.setenv(VARIABLE, text)
            assert Channel.from_environment() is None
        assert tcp.fileno() > 0
        tcp.getsockname()

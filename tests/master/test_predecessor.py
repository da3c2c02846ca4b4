"""The new program's view of the old one; the old one is the test."""

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gproxy.master import predecessor as module
from gproxy.master.handover import PROTOCOL, VARIABLE, Channel, Message, Word
from gproxy.master.node import SIDE_LEAVE_S
from gproxy.master.predecessor import NoEstate, Predecessor
from gproxy.shared.table import Table
from tests.harness.waiting import eventually

NOBODY = 2**22 + 1  # beyond the highest pid


@pytest.fixture
def old(monkeypatch: pytest.MonkeyPatch) -> Iterator[Channel]:
    """The old program's end; the environment leads to the other one."""
    ours, theirs = Channel.pair()
    monkeypatch.setenv(VARIABLE, str(os.dup(theirs.fileno())))
    theirs.close()
    yield ours
    ours.close()


def hand_out(old: Channel, table_fd: int, tmp_path: Path, **changed: object) -> None:
    details = {"protocol": PROTOCOL, "version": "0.0.9", "pid": 7, "slots": [3, 4, 5], "side_pids": [NOBODY]}
    pid_file = os.open(tmp_path / "pid", os.O_RDWR | os.O_CREAT)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listeners = [("gproxy", "127.0.0.1:0", 0)]
        old.say(
            Word.ESTATE,
            [listener.fileno(), table_fd, pid_file],
            **{"listeners": listeners, **details, **changed},
        )
    os.close(pid_file)


@pytest.fixture
def found(old: Channel, tmp_path: Path) -> Iterator[Predecessor]:
    """A predecessor with a table of 64 slots."""
    table = Table.create(64, 8)
    hand_out(old, table.fd, tmp_path)
    table.close()
    predecessor = Predecessor.from_environment()
    assert predecessor is not None
    yield predecessor
    for _, listener in predecessor.listeners:
        listener.close()
    os.close(predecessor.pid_file_fd)
    predecessor.channel.close()


def test_a_usual_start_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert Predecessor.from_environment() is None


def test_everything_that_is_handed_over_arrives_as_a_loan(found: Predecessor) -> None:
    ((section, listener),) = found.listeners
    assert (section, listener.bind, listener.is_lent) == ("gproxy", "127.0.0.1:0", True)
    assert listener.socket.getblocking() is False
    with socket.create_connection(listener.socket.getsockname()[:2]):
        accepted, _ = listener.socket.accept()
        accepted.close()
    assert (found.pid, found.version, found.slots) == (7, "0.0.9", {3, 4, 5})
    os.close(found.table_fd)


@pytest.mark.parametrize(("workers", "is_taken"), [(3, True), (4, False)])
def test_the_memory_is_taken_when_its_free_slots_are_enough(
    found: Predecessor, workers: int, is_taken: bool, caplog: pytest.LogCaptureFixture
) -> None:
    table = found.table(workers)
    assert (table is not None) == is_taken
    if table:
        table.close()
    else:
        assert "begin anew: it has no room for 4 workers more" in caplog.text


def test_memory_of_another_kind_is_left_and_that_is_said(found: Predecessor, caplog: pytest.LogCaptureFixture) -> None:
    os.pwrite(found.table_fd, b"\xff", 8)
    assert found.table(1) is None
    assert "begin anew: layout version" in caplog.text


def test_its_words_are_taken_in(found: Predecessor, old: Channel) -> None:
    os.close(found.table_fd)
    found.listen(100.0)
    assert (found.has_left_sides, found.has_yielded) == (False, False)
    old.say(Word.SIDES)
    found.listen(100.0)
    assert (found.has_left_sides, found.has_yielded) == (True, False)
    old.say(Word.YOURS)
    found.listen(100.0)
    assert found.has_yielded
    assert not found.fail(["too late"])


def test_its_death_says_everything_once_its_sides_have_left(found: Predecessor, old: Channel) -> None:
    os.close(found.table_fd)
    found.side_pids = (NOBODY, os.getpid())
    old.close()
    found.listen(100.0)
    assert (found.has_left_sides, found.has_yielded) == (False, True)
    found.listen(100.0 + SIDE_LEAVE_S)
    assert not found.has_left_sides
    found.listen(100.1 + SIDE_LEAVE_S)
    assert found.has_left_sides
    assert not found.fail(["nobody is there to say it"])


def test_problems_are_left_to_the_old_one_to_tell(found: Predecessor, old: Channel) -> None:
    os.close(found.table_fd)
    assert found.fail(["this", "and that"])
    assert old.receive() == Message(Word.FAILED, {"reasons": ["this", "and that"]})


def test_another_protocol_is_refused_and_both_know(old: Channel, tmp_path: Path) -> None:
    null = os.open("/dev/null", os.O_RDONLY)
    hand_out(old, null, tmp_path, protocol=PROTOCOL + 1)
    os.close(null)
    with pytest.raises(NoEstate, match=f"hands over in way {PROTOCOL + 1}"):
        Predecessor.from_environment()
    message = eventually(old.receive)
    assert message.word is Word.FAILED


def test_nothing_handed_over_is_an_error(old: Channel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ESTATE_WITHIN_S", 0.05)
    began_s = time.monotonic()
    with pytest.raises(NoEstate, match="hands nothing over"):
        Predecessor.from_environment()
    assert time.monotonic() - began_s < 5

import os
from pathlib import Path

from gproxy.shared.span_queue import MOST_BYTES, SpanReceiver, SpanSender


def test_messages_arrive_in_order(tmp_path: Path) -> None:
    receiver, sender = SpanReceiver(tmp_path), SpanSender(tmp_path)
    large = b"x" * (MOST_BYTES - 1)
    assert sender.send(b"one")
    assert sender.send(large)
    assert [receiver.receive(1), receiver.receive(1), receiver.receive(0.01)] == [b"one", large, b""]
    sender.close()
    receiver.close()


def test_nobody_waits_for_a_monitor_that_is_away_or_slow(tmp_path: Path) -> None:
    sender = SpanSender(tmp_path)
    assert not sender.send(b"nobody is there")
    receiver = SpanReceiver(tmp_path)
    sent = 0
    while sender.send(b"nobody reads"):
        sent += 1
    assert 0 < sent < 10_000
    receiver.close()
    assert not sender.send(b"nobody is there any more")
    sender.close()


def test_a_later_monitor_takes_over(tmp_path: Path) -> None:
    first, sender = SpanReceiver(tmp_path), SpanSender(tmp_path)
    second = SpanReceiver(tmp_path)
    assert sender.send(b"news")
    assert (first.receive(0.01), second.receive(1)) == (b"", b"news")
    for end in (first, second, sender):
        end.close()


def test_the_path_may_be_long_and_is_private(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 40)
    folder.mkdir()
    receiver, sender = SpanReceiver(folder), SpanSender(folder)
    assert sender.send(b"far")
    assert receiver.receive(1) == b"far"
    assert os.stat(folder / "spans.sock").st_mode & 0o777 == 0o600
    receiver.close()
    sender.close()

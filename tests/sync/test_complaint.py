import logging

import pytest

from gproxy.sync.complaint import REPEAT_FIRST_S, RETRY_FIRST_S, RETRY_MOST_S, Complaint


@pytest.fixture
def complaint(caplog: pytest.LogCaptureFixture) -> Complaint:
    caplog.set_level(logging.INFO)
    return Complaint("cannot follow the store", jitter=lambda: 1.0)


def test_a_lasting_trouble_is_said_once_then_at_growing_intervals(
    complaint: Complaint, caplog: pytest.LogCaptureFixture
) -> None:
    for second in range(3600):
        complaint.raise_("no such file", float(second))
    assert caplog.messages == ["cannot follow the store: no such file"] * len(caplog.messages)
    said = [getattr(record, "for_s", 0) for record in caplog.records]
    assert said[:5] == [0, REPEAT_FIRST_S, 3 * REPEAT_FIRST_S, 7 * REPEAT_FIRST_S, 15 * REPEAT_FIRST_S]
    assert len(said) < 15


def test_another_reason_is_said_at_once(complaint: Complaint, caplog: pytest.LogCaptureFixture) -> None:
    complaint.raise_("missing", 0.0)
    complaint.raise_("damaged", 1.0)
    complaint.raise_("damaged", 2.0)
    assert [message.rpartition(" ")[2] for message in caplog.messages] == ["missing", "damaged"]


def test_the_end_is_said_once_and_a_new_trouble_is_new(complaint: Complaint, caplog: pytest.LogCaptureFixture) -> None:
    complaint.settle(0.0)
    assert caplog.messages == []
    complaint.raise_("missing", 1.0)
    assert complaint.is_standing
    complaint.settle(3.5)
    complaint.settle(4.0)
    complaint.raise_("missing", 5.0)
    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO", "ERROR"]
    assert caplog.records[1].after_s == 2.5  # type: ignore[attr-defined]


def test_pauses_grow_up_to_a_bound_and_begin_anew(complaint: Complaint) -> None:
    assert complaint.wait_s(0.0) == 0.0
    pauses = []
    for _ in range(8):
        complaint.raise_("missing", 0.0)
        pauses.append(complaint.wait_s(0.0))
    assert pauses[:3] == [RETRY_FIRST_S, 2 * RETRY_FIRST_S, 4 * RETRY_FIRST_S]
    assert pauses[-1] == RETRY_MOST_S
    complaint.settle(1.0)
    assert complaint.wait_s(1.0) == 0.0
    complaint.raise_("missing", 2.0)
    assert complaint.wait_s(2.0) == pytest.approx(RETRY_FIRST_S)


def test_pauses_are_jittered() -> None:
    shortest = Complaint("x", jitter=lambda: 0.0)
    shortest.raise_("missing", 0.0)
    assert shortest.wait_s(0.0) == RETRY_FIRST_S / 2

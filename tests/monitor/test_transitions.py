import logging

import pytest

from gproxy.core.health import Health, Pace, State
from gproxy.core.health_check import Check
from gproxy.core.snapshot import Endpoint
from gproxy.monitor.health import Subject
from gproxy.monitor.targets import Target
from gproxy.monitor.transitions import announce


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (State.UNKNOWN, State.UP, []),
        (State.UNKNOWN, State.DOWN, [("WARNING", "a server is down")]),
        (State.UP, State.DOWN, [("WARNING", "a server is down")]),
        (State.DOWN, State.UP, [("INFO", "a server is up again")]),
    ],
)
def test_the_log(before: State, after: State, said: list[tuple[str, str]], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    target = Target("u1", 0, 1, Endpoint("127.0.0.1", 80, "", None), Check(Pace(5, 3, 2, 3), None), {})
    subject = Subject(target, Health(after, 0), 0)
    subject.fault = "no answer within 3 s" if after is State.DOWN else ""
    announce(subject, before)
    assert [(record.levelname, record.message) for record in caplog.records] == said
    for record in caplog.records:
        assert (record.server, record.address) == ("u1", "127.0.0.1:80")  # type: ignore[attr-defined]
        assert getattr(record, "reason", "") == subject.fault

import pytest

from gproxy.worker.phases import Phases, phases_of, phases_so_far
from tests.worker.stage import Stage


class Clock:
    now = 100.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("gproxy.worker.phases.monotonic", lambda: clock.now)
    return clock


def test_phases_add_up(clock: Clock) -> None:
    phases = Phases()
    for took_s in (1, 2):
        phases.begin("Q")
        clock.now += took_s
        phases.end()
    assert (phases.took_s("Q", clock.now), phases.took_s("R", clock.now), phases.current) == (3, 0, "")
    assert phases.ready == phases.ended == clock.now
    phases.begin("C")
    clock.now += 4
    assert (phases.current, phases.took_s("C", clock.now)) == ("C", 4)
    phases.end()
    assert (phases.ended, phases.ready) == (clock.now, clock.now - 4)


def test_an_attempt_begins_when_it_has_waited_enough(stage: Stage, clock: Clock) -> None:
    stage.proxy_to("127.0.0.1:1")
    exchange = stage.exchange()
    assert phases_so_far(exchange).earlier == []
    (server,) = stage.runtime.snapshot.clusters["c"].members  # type: ignore[union-attr]
    exchange.server, exchange.attempted = server, clock.now
    phases = phases_of(exchange)
    phases.begin("Q")
    clock.now += 1
    phases.end()
    phases.begin("C")
    clock.now += 2
    phases.give_up(exchange, 0, "bad_upstream", "refused")
    assert phases_so_far(exchange) is phases
    assert phases.earlier == [(server, 0, "bad_upstream", "refused", clock.now - 2, clock.now, b"")]
    assert (phases.current, phases.took_s("C", clock.now), phases.took_s("Q", clock.now)) == ("", 0, 1)

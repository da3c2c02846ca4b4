"""The prober over a table of its own: with answers made up by the test, and against real servers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import gevent
import pytest

from gproxy.core.backends import Endpoint
from gproxy.core.health import FLAPPING, VALID_BEYOND_S, Pace, State
from gproxy.core.health_check import Check, Fault, compile_check
from gproxy.core.model import normalised
from gproxy.core.model.protection import HealthCheck
from gproxy.monitor.health import MOST_AT_A_TIME, Prober, Subject
from gproxy.monitor.probe import Transcript, probe, wall_ms
from gproxy.monitor.targets import Target
from gproxy.shared import layout
from gproxy.shared.health import NOTHING, HealthCells, Verdict
from gproxy.shared.table import Table, now_ms
from tests.harness.backend import ScriptedBackend
from tests.harness.exchange import Exchange

FAST = Pace(interval_s=0.02, timeout_s=1, rise=2, fall=3)
NEVER_AGAIN = Pace(interval_s=1000, timeout_s=1, rise=2, fall=3)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"


def target(name: str = "a", row: int = 0, port: int = 1, pace: Pace = FAST, identity: int = 0) -> Target:
    return Target(name, row, identity or hash((name, port)) % 2**63 + 1, _at(port), Check(pace, None), {})


def _at(port: int) -> Endpoint:
    return Endpoint("127.0.0.1", port, "", None)


def by_name(*targets: Target) -> dict[str, Target]:
    return {each.name: each for each in targets}


def eventually(condition: Callable[[], Any], within_s: float = 10) -> Any:
    """Return the first truthy result of `condition`, letting the loop run meanwhile."""
    give_up = monotonic() + within_s
    while not (result := condition()):
        assert monotonic() < give_up, condition
        gevent.sleep(0.002)
    return result


@dataclass
class Bench:
    """A prober whose servers answer what `well` says, by port (well unless it says otherwise)."""

    table: Table
    well: dict[int, bool] = field(default_factory=dict)
    asked: Counter[int] = field(default_factory=Counter)
    begun: list[float] = field(default_factory=list)
    told: list[tuple[str, State, State, str]] = field(default_factory=list)
    gate: Callable[[int], None] = lambda port: None

    def __post_init__(self) -> None:
        self.cells = HealthCells(self.table)
        self.prober = Prober(self.cells, self.tell, self.ask, lambda: 0.5)
        self.prober.start()

    def ask(self, endpoint: Endpoint, check: Check) -> Transcript:
        self.asked[endpoint.port] += 1
        self.begun.append(monotonic())
        self.gate(endpoint.port)
        transcript = Transcript(wall_ms())
        if not self.well.get(endpoint.port, True):
            transcript.fail(Fault.STATUS, "status 500, expected 200")
        return transcript

    def tell(self, subject: Subject, before: State) -> None:
        self.told.append((subject.target.name, before, subject.health.state, subject.fault))

    def subject(self, name: str = "a") -> Subject:
        return self.prober.subjects[name]

    def follow(self, *targets: Target) -> None:
        self.prober.follow(by_name(*targets))


@pytest.fixture
def bench() -> Iterator[Bench]:
    table = Table.create(2, rows=2048)
    table.cells[layout.ROWS_USED] = 2048
    made = Bench(table)
    yield made
    made.prober.stop()
    table.close()


def test_a_server_that_fails_goes_down_and_comes_up_again(bench: Bench) -> None:
    bench.well[1] = False
    bench.follow(target())
    eventually(lambda: bench.cells.read(0).state == layout.HEALTH_DOWN)
    assert bench.asked[1] == 3
    assert bench.told == [("a", State.UNKNOWN, State.DOWN, "status 500, expected 200")]
    assert bench.subject().fault == "status 500, expected 200"
    bench.well[1] = True
    eventually(lambda: bench.cells.read(0).state == layout.HEALTH_UP)
    assert bench.told[1:] == [("a", State.DOWN, State.UP, "")]
    last_failure = bench.subject().last_failure
    assert last_failure is not None
    assert last_failure.kind is Fault.STATUS


def test_what_the_cells_say(bench: Bench) -> None:
    bench.follow(target(pace=NEVER_AGAIN, identity=77))
    eventually(lambda: bench.cells.read(0).identity)
    verdict = bench.cells.read(0)
    assert (verdict.identity, verdict.state, verdict.flips) == (77, layout.HEALTH_UP, 0)
    assert abs(verdict.changed_ms - wall_ms()) < 5_000
    valid_s = (verdict.valid_until_ms - now_ms()) / 1000
    assert valid_s == pytest.approx(3 * (1000 + 1) + VALID_BEYOND_S, abs=5)
    assert bench.cells.generation == 1


def test_first_checks_spread_over_the_first_second(bench: Bench) -> None:
    began = monotonic()
    bench.follow(*(target(f"s{n}", n, port=n + 1, pace=NEVER_AGAIN) for n in range(20)))
    eventually(lambda: len(bench.begun) == 20)
    at = [begun - began for begun in bench.begun]
    assert at[0] < 0.2
    assert [round(after, 2) for after in at] == pytest.approx([n / 20 for n in range(20)], abs=0.2)


def test_nothing_spins(bench: Bench) -> None:
    """A server that refuses at once is asked as often as the pace says, and less and less."""
    bench.well[1] = False
    began = monotonic()
    bench.follow(target())
    eventually(lambda: monotonic() > began + 1)
    assert 5 <= bench.asked[1] <= 9  # at 0, 20, 40 ms, then 20, 40, 80, 160, 320, 640 ms apart


def test_so_many_at_a_time_and_no_more(bench: Bench) -> None:
    open_gate = gevent.event.Event()
    bench.gate = lambda port: open_gate.wait() and None
    count = MOST_AT_A_TIME + 50
    began = monotonic()
    bench.follow(*(target(f"s{n}", n, port=n + 1, pace=NEVER_AGAIN) for n in range(count)))
    eventually(lambda: len(bench.begun) == MOST_AT_A_TIME)
    eventually(lambda: monotonic() > began + 1.1)  # all are due
    assert len(bench.begun) == MOST_AT_A_TIME
    open_gate.set()
    eventually(lambda: len(bench.cells.known_rows()) == count)
    assert set(bench.asked.values()) == {1}


def test_a_check_that_fails_by_itself_is_no_result(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    def broken(port: int) -> None:
        raise KeyError("a mistake of ours")

    bench.gate = broken
    bench.follow(target())
    eventually(lambda: bench.asked[1] > 4)
    assert bench.cells.read(0) == NOTHING
    assert bench.subject().health.state is State.UNKNOWN
    assert "a health check failed by itself" in caplog.text
    bench.gate = lambda port: None
    eventually(lambda: bench.cells.read(0).state == layout.HEALTH_UP)


def test_a_new_configuration_keeps_what_is_known(bench: Bench) -> None:
    bench.well[1] = False
    bench.follow(target())
    eventually(bench.cells.down_rows)
    before = bench.subject()
    bench.follow(target(pace=Pace(5, 1, 2, 3)), target("b", 1, port=2))
    assert bench.subject() is before
    assert before.target.check.pace.interval_s == 5
    eventually(lambda: bench.cells.read(1).state == layout.HEALTH_UP)
    assert bench.cells.down_rows() == [0]


def test_a_shorter_interval_holds_at_once(bench: Bench) -> None:
    bench.follow(target(pace=NEVER_AGAIN))
    eventually(lambda: bench.asked[1] == 1 and bench.subject().last)
    bench.follow(target())
    eventually(lambda: bench.asked[1] > 3)


def test_another_address_is_a_fresh_start(bench: Bench) -> None:
    bench.well[1] = False
    bench.follow(target())
    eventually(bench.cells.down_rows)
    generation = bench.cells.generation
    bench.follow(target(port=2))
    assert bench.cells.read(0) == NOTHING
    assert bench.cells.generation == generation + 1
    eventually(lambda: bench.cells.read(0).state == layout.HEALTH_UP)
    asked = bench.asked[1]
    eventually(lambda: bench.asked[2] > 10)
    assert bench.asked[1] == asked


def test_a_server_that_is_not_checked_any_more(bench: Bench) -> None:
    bench.well[1] = False
    bench.follow(target(), target("b", 1, port=2))
    eventually(lambda: bench.cells.known_rows() == [0, 1])
    bench.follow(target("b", 1, port=2))
    assert bench.cells.known_rows() == [1]
    assert list(bench.prober.subjects) == ["b"]
    asked, others = bench.asked[1], bench.asked[2]
    eventually(lambda: bench.asked[2] > others + 10)
    assert bench.asked[1] == asked


def test_a_check_that_is_under_way_when_its_server_goes_changes_nothing(bench: Bench) -> None:
    gate = gevent.event.Event()
    bench.gate = lambda port: gate.wait() and None
    bench.follow(target())
    eventually(lambda: bench.asked[1])
    bench.follow(target("b", 1, port=2))
    gate.set()
    eventually(lambda: bench.asked[2] > 10)
    assert bench.cells.known_rows() == [1]
    assert bench.asked[1] == 1


@pytest.mark.parametrize(
    ("verdict", "state", "flips"),
    [
        (Verdict(77, layout.HEALTH_DOWN, 0, 4, 2**62), State.DOWN, 4),
        (Verdict(77, layout.HEALTH_UP, 0, 4, 2**62), State.UP, 4),
        (Verdict(78, layout.HEALTH_DOWN, 0, 4, 2**62), State.UNKNOWN, 0),
        (Verdict(77, layout.HEALTH_DOWN, 0, 4, 1), State.UNKNOWN, 0),
    ],
    ids=["down", "up", "of_another_address", "too_old"],
)
def test_a_restarted_monitor_goes_on(bench: Bench, verdict: Verdict, state: State, flips: int) -> None:
    bench.cells.write(0, verdict)
    bench.follow(target(identity=77, pace=NEVER_AGAIN))
    assert bench.subject().health.state is state
    assert bench.subject().flips == flips
    if state is not State.UNKNOWN:
        assert bench.cells.read(0) == verdict, "the workers go on with it until there is news"
        assert monotonic() - bench.subject().health.since_s > 1_000_000


def test_a_server_found_down_needs_to_rise(bench: Bench) -> None:
    bench.cells.write(0, Verdict(77, layout.HEALTH_DOWN, wall_ms(), 0, now_ms() + 60_000))
    bench.follow(target(identity=77))
    eventually(lambda: bench.told)
    assert bench.asked[1] == 2
    assert bench.told == [("a", State.DOWN, State.UP, "")]


def test_what_a_former_owner_left_is_cleared(bench: Bench) -> None:
    bench.cells.write(5, Verdict(1, layout.HEALTH_DOWN, 0, 0, 2**62))
    bench.follow(target())
    assert bench.cells.read(5) == NOTHING


# -- real servers ---------------------------------------------------------------------------------------------


@pytest.fixture
def backend() -> Iterator[ScriptedBackend]:
    with ScriptedBackend([OK]) as made:
        yield made


def real(backend: ScriptedBackend, **fields: Any) -> Target:
    check = compile_check(
        normalised(HealthCheck.model_validate({"interval_s": 0.1, "timeout_s": 0.1} | fields)), b"Host: a\r\n"
    )
    assert check is not None
    return Target("a", 0, 77, _at(backend.port), check, {})


@pytest.fixture
def prober(bench: Bench) -> Prober:
    bench.prober.stop()
    bench.prober = Prober(bench.cells, bench.tell, probe, lambda: 0.5)
    bench.prober.start()
    return bench.prober


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        ([b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"], "status 503, expected 200"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nNO"], "the body does not match 'OK'"),
        ([Exchange.wait_gone], "no answer within 0.1 s"),
        ([Exchange.close], "closed without an answer"),
    ],
    ids=["status", "body", "slow", "closes"],
)
def test_real_servers_fall_and_rise(
    bench: Bench, prober: Prober, backend: ScriptedBackend, wrong: Any, fault: str
) -> None:
    prober.follow(by_name(real(backend, expect_body="OK")))
    eventually(lambda: bench.cells.read(0).state == layout.HEALTH_UP)
    backend.default = wrong
    eventually(lambda: bench.cells.read(0).state == layout.HEALTH_DOWN)
    assert bench.subject().fault == fault
    backend.default = [OK]
    eventually(lambda: bench.cells.read(0).state == layout.HEALTH_UP)
    assert [(before, after) for _, before, after, _ in bench.told] == [
        (State.UNKNOWN, State.UP),
        (State.UP, State.DOWN),
        (State.DOWN, State.UP),
    ]


def test_a_real_server_that_flaps_is_seen_to(bench: Bench, prober: Prober, backend: ScriptedBackend) -> None:
    for _ in range(6):
        backend.play(OK)
        backend.play(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
    prober.follow(by_name(real(backend)))
    subject = bench.subject()
    eventually(lambda: subject.health.is_flapping(monotonic()))
    assert subject.health.state is State.UP
    eventually(lambda: bench.cells.read(0).flips >= FLAPPING)


def test_a_check_that_somebody_asks_for_comes_at_once_and_counts(bench: Bench) -> None:
    bench.follow(target(pace=NEVER_AGAIN))
    eventually(lambda: bench.subject().last)
    assert bench.prober.check_now("a").last is bench.subject().last
    assert bench.asked[1] == 1, "it has just been asked"
    bench.subject().last = None
    bench.well[1] = False
    checked = bench.prober.check_now("a")
    assert checked.last is not None
    assert (bench.asked[1], checked.last.fault) == (2, "status 500, expected 200")
    assert checked.health.in_a_row == -1
    assert checked.due_s > monotonic() + 500, "the next one comes in its time"
    with pytest.raises(KeyError):
        bench.prober.check_now("b")


def test_who_asks_while_a_check_is_going_on_gets_that_one(bench: Bench) -> None:
    going_on = gevent.event.Event()
    bench.gate = lambda port: going_on.wait()
    bench.follow(target(pace=NEVER_AGAIN))
    eventually(lambda: bench.asked[1])
    askers = [gevent.spawn(bench.prober.check_now, "a") for _ in range(3)]
    gevent.sleep(0.01)
    going_on.set()
    assert all(asker.get(timeout=5).last is bench.subject().last is not None for asker in askers)
    assert bench.asked[1] == 1

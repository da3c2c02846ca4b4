"""The shared circuit of several workers against one list of everything (circuit_model), and its parts one by one."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gproxy.core.breaker import Breaker, Cause, State
from gproxy.shared import layout
from gproxy.shared.circuit import SharedCircuit, Trial
from gproxy.shared.circuits import Circuits, Move, read
from gproxy.shared.table import Table
from tests.core.breakers import breaker
from tests.shared.circuit_model import Asked, Model

S = 1_000_000
ROW = 3
WITHIN_US = 2 * S


class Node:
    """Some workers that share one circuit, all in this process; moves are noted in `told`."""

    def __init__(self, rules: Breaker, workers: int = 3) -> None:
        self.rules = rules
        self.table = Table.create(slots=8, rows=8)
        self.told: list[Move] = []
        self.now_us = 1000 * S
        self.workers: list[Circuits] = []
        for slot in range(workers):
            self.table.claim(slot)
            self.workers.append(Circuits(self.table, slot, self.told.append))

    def circuit(self, worker: int) -> SharedCircuit:
        return self.workers[worker].circuit(ROW, self.rules)

    def enter(self, worker: int = 0) -> Trial | None:
        return self.circuit(worker).enter(self.now_us, WITHIN_US)

    def pass_one(self, worker: int = 0) -> Trial:
        trial = self.enter(worker)
        assert trial is not None
        return trial

    def succeed(self, worker: int = 0) -> None:
        self.pass_one(worker).succeeded(0, self.now_us)

    def fail(self, worker: int = 0) -> None:
        self.pass_one(worker).failed(0, self.now_us)

    def restart(self, worker: int) -> None:
        """The worker dies where it stands; a new process takes its slot."""
        self.table.release(worker)
        self.table.claim(worker)
        self.workers[worker] = Circuits(self.table, worker, self.told.append)

    def states(self) -> list[State]:
        return [self.circuit(worker).look().state for worker in range(len(self.workers))]

    def causes(self) -> list[Cause]:
        return [move.cause for move in self.told]


RULES = st.builds(
    breaker,
    consecutive_failures=st.integers(1, 6),
    failure_percent=st.sampled_from([0, 30, 50]),
    min_requests=st.integers(1, 12),
    window_s=st.sampled_from([1, 10]),
    slow_s=st.just(1),
    slow_percent=st.just(60),
    open_s=st.sampled_from([0.5, 3]),
    max_open_s=st.just(10),
    half_open_percent=st.sampled_from([1, 25, 40, 100]),
    half_open_successes=st.integers(1, 4),
)


class SharedCircuitAgreesWithTheModel(RuleBasedStateMachine):
    """Whichever worker does what: the circuit of the node is the model's, and every worker sees it."""

    @initialize(rules=RULES)
    def begin(self, rules: Breaker) -> None:
        self.node = Node(rules)
        self.model = Model(rules)
        self.open: list[tuple[Trial, Asked]] = []

    @rule(worker=st.integers(0, 2))
    def ask(self, worker: int) -> None:
        trial, asked = self.node.enter(worker), self.model.enter(worker, self.node.now_us, WITHIN_US)
        assert (trial is None) == (asked is None)
        if trial is not None and asked is not None:
            assert (trial.due_us, trial.epoch) == (asked.due_us, asked.epoch)
            self.open.append((trial, asked))

    @precondition(lambda self: self.open)
    @rule(data=st.data(), is_good=st.booleans(), took_us=st.sampled_from([0, 0, 0, S - 1, S]))
    def answer(self, data: st.DataObject, is_good: bool, took_us: int) -> None:
        trial, asked = self.open.pop(data.draw(st.integers(0, len(self.open) - 1)))
        (trial.succeeded if is_good else trial.failed)(took_us, self.node.now_us)
        self.model.result(asked, is_good, took_us, self.node.now_us)

    @rule(worker=st.integers(0, 2), times=st.integers(1, 8), is_good=st.booleans())
    def ask_and_answer(self, worker: int, times: int, is_good: bool) -> None:
        for _ in range(times):
            trial, asked = self.node.enter(worker), self.model.enter(worker, self.node.now_us, WITHIN_US)
            if trial is not None and asked is not None:
                (trial.succeeded if is_good else trial.failed)(0, self.node.now_us)
                self.model.result(asked, is_good, 0, self.node.now_us)

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        trial, asked = self.open.pop(data.draw(st.integers(0, len(self.open) - 1)))
        trial.abandoned()
        self.model.left(asked)

    @rule(worker=st.integers(0, 2))
    def die(self, worker: int) -> None:
        """A worker that comes back has none of the probes of the one before: their places are free."""
        for asked in [probe for probe in self.model.pending if probe.worker == worker]:
            self.model.left(asked)
        self.node.restart(worker)
        self.open = [item for item in self.open if item[1].worker != worker]

    @rule(pause_us=st.sampled_from([1, 1000, 100_000, S, 2 * S, 5 * S, 20 * S]))
    def wait(self, pause_us: int) -> None:
        self.node.now_us += pause_us

    @invariant()
    def is_what_the_model_says(self) -> None:
        if hasattr(self, "node"):
            assert [self.node.circuit(worker).look() for worker in range(3)] == [self.model.circuit] * 3
            assert read(self.node.table, ROW) == self.model.circuit

    @invariant()
    def every_move_was_told_once(self) -> None:
        if hasattr(self, "node"):
            assert self.node.causes() == self.model.moves
            assert [move.after.epoch for move in self.node.told] == list(range(1, len(self.node.told) + 1))


TestSharedCircuitAgreesWithTheModel = SharedCircuitAgreesWithTheModel.TestCase
TestSharedCircuitAgreesWithTheModel.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def opened(workers: int = 3, **fields: Any) -> Node:
    """Return a node whose circuit has just half-opened: the open time is over."""
    node = Node(breaker(consecutive_failures=1, open_s=1, **fields), workers)
    node.fail()
    node.now_us += S
    return node


def test_failures_in_a_row_are_those_of_all_workers() -> None:
    node = Node(breaker(consecutive_failures=5))
    for worker in (0, 1, 2, 1):
        node.fail(worker)
    assert node.states() == [State.CLOSED] * 3
    node.fail(0)
    assert node.states() == [State.OPEN] * 3
    (move,) = node.told
    assert (move.row, move.before.epoch, move.after.epoch) == (ROW, 0, 1)
    assert (move.cause, move.figures[0]) == (Cause.CONSECUTIVE_FAILURES, 5)
    assert node.enter(2) is None


def test_a_success_of_anybody_ends_the_row() -> None:
    node = Node(breaker(consecutive_failures=2))
    for worker in (0, 1, 0, 2):
        node.fail(worker)
        node.succeed(1)
    assert node.told == []


def test_two_workers_at_the_same_moment_make_one_move() -> None:
    """The second decides on what it saw before the first wrote: it finds that it has happened."""
    node = Node(breaker(consecutive_failures=1))
    first, second = node.pass_one(0), node.pass_one(1)
    first.failed(0, node.now_us)
    second.failed(0, node.now_us + 1)
    assert node.causes() == [Cause.CONSECUTIVE_FAILURES]
    assert node.circuit(1).look().since_us == node.now_us


def test_a_move_is_told_however_late_its_worker_looks() -> None:
    """Between its word and its look the worker was stopped, and the others went on."""
    node = Node(breaker(consecutive_failures=1, open_s=1))
    late = node.circuit(0)
    others_go_on = node.workers[0].announce

    def announce() -> None:
        others_go_on()
        node.workers[0].announce = others_go_on  # type: ignore[method-assign]
        node.now_us += S
        node.pass_one(1)

    node.workers[0].announce = announce  # type: ignore[method-assign]
    trial = late.enter(node.now_us, WITHIN_US)
    assert trial is not None
    trial.failed(0, node.now_us)
    assert sorted(node.causes()) == [Cause.CONSECUTIVE_FAILURES, Cause.OPEN_TIME_OVER]
    assert node.states() == [State.HALF_OPEN] * 3


def test_results_from_before_a_move_do_not_count() -> None:
    node = Node(breaker(consecutive_failures=1, open_s=1, half_open_successes=1))
    late = [node.pass_one(1) for _ in range(3)]
    node.fail(0)
    node.now_us += S
    late[0].failed(0, node.now_us)
    node.succeed(2)
    late[1].failed(0, node.now_us)
    late[2].succeeded(0, node.now_us)
    assert node.causes() == [Cause.CONSECUTIVE_FAILURES, Cause.OPEN_TIME_OVER, Cause.PROBES_SUCCEEDED]


@pytest.mark.parametrize("percent", [1, 10, 37, 100])
@pytest.mark.parametrize("spread", [[1, 1, 1, 1, 1, 1, 1, 1], [1, 0, 0, 0, 0, 0, 0, 0], [40, 8, 3, 1, 1, 1, 1, 1]])
def test_half_open_admits_its_percentage_of_all_workers_arrivals(percent: int, spread: Sequence[int]) -> None:
    node = opened(workers=8, half_open_percent=percent, half_open_successes=10_000)
    order = [worker for worker, times in enumerate(spread) for _ in range(times)]
    admitted = 0
    for arrival in range(1000):
        trial = node.enter(order[arrival * 7 % len(order)])
        if trial is not None:
            trial.succeeded(0, node.now_us)
            admitted += 1
    assert abs(admitted - 10 * percent) <= 1


def test_the_first_arrival_is_a_probe_wherever_it_comes() -> None:
    node = opened(half_open_percent=0.1)
    assert node.enter(2) is not None
    assert node.enter(0) is None


def test_a_probe_whose_client_left_gives_its_place_back() -> None:
    node = opened(half_open_percent=1)
    node.pass_one(0).abandoned()
    assert node.enter(1) is not None


def test_a_probe_that_hangs_frees_its_place_at_its_deadline() -> None:
    node = opened(half_open_percent=1)
    hanging = node.pass_one(0)
    node.now_us += WITHIN_US - 1
    assert node.enter(0) is None
    node.now_us += 1
    assert node.enter(0) is not None
    hanging.failed(0, node.now_us)
    assert node.causes()[-1] is Cause.PROBE_FAILED, "a late report is still a report"


def test_a_probe_of_a_worker_that_hangs_frees_its_place_at_its_deadline() -> None:
    node = opened(half_open_percent=1)
    node.pass_one(0)
    node.now_us += WITHIN_US
    assert node.enter(1) is None
    node.now_us += 1
    assert node.enter(1) is not None


def test_a_probe_of_a_worker_that_died_frees_its_place_with_the_next_worker() -> None:
    node = opened(half_open_percent=1)
    node.pass_one(0)
    node.restart(0)
    assert node.enter(0) is not None


def test_the_circuit_survives_its_workers() -> None:
    node = Node(breaker(consecutive_failures=2), workers=1)
    node.fail()
    node.restart(0)
    node.fail()
    node.restart(0)
    assert node.states() == [State.OPEN]


def test_a_row_given_to_another_server_begins_closed() -> None:
    node = Node(breaker(consecutive_failures=3))
    for worker in (0, 1, 2):
        node.fail(worker)
    assert node.states() == [State.OPEN] * 3
    node.table.cells[node.table.generation_cell(ROW)] += 1
    assert node.states() == [State.CLOSED] * 3
    assert read(node.table, ROW).epoch == 0
    node.fail(0)
    node.fail(1)
    assert node.states() == [State.CLOSED] * 3


def test_failures_of_a_former_owner_do_not_count() -> None:
    node = Node(breaker(consecutive_failures=2, failure_percent=50, min_requests=2))
    node.fail(0)
    node.table.cells[node.table.generation_cell(ROW)] += 1
    node.fail(1)
    assert node.states() == [State.CLOSED] * 3


def test_a_slow_probe_reopens() -> None:
    node = opened(slow_s=1, slow_percent=50)
    node.pass_one().succeeded(S, node.now_us)
    assert node.causes()[-1] is Cause.PROBE_SLOW


def test_success_number_ten_can_be_the_one_that_tells() -> None:
    """With `min_requests` reached by a success the failures before it count at once."""
    node = Node(breaker(consecutive_failures=100, failure_percent=50, min_requests=4))
    for worker in (0, 1, 2):
        node.fail(worker)
    node.succeed(1)
    assert node.causes() == [Cause.FAILURE_PERCENT]
    assert node.told[0].figures[:2] == (3, 4)


@given(
    RULES,
    st.lists(
        st.tuples(st.integers(0, S // 4), st.integers(0, 2 * S), st.sampled_from([True] * 9 + [False])), max_size=80
    ),
)
def test_a_success_in_passing_leaves_what_any_success_leaves(
    rules: Breaker, results: list[tuple[int, int, bool]]
) -> None:
    passing, plain = Node(rules, workers=1), Node(rules, workers=1)
    for gap_us, took_us, is_good in results:
        for node in (passing, plain):
            node.now_us += gap_us
            trial = node.enter()
            if trial is None:
                continue
            circuit = node.circuit(0)
            if not is_good:
                circuit.failed(trial, took_us, node.now_us)
            elif node is plain or not circuit.succeeded_in_passing(trial, took_us + 0.9, node.now_us + 0.9):
                circuit.succeeded(trial, took_us, node.now_us)
    assert passing.told == plain.told
    base = plain.table.breaker_base(0, ROW)
    assert (
        passing.table.cells[base : base + layout.BREAKER_CELLS] == plain.table.cells[base : base + layout.BREAKER_CELLS]
    )


def test_successes_in_passing_begin_when_a_slice_is_judged_and_end_with_it() -> None:
    node = Node(breaker(failure_percent=50, min_requests=2, window_s=16, slow_s=1, slow_percent=50), workers=1)
    circuit, trial = node.circuit(0), node.pass_one()

    def in_passing(took_us: float = 0.0) -> bool:
        return circuit.succeeded_in_passing(trial, took_us, node.now_us)

    assert not in_passing()
    for _ in range(2):
        node.succeed()
    assert in_passing()
    assert not in_passing(1.0 * S), "it was slow"
    node.now_us += S
    assert not in_passing(), "another slice has begun"

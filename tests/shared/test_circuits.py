import os
from time import monotonic

from gproxy.core.breaker import State
from gproxy.shared.circuits import Circuits, Move, is_ejected, now_us, read
from gproxy.shared.table import Table
from tests.core.breakers import breaker

RULES = breaker(consecutive_failures=50, open_s=100)


def circuits(table: Table, slot: int, told: list[Move]) -> Circuits:
    table.claim(slot)
    return Circuits(table, slot, told.append)


def test_nothing_new_is_one_glance() -> None:
    table = Table.create(slots=4, rows=8)
    mine = circuits(table, 0, [])
    before = mine.refresh()
    assert mine.refresh() == before
    other = circuits(table, 1, [])
    assert mine.refresh() == before + 1, "another worker takes part from now on"
    other.announce()
    assert mine.refresh() == before + 2


def test_only_slots_that_took_part_are_read() -> None:
    table = Table.create(slots=4, rows=8)
    mine = circuits(table, 2, [])
    circuits(table, 0, [])
    mine.refresh()
    assert mine.firsts == (table.breaker_base(0, 0), table.breaker_base(2, 0))


def test_a_circuit_keeps_what_it_knows_and_takes_new_rules() -> None:
    table = Table.create(slots=4, rows=8)
    mine = circuits(table, 0, [])
    circuit = mine.circuit(5, RULES)
    rules = breaker(consecutive_failures=1)
    mine.use({5: rules})
    assert mine.circuit(5, RULES) is circuit
    assert circuit.breaker is rules
    mine.use({4: RULES})
    assert mine.circuit(5, RULES) is not circuit


def test_another_process_sees_a_move_before_its_next_request() -> None:
    """Two processes, one failing: when one of them has said so, the other's very next look shows it."""
    table = Table.create(slots=4, rows=8)
    told: list[Move] = []
    mine = circuits(table, 0, told)
    circuit = mine.circuit(5, RULES)
    table.claim(1)
    said_read, said_write = os.pipe()
    if (pid := os.fork()) == 0:
        theirs = Circuits(table, 1, lambda move: None).circuit(5, RULES)
        for _ in range(50):
            trial = theirs.enter(now_us(), 1000)
            assert trial is not None
            trial.failed(0, now_us())
        os.write(said_write, b"!")
        os._exit(0)
    assert os.read(said_read, 1) == b"!"
    assert circuit.enter(now_us(), 1000) is None
    assert circuit.look().state is State.OPEN
    assert is_ejected(read(table, 5))
    assert os.waitpid(pid, 0)[1] == 0
    os.close(said_read)
    os.close(said_write)


def test_processes_that_race_make_and_tell_each_move_once() -> None:
    """Four processes fail, probe and succeed as fast as they can: epochs told by all of them have no gap."""
    table = Table.create(slots=8, rows=8)
    rules = breaker(consecutive_failures=3, open_s=0.05, max_open_s=0.05, half_open_percent=50, half_open_successes=2)
    children: list[tuple[int, int]] = []
    for slot in range(4):
        reader, writer = os.pipe()
        table.claim(slot)
        if (pid := os.fork()) == 0:
            told: list[Move] = []
            circuit = Circuits(table, slot, told.append).circuit(5, rules)
            until_s, number = monotonic() + 0.5, 0
            while monotonic() < until_s:
                trial = circuit.enter(now_us(), 1000)
                number += 1
                if trial is not None:
                    (trial.failed if number % 8 else trial.succeeded)(0, now_us())
            os.write(writer, " ".join(str(move.after.epoch) for move in told).encode())
            os._exit(0)
        os.close(writer)
        children.append((pid, reader))
    epochs: list[int] = []
    for pid, reader in children:
        assert os.waitpid(pid, 0)[1] == 0
        epochs += [int(epoch) for epoch in os.read(reader, 1 << 16).split()]
        os.close(reader)
    last = read(table, 5).epoch
    assert last >= 4
    assert set(epochs) == set(range(1, last + 1)), "no move is untold"
    assert len(epochs) - last <= last // 4, "and hardly any is told twice"

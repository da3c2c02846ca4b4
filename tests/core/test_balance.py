from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gproxy.core.balance import SmoothRoundRobin, better_of_two, by_chance, least_connections, share


@dataclass(frozen=True, slots=True)
class Server:
    name: str
    weight: int = 1


def servers(*weights: int) -> tuple[Server, ...]:
    return tuple(Server(chr(ord("a") + number), weight) for number, weight in enumerate(weights))


def picks(balancer: SmoothRoundRobin[Server], of: tuple[Server, ...], count: int) -> str:
    found = [balancer.pick(of) for _ in range(count)]
    return "".join(server.name if server else "-" for server in found)


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ((5, 1, 1), "aabacaaaabacaa"),
        ((1, 1, 1), "abcabc"),
        ((7, 7), "abab"),
        ((1,), "aaa"),
        ((3,), "aaa"),
        ((2, 1), "abaaba"),
        ((4, 2, 1), "abacaba"),
        ((1, 0, 1), "acac"),
        ((0, 0), "--"),
        ((0, 3), "bbb"),
        ((), "--"),
        ((1000, 1), "a" * 500 + "b" + "a" * 500 + "a"),
    ],
)
def test_sequences(weights: tuple[int, ...], expected: str) -> None:
    assert picks(SmoothRoundRobin(), servers(*weights), len(expected)) == expected


@pytest.mark.parametrize(
    ("weights", "start", "expected"),
    [((1, 1), 1, "baba"), ((1, 1, 1), 5, "cab"), ((5, 1, 1), 2, "bacaaaa"), ((1, 1), 64, "ab")],
)
def test_workers_begin_at_different_servers(weights: tuple[int, ...], start: int, expected: str) -> None:
    assert picks(SmoothRoundRobin(start), servers(*weights), len(expected)) == expected


def test_the_start_is_skipped_once_even_when_there_were_no_servers_at_first() -> None:
    balancer: SmoothRoundRobin[Server] = SmoothRoundRobin(1)
    assert balancer.pick(()) is None
    both = servers(1, 1)
    assert picks(balancer, both, 1) == "b"
    assert balancer.pick(()) is None
    assert picks(balancer, both, 1) == "a"


def naive(weights: tuple[int, ...], count: int) -> str:
    credits = [0] * len(weights)
    result = ""
    for _ in range(count):
        credits = [credit + weight for credit, weight in zip(credits, weights, strict=True)]
        best = max(range(len(weights)), key=lambda number: (credits[number], -number))
        credits[best] -= sum(weights)
        result += chr(ord("a") + best)
    return result


some_weights = st.lists(st.integers(1, 9), min_size=1, max_size=6).map(tuple)


@given(some_weights)
def test_agrees_with_the_plain_algorithm(weights: tuple[int, ...]) -> None:
    count = 2 * sum(weights) + 3
    assert picks(SmoothRoundRobin(), servers(*weights), count) == naive(weights, count)


@given(some_weights, st.integers(0, 100))
def test_shares_are_exact_over_every_period(weights: tuple[int, ...], start: int) -> None:
    balancer: SmoothRoundRobin[Server] = SmoothRoundRobin(start)
    period = sum(weights)
    sequence = picks(balancer, servers(*weights), 3 * period)
    expected = Counter({server.name: server.weight for server in servers(*weights)})
    for first in range(2 * period):
        assert Counter(sequence[first : first + period]) == expected


@given(some_weights)
def test_turns_are_spread_out(weights: tuple[int, ...]) -> None:
    # After any number of picks a server is at most (servers - 1) picks away from its exact share.
    period = sum(weights)
    sequence = picks(SmoothRoundRobin(), servers(*weights), period)
    for server in servers(*weights):
        for count in range(period + 1):
            ideal = count * server.weight / period
            assert abs(sequence[:count].count(server.name) - ideal) <= max(1, len(weights) - 1)


@given(some_weights, st.lists(st.integers(0, 20), max_size=5))
def test_a_new_list_of_the_same_servers_changes_nothing(weights: tuple[int, ...], pauses: list[int]) -> None:
    balancer: SmoothRoundRobin[Server] = SmoothRoundRobin()
    sequence = "".join(picks(balancer, servers(*weights), pause) for pause in [*pauses, 30])
    assert sequence == naive(weights, len(sequence))


def test_who_stays_keeps_its_turn_when_a_server_comes_or_goes() -> None:
    balancer: SmoothRoundRobin[Server] = SmoothRoundRobin()
    a, b, c = servers(1, 1, 1)
    assert picks(balancer, (a, b), 3) == "aba"
    # b has waited longest; the new one is treated as the average, so before a, which was just picked.
    assert picks(balancer, (a, b, c), 6) == "bcabca"
    assert picks(balancer, (b, c), 4) == "bcbc"
    assert picks(balancer, (Server("a", 2), b, c), 8).count("a") == 4


@given(st.lists(st.tuples(st.lists(st.integers(0, 1000), min_size=1, max_size=5).map(tuple), st.integers(0, 12))))
def test_changes_never_starve_or_favour_a_server_for_long(
    changes: list[tuple[tuple[int, ...], int]],
) -> None:
    balancer: SmoothRoundRobin[Server] = SmoothRoundRobin()
    for weights, count in changes:
        picks(balancer, servers(*weights), count)
    sequence = picks(balancer, last := servers(1, 2, 3), 60)
    for server in last:
        assert abs(sequence.count(server.name) - 10 * server.weight) <= 12


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_a_flapping_server_does_not_starve_the_others(flaps: list[bool]) -> None:
    balancer: SmoothRoundRobin[Server] = SmoothRoundRobin()
    a, b, c = servers(1, 1, 1)
    counts: Counter[str] = Counter()
    for is_up in flaps:
        counts.update(picks(balancer, (a, b, c) if is_up else (b, c), 1))
    assert abs(counts["b"] - counts["c"]) <= 2
    assert counts["a"] <= 1 + sum(flaps) / 2


def test_by_chance_goes_by_weight() -> None:
    of = servers(1, 0, 3)
    found = [by_chance(of, (), chance / 8) for chance in range(8)]
    assert "".join(server.name for server in found if server) == "aacccccc"
    assert by_chance(of, (of[2],), 0.99) == of[0]
    assert by_chance(of, of, 0.5) is None


def test_least_connections_goes_by_weight_and_by_chance_among_equals() -> None:
    of = servers(1, 2, 2)
    active = {"a": 1, "b": 2, "c": 3}
    assert least_connections(of, (), lambda server: active[server.name], 0.0) == of[0]
    assert least_connections(of, (), lambda server: active[server.name], 0.99) == of[1]
    assert least_connections(of, of[:2], lambda server: active[server.name], 0.0) == of[2]
    assert least_connections(of, of, lambda server: 0, 0.0) is None


def test_of_two_the_one_that_promises_to_answer_first() -> None:
    of = servers(1, 1)
    times: dict[str, float] = {"a": 1000, "b": 100}

    def pick(active: dict[str, int], chance: float = 0.0) -> Server | None:
        return better_of_two(of, (), lambda s: active[s.name], lambda s: times[s.name], (chance, 0.0))

    assert pick({"a": 0, "b": 0}) == of[1]
    assert pick({"a": 0, "b": 8}) == of[1]
    assert pick({"a": 0, "b": 10}) == of[0]
    times["b"] = 0
    assert pick({"a": 0, "b": 1}) == of[0], "an unknown time is taken for the other's"
    assert better_of_two(of[:1], (), lambda s: 0, lambda s: 0, (0.5, 0.5)) == of[0]
    assert better_of_two(of, of, lambda s: 0, lambda s: 0, (0.5, 0.5)) is None


def test_a_slow_start_goes_from_a_tenth_to_all() -> None:
    assert [share(age, 20) for age in (0, 1, 10, 19, 20, 100)] == [0.1, 0.1, 0.5, 0.95, 1, 1]
    assert share(0, 0) == 1

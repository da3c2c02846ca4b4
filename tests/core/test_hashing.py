from collections import Counter
from dataclasses import dataclass

import pytest

from gproxy.core.hashing import ALWAYS_FREE, ConsistentHash, most_in_flight, slot_of

KEYS = [b"user-%d" % number for number in range(6000)]


@dataclass(frozen=True, slots=True)
class Server:
    name: str
    weight: int = 1


TEN = tuple(Server(f"s{number}") for number in range(10))


def idle(server: Server) -> int:
    return 0


def owners(servers: tuple[Server, ...]) -> dict[bytes, str]:
    ring = ConsistentHash[Server](idle)
    found = {key: ring.pick(servers, key) for key in KEYS}
    return {key: server.name for key, server in found.items() if server is not None}


def test_keys_are_spread_by_weight() -> None:
    counts = Counter(owners(TEN).values())
    assert all(480 <= counts[server.name] <= 720 for server in TEN)
    weighted = Counter(owners((Server("a", 1), Server("b", 3), Server("c", 0))).values())
    assert 0.7 < weighted["b"] / len(KEYS) < 0.8
    assert weighted["c"] == 0


def test_removing_one_of_ten_servers_moves_its_keys_only() -> None:
    before, after = owners(TEN), owners(TEN[:3] + TEN[4:])
    moved = {key for key in KEYS if before[key] != after[key]}
    assert moved == {key for key in KEYS if before[key] == "s3"}
    assert 0.08 < len(moved) / len(KEYS) < 0.12
    heirs = Counter(after[key] for key in moved)
    assert len(heirs) == 9, "they spread over all others"


def test_the_order_of_servers_does_not_matter() -> None:
    assert owners(TEN) == owners(TEN[::-1])


def test_the_result_is_the_same_on_every_node_and_for_ever() -> None:
    found = owners(TEN)
    assert [found[key] for key in KEYS[:8]] == ["s1", "s1", "s6", "s3", "s9", "s5", "s1", "s4"]
    assert slot_of(b"user-0") == 27691


def test_avoided_servers_are_left_out_and_the_others_keys_stay() -> None:
    ring = ConsistentHash[Server](idle)
    for key in KEYS[:100]:
        own = ring.pick(TEN, key)
        assert own is not None
        second = ring.pick(TEN, key, (own,))
        assert second is not None
        assert second != own
        assert ring.pick(TEN, key, (second,)) == own
    assert ring.pick(TEN, b"x", TEN) is None
    assert ring.pick((), b"x") is None
    assert ring.pick((Server("a", 0),), b"x") is None


@pytest.mark.parametrize(
    ("weight", "total", "in_flight", "most"),
    [(1, 10, 1, ALWAYS_FREE), (1, 10, 64, ALWAYS_FREE), (1, 10, 1000, 125), (5, 10, 1000, 625), (1, 1, 100, 125)],
)
def test_how_much_a_server_may_have(weight: int, total: int, in_flight: int, most: int) -> None:
    assert most_in_flight(weight, total, in_flight) == most


def test_one_hot_key_never_overloads_its_server() -> None:
    active: Counter[str] = Counter()
    ring = ConsistentHash[Server](lambda server: active[server.name])
    for _ in range(1000):
        server = ring.pick(TEN, b"hot")
        assert server is not None
        active[server.name] += 1
    assert max(active.values()) <= 125
    assert max(active.values()) > 100, "it stays with few servers all the same"


def test_when_nobody_has_room_it_is_its_own_server() -> None:
    ring = ConsistentHash[Server](lambda server: 1000)
    assert ring.pick(TEN[:1], b"x") == TEN[0]

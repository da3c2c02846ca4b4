from typing import Any

from gadmin.fleet.timeline import COLUMNS, SECONDS, Timeline, merged
from gproxy.core.histogram import MIDDLES_US, bucket


def history(number: int, requests: list[int], us: int = 1000) -> dict[str, Any]:
    """Return what a node tells whose latest second is `number`; every request took `us`."""
    columns = {name: [0] * len(requests) for name in COLUMNS} | {"requests": requests, "active": [1] * len(requests)}
    return {**columns, "number": number, "times": [[bucket(us), count] if count else [] for count in requests]}


def test_overlapping_answers_become_one_line() -> None:
    timeline = Timeline()
    timeline.add(history(3, [1, 2, 3]), 100)
    timeline.add(history(5, [2, 3, 4, 5]), 102)
    assert {second: row[0][0] for second, row in timeline.rows.items()} == {98: 1, 99: 2, 100: 3, 101: 4, 102: 5}


def test_jitter_between_clocks_moves_nothing_but_drift_does() -> None:
    timeline = Timeline()
    timeline.add(history(3, [3]), 100)
    timeline.add(history(4, [4]), 102)  # a little late
    assert sorted(timeline.rows) == [100, 101]
    timeline.add(history(5, [5]), 110)
    assert timeline.rows[110][0][0] == 5


def test_a_node_that_began_anew_is_followed_from_there() -> None:
    timeline = Timeline()
    timeline.add(history(500, [7, 8]), 100)
    timeline.add(history(2, [1, 2]), 103)
    assert {second: row[0][0] for second, row in timeline.rows.items()} == {99: 7, 100: 8, 102: 1, 103: 2}


def test_what_is_too_old_is_forgotten() -> None:
    timeline = Timeline()
    timeline.add(history(1, [1]), 0)
    timeline.add(history(SECONDS + 1, [2]), SECONDS)
    assert sorted(timeline.rows) == [SECONDS]


def test_nodes_add_up_and_percentiles_come_from_all_requests() -> None:
    fast, slow = Timeline(), Timeline()
    fast.add(history(1, [99], us=1000), 50)
    slow.add(history(9, [1], us=500_000), 50)
    told = merged([fast, slow], 50, 2)
    assert told["requests"] == [None, 100]
    assert told["active"] == [None, 2]
    assert told["p50_ms"][1] == round(MIDDLES_US[bucket(1000)] / 1000, 3)
    assert told["p95_ms"][1] == told["p50_ms"][1], "an average of the two nodes would be 250 ms"
    assert told["p99_ms"][0] is None
    assert (told["end"], told["seconds"]) == (50, 2)


def test_a_heat_map_counts_by_half_octaves() -> None:
    timeline = Timeline()
    timeline.add(history(1, [3], us=10), 7)
    timeline.add(history(2, [4], us=1024), 8)
    (short, long) = merged([timeline], 8, 2)["heat"]
    assert short == [0, 3]
    assert long == [(bucket(1024) + 7) // 8, 4]

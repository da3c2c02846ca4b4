from collections import Counter

from scripts.long_run import table
from scripts.long_run.samples import Sample


def test_a_row_for_each_third_of_a_life_that_is_long_enough() -> None:
    worker = [Sample(60.0 * at, "worker", 1, (50 + at) << 20, 30, 2, 9, 10_000) for at in range(9)]
    master = [Sample(60.0 * at, "master", 2, 20 << 20, 10, 1) for at in range(3)]
    _, _, *rows = table.processes([*worker, *master], 5).splitlines()
    assert rows == [
        "| worker | 0 | 8 | first third | 51.0 MB | 30 | 2 | 9 | 10,000 |",
        "|  |  |  | second | 54.0 MB | 30 | 2 | 9 | 10,000 |",
        "|  |  |  | last | 57.0 MB | 30 | 2 | 9 | 10,000 |",
    ]
    assert "| master | 0 | 2 | first third | 20.0 MB | 10 | 1 |  |  |" in table.processes(master, 3)


def test_ends_of_requests_by_kind_most_frequent_first() -> None:
    ends = Counter({"GET: 502": 1, "GET: 200": 1500, "a: b: done": 3})
    assert table.requests(ends).splitlines()[2:] == ["| GET | 200 1,500, 502 1 |", "| a: b | done 3 |"]

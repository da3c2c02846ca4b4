import json

import pytest

from gproxy.store.nodes import Node, RunningWorker

WORKERS = (
    RunningWorker(0, 11, "accepting", 5),
    RunningWorker(1, 12, "starting", 0),
    RunningWorker(2, 13, "draining", 4),
    RunningWorker(3, 14, "accepting", 4),
)


def a_node(name: str = "n1", revision: int = 5, workers: tuple[RunningWorker, ...] = WORKERS) -> Node:
    return Node(name, "127.0.0.1:9900", "host", 10, "1.2", 1_000, 2_000, revision, workers, {"all": 1.5}, {"u1": 99})


def test_a_record_keeps_everything() -> None:
    assert Node.of(json.loads(json.dumps(a_node().document()))) == a_node()


def test_a_record_of_another_version_is_read_as_far_as_it_is_known() -> None:
    document = {**a_node().document(), "news": 1}
    del document["demand"]
    node = Node.of(document)
    assert node is not None
    assert (node.id, node.demand, node.open_ms) == ("n1", {}, {"u1": 99})


def test_what_is_no_record_is_none() -> None:
    for other in ({}, [], None, "x", {**a_node().document(), "workers": 3}, {**a_node().document(), "workers": [{}]}):
        assert Node.of(other) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[(field, 5) for field in ("id", "control", "host", "version", "inspection_key")],
        *[(field, "5") for field in ("pid", "started_ms", "written_ms", "revision", "has_left")],
        *[("demand", value) for value in ([], "x", None, {"a": "1"}, {"a": float("nan")}, {"a": -1}, {"a": True})],
        *[("open_ms", value) for value in (5, {"a": "1"}, {"a": float("inf")})],
        ("addresses", [5]),
        *[("id", value) for value in ("", "../x", "a/b", "<b>", "x" * 129)],
        ("workers", [{"slot": "0", "pid": 1, "state": "accepting", "revision": 1}]),
        ("workers", [{"slot": 0, "pid": 1, "state": 5, "revision": 1}]),
    ],
)
def test_what_means_something_else_is_no_record(field: str, value: object) -> None:
    assert Node.of({**a_node().document(), field: value}) is None


def test_workers_that_drain_are_never_behind() -> None:
    assert [worker.slot for worker in a_node().behind(5)] == [1, 3]
    assert [worker.slot for worker in a_node().behind(4)] == [1]


def test_a_node_that_leaves_runs_and_wants_nothing() -> None:
    left = a_node().left()
    assert (left.id, left.has_left, left.workers, left.demand, left.open_ms) == ("n1", True, (), {}, {})

from gproxy.store.applied import LOOK_S, wait_applied
from gproxy.store.nodes import Drain, Node, Registry, RunningWorker
from tests.store.test_nodes import a_node


class Scripted(Registry):
    """Shows a new list of nodes at each look; the last one for ever."""

    def __init__(self, *looks: list[Node]) -> None:
        self.looks = list(looks)
        self.now_s = 0.0

    def drains(self) -> dict[str, Drain]:
        raise NotImplementedError

    def drain(self, node: str, wish: Drain | None) -> None:
        raise NotImplementedError

    def announce(self, node: Node) -> None:
        raise NotImplementedError

    def records(self) -> list[Node]:
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def running(name: str, *revisions: int) -> Node:
    return a_node(name, 5, tuple(RunningWorker(n, n, "accepting", revision) for n, revision in enumerate(revisions)))


def waited(registry: Scripted, timeout_s: float = 1.0) -> tuple[int, int, list[str]]:
    applied = wait_applied(registry, 5, timeout_s, lambda: registry.now_s, registry.sleep)
    return applied.nodes, applied.workers, [str(straggler) for straggler in applied.stragglers]


def test_it_returns_as_soon_as_all_workers_run_the_revision_or_a_later_one() -> None:
    registry = Scripted([running("a", 4, 5), running("b", 5)], [running("a", 5, 5), running("b", 6)])
    assert waited(registry) == (2, 3, [])
    assert registry.now_s == LOOK_S


def test_stragglers_are_named_after_the_time() -> None:
    registry = Scripted([running("a", 4, 5), running("b"), running("c", 0)])
    assert waited(registry) == (
        *(3, 3),
        ["node a: worker 0 runs revision 4", "node b has no worker that runs a configuration"]
        + ["node c: worker 0 runs revision 0"],
    )
    assert 1.0 <= registry.now_s < 1.0 + 2 * LOOK_S


def test_who_has_left_is_not_waited_for() -> None:
    assert waited(Scripted([running("a", 5), running("b", 1).left()])) == (1, 1, [])


def test_without_nodes_there_is_nothing_to_wait_for() -> None:
    assert waited(Scripted([])) == (0, 0, [])

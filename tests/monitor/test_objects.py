from gproxy.core.events import Thing
from gproxy.monitor.objects import Named, objects
from gproxy.store.snapshot_file import render
from tests.monitor.figures import lines


def test_what_a_snapshot_names() -> None:
    found = objects(lines({"a": 3}, {"all": 7}, breaker={"open_s": 1}, routings={"beta": 5}))
    assert found == {
        3: Named(Thing.SERVER, "a", 3, False),
        5: Named(Thing.ROUTING, "beta", 5, False),
        7: Named(Thing.API, "all", 7, True),
    }


def test_the_circuit_breaker_of_a_cluster_is_one_of_each_of_its_servers() -> None:
    cluster = render("cluster", {"name": "c", "servers": ["a"], "circuit_breaker": {"open_s": 1}}, 3)
    found = objects([*lines({"a": 0, "b": 1}, {"a": 2}), cluster])
    assert [found[row].has_breaker for row in range(4)] == [True, False, False, False]
    assert found[3] == Named(Thing.CLUSTER, "c", 3, False)

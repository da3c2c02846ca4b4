from gproxy.core.events import Thing
from gproxy.monitor.objects import Named, objects
from tests.monitor.figures import lines


def test_what_a_snapshot_names() -> None:
    found = objects(lines({"a": 3}, {"all": 7}, breaker={"open_s": 1}, routings={"beta": 5}))
    assert found == {
        3: Named(Thing.SERVER, "a", 3, False),
        5: Named(Thing.ROUTING, "beta", 5, False),
        7: Named(Thing.API, "all", 7, True),
    }

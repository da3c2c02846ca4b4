from urllib.parse import parse_qs

import pytest

from gproxy.core.events import Thing
from gproxy.monitor.wanted import Wanted


def test_nothing_said_means_everything_and_the_history_of_the_node() -> None:
    assert Wanted.read({}) == Wanted("node", 600, "all", False)
    assert not Wanted.read({}).has_names


def test_a_query_says_how_much() -> None:
    names = "server=a&server=b&api=x&routing=r"
    wanted = Wanted.read(parse_qs(f"history=all&seconds=9000&objects=busy&buckets=true&{names}"))
    assert wanted == Wanted("all", 600, "busy", True, frozenset("ab"), frozenset("x"), frozenset("r"))
    assert wanted.has_names
    assert wanted.names(Thing.SERVER) == {"a", "b"}
    assert wanted.names(Thing.API) == {"x"}
    assert wanted.names(Thing.ROUTING) == {"r"}


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("history=some", "history is one of none, node, all"),
        ("objects=few", "objects is one of all, busy, none"),
        ("buckets=1", "buckets is one of false, true"),
        ("seconds=-1", "seconds is a number"),
    ],
)
def test_what_is_not_understood_is_said(query: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Wanted.read(parse_qs(query))

from urllib.parse import parse_qs

import pytest

from gproxy.core.events import Thing
from gproxy.monitor.wanted import Wanted


def test_nothing_said_means_everything_and_the_history_of_the_node() -> None:
    assert Wanted.read({}) == Wanted("node", 600, "all", False)
    assert not Wanted.read({}).has_names


def test_a_query_says_how_much() -> None:
    wanted = Wanted.read(parse_qs("history=all&seconds=9000&objects=busy&buckets=true&server=a&server=b&api=x"))
    assert wanted == Wanted("all", 600, "busy", True, frozenset("ab"), frozenset("x"))
    assert wanted.has_names
    assert wanted.names(Thing.SERVER) == {"a", "b"}
    assert wanted.names(Thing.API) == {"x"}


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

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gproxy.core.change import Change, described, diff, patched, summary

small = st.dictionaries(
    st.sampled_from(["server", "cluster"]),
    st.dictionaries(st.sampled_from("abc"), st.fixed_dictionaries({"weight": st.integers(0, 2)}), max_size=3),
)


def without_empty(objects: Any) -> dict[str, Any]:
    return {kind: documents for kind, documents in objects.items() if documents}


@given(small, small)
def test_the_difference_leads_there_and_back(before: Any, after: Any) -> None:
    changes = diff(before, after)
    assert without_empty(patched(before, changes)) == without_empty(after)
    assert without_empty(patched(after, [change.undone() for change in changes])) == without_empty(before)
    assert (changes == []) == (without_empty(before) == without_empty(after))


def test_each_object_and_field_has_its_line() -> None:
    before: dict[str, Any] = {
        "server": {
            "u1": {"name": "u1", "address": "a:1", "weight": 2},
            "u2": {"name": "u2", "address": "b:1"},
        },
        "api": {"all": {"name": "all", "nodes": [{"cluster": "c"}], "timeouts": {"total_s": 1.0}}},
    }
    after: dict[str, Any] = {
        "server": {
            "u1": {"name": "u1", "address": "a:1", "weight": 5},
            "u3": {"name": "u3", "address": "\u00e4:1"},
        },
        "api": {"all": {"name": "all", "nodes": [{"cluster": "d"}], "hosts": ["x.de"]}},
    }
    changes = diff(before, after)
    assert list(described(changes)) == [
        "~ server u1",
        "    ~ weight: 2 -> 5",
        "- server u2",
        '    - address: "b:1"',
        "+ server u3",
        '    + address: "\u00e4:1"',
        "~ api all",
        '    ~ nodes[0].cluster: "c" -> "d"',
        '    + hosts: ["x.de"]',
        "    - timeouts.total_s: 1.0",
    ]
    assert summary(changes) == "1 added, 2 changed, 1 removed"
    assert summary([]) == "nothing changed"


def test_an_object_without_fields_of_its_own_still_shows() -> None:
    assert list(described([Change("cluster", "c", None, {"name": "c"})])) == ["+ cluster c"]

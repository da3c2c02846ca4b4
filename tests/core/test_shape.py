import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gproxy.core.shape import Shape


def shaped(value: Any, select: Sequence[str] = (), rename: dict[str, str] | None = None) -> Any:
    shape = Shape.compiled(select, rename or {})
    assert shape is not None
    return json.loads(bytes(shape.apply(json.dumps(value).encode())))


USER = {"id": 7, "name": "Ada", "address": {"zip": "1", "city": "X"}, "orders": [{"no": 1, "sum": 2}, 5, {"sum": 3}]}


def test_nothing_to_do() -> None:
    assert Shape.compiled((), {}) is None


@pytest.mark.parametrize(
    ("select", "kept"),
    [
        (["id"], {"id": 7}),
        (["id", "name"], {"id": 7, "name": "Ada"}),
        (["name", "id"], {"id": 7, "name": "Ada"}),
        (["address"], {"address": USER["address"]}),
        (["address.zip"], {"address": {"zip": "1"}}),
        (["address", "address.zip"], {"address": USER["address"]}),
        (["address.zip", "address"], {"address": USER["address"]}),
        (["address.zip", "address.city", "id"], {"id": 7, "address": USER["address"]}),
        (["address.street"], {"address": {}}),
        (["orders.no"], {"orders": [{"no": 1}, 5, {}]}),
        (["nothing"], {}),
        (["id.deeper"], {}),
        (["id.deeper", "id"], {"id": 7}),
    ],
)
def test_select(select: list[str], kept: Any) -> None:
    assert shaped(USER, select) == kept


@pytest.mark.parametrize(
    ("rename", "fields"),
    [
        ({"id": "number"}, {"number": 7, "name": "x", "a": {"b": 1}}),
        ({"a.b": "c"}, {"id": 7, "name": "x", "a": {"c": 1}}),
        ({"a": "z", "a.b": "c"}, {"id": 7, "name": "x", "z": {"c": 1}}),
        ({"id": "name"}, {"name": 7, "a": {"b": 1}}),
        ({"name": "id"}, {"id": "x", "a": {"b": 1}}),
        ({"id": "name", "name": "id"}, {"id": "x", "name": 7, "a": {"b": 1}}),
        ({"nothing": "n"}, {"id": 7, "name": "x", "a": {"b": 1}}),
        ({"nothing.deep": "n"}, {"id": 7, "name": "x", "a": {"b": 1}}),
    ],
)
def test_rename(rename: dict[str, str], fields: Any) -> None:
    assert shaped({"id": 7, "name": "x", "a": {"b": 1}}, rename=rename) == fields


def test_both_go_by_the_names_that_the_server_uses() -> None:
    assert shaped(USER, ["address.zip", "id"], {"address.zip": "postcode", "id": "user"}) == {
        "user": 7,
        "address": {"postcode": "1"},
    }


def test_a_list_at_the_top_is_one_of_objects() -> None:
    assert shaped([{"id": 1, "x": 2}, {"x": 3}, 4, [{"id": 5}]], ["id"]) == [{"id": 1}, {}, 4, [{"id": 5}]]


@pytest.mark.parametrize("value", ["text", 5, None, True])
def test_what_is_no_object_stays(value: Any) -> None:
    assert shaped(value, ["id"], {"id": "x"}) == value


def test_values_stay_to_the_letter() -> None:
    shape = Shape.compiled(["n"], {})
    assert shape is not None
    assert shape.apply(b'{"n": 1.10,"m":2}') == b'{"n":1.10}'


def test_lists_in_lists_are_no_way_to_exhaust_the_stack() -> None:
    deep = b"[" * 900 + b"]" * 900
    shape = Shape.compiled(["a"], {})
    assert shape is not None
    assert json.loads(bytes(shape.apply(deep))) == json.loads(deep)


@given(st.dictionaries(st.sampled_from("abc"), st.dictionaries(st.sampled_from("xyz"), st.integers())))
def test_what_is_selected_is_what_was_there(value: dict[str, dict[str, int]]) -> None:
    kept = shaped(value, ["a", "b.x", "b.y"])
    wanted = {name: member for name, member in value.items() if name in "ab"}
    if "b" in wanted:
        wanted["b"] = {name: number for name, number in wanted["b"].items() if name in "xy"}
    assert kept == wanted

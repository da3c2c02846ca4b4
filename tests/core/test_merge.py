import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gproxy.core.merge import Merge, Told, parts_field

NODE = {"required": None, "select": [], "rename": {}, "rewrite": None, "batch": 0}


def compiled(nodes: Sequence[Mapping[str, Any]], **merge: Any) -> Merge:
    """Compile nodes `{attr, ...}` that are normalised here, like `merge`."""
    whole = {"on_failure": "fail", "flatten": False, "group": None, **merge}
    found = Merge.compiled([{**NODE, **node} for node in nodes], whole)
    assert found is not None
    return found


def named(*names: str, **merge: Any) -> Merge:
    return compiled([{"attr": name} for name in names], **merge)


def test_a_node_without_a_name_is_no_part() -> None:
    assert Merge.compiled([{**NODE, "attr": None}], None) is None
    assert Merge.compiled([], None) is None


def test_one_part_is_a_whole_too() -> None:
    made = Merge.compiled([{**NODE, "attr": "a"}], None)
    assert made is not None
    assert made.document([b"1"]) == b'{"a":1}'


def test_batches_in_the_order_of_their_numbers() -> None:
    made = compiled([{"attr": "c", "batch": 7}, {"attr": "a"}, {"attr": "d", "batch": 7}, {"attr": "b", "batch": 2}])
    assert made.batches == ((1,), (3,), (0, 2))
    assert [made.earlier(index) for index in range(4)] == [["a", "b"], [], ["a", "b"], ["a"]]


def test_what_a_rewrite_refers_to() -> None:
    made = compiled([{"attr": "user"}, {"attr": "b", "batch": 1, "rewrite": "/{user.id}/{path.x}/{path}"}])
    assert [rule.needs for rule in made.parts] == [(), ("user", "path")]


# -- who decides -----------------------------------------------------------------------------------------------------

NO_DEFAULT = object()
RULES = [
    # on_failure, required, default -> needed, stands in, made up for
    ("fail", None, NO_DEFAULT, True, b"null", False),
    ("fail", True, NO_DEFAULT, True, b"null", False),
    ("fail", False, NO_DEFAULT, False, b"null", False),
    ("fail", False, {"a": [1]}, False, b'{"a":[1]}', False),
    ("partial", None, NO_DEFAULT, False, b"null", False),
    ("partial", None, "x", False, b'"x"', False),
    ("partial", True, NO_DEFAULT, True, b"null", False),
    ("partial", False, NO_DEFAULT, False, b"null", False),
    ("default", None, NO_DEFAULT, True, b"null", False),
    ("default", None, {}, False, b"{}", True),
    ("default", None, None, False, b"null", True),
    ("default", False, NO_DEFAULT, False, b"null", False),
    ("default", False, 0, False, b"0", True),
    ("default", True, NO_DEFAULT, True, b"null", False),
]


@pytest.mark.parametrize(("on_failure", "required", "default", "is_needed", "stand_in", "is_made_up_for"), RULES)
def test_what_a_failure_means(
    on_failure: str, required: bool | None, default: Any, is_needed: bool, stand_in: bytes, is_made_up_for: bool
) -> None:
    given = {} if default is NO_DEFAULT else {"default": default}
    (rule,) = compiled([{"attr": "a", "required": required, **given}], on_failure=on_failure).parts
    assert (rule.is_needed, rule.stand_in, rule.is_made_up_for) == (is_needed, stand_in, is_made_up_for)
    assert rule.has_default is (default is not NO_DEFAULT)


def three(*needed: bool) -> Merge:
    """Return three parts of one batch."""
    return compiled([{"attr": name, "required": need} for name, need in zip("abc", needed, strict=True)])


@pytest.mark.parametrize(
    ("came", "decisive", "needless"),
    [
        ((None, None, None), None, ()),
        ((True, True, None), None, ()),
        ((True, True, True), None, ()),
        ((False, None, None), 0, (1, 2)),
        ((None, False, None), None, (2,)),
        ((True, False, None), 1, (2,)),
        ((False, False, None), 0, (1, 2)),
        ((None, False, False), None, (2,)),
        ((True, True, False), 2, ()),
    ],
)
def test_the_first_failure_in_the_order_of_the_nodes_decides(
    came: Sequence[bool | None], decisive: int | None, needless: Sequence[int]
) -> None:
    made = three(True, True, True)
    (batch,) = made.batches
    assert made.decisive(batch, came) == decisive
    assert tuple(made.needless(batch, came)) == needless


def test_what_is_not_needed_decides_nothing() -> None:
    made = three(False, True, False)
    assert made.decisive((0, 1, 2), (False, None, None)) is None
    assert made.decisive((0, 1, 2), (False, False, None)) == 1
    assert made.needless((0, 1, 2), (False, None, None)) == ()


@given(st.lists(st.booleans(), min_size=1, max_size=6), st.data())
def test_the_decision_does_not_depend_on_who_is_faster(needed: list[bool], data: st.DataObject) -> None:
    made = compiled([{"attr": f"n{at}", "required": need} for at, need in enumerate(needed)])
    (batch,) = made.batches
    outcome = [data.draw(st.booleans()) for _ in needed]
    failures = [at for at, came in enumerate(outcome) if not came and needed[at]]
    came: list[bool | None] = [None] * len(needed)
    for at in data.draw(st.permutations(range(len(needed)))):
        if at in made.needless(batch, came):
            continue
        came[at] = outcome[at]
        decisive = made.decisive(batch, came)
        assert decisive in (None, *failures[:1])
    assert made.decisive(batch, came) == (failures[0] if failures else None)


@pytest.mark.parametrize(
    ("came", "is_complete"),
    [
        ((True, True, True), True),
        ((True, False, True), True),
        ((True, True, False), False),
        ((False, True, True), False),
    ],
)
def test_complete(came: Sequence[bool], is_complete: bool) -> None:
    nodes = [{"attr": "a", "required": False}, {"attr": "b", "default": 1}, {"attr": "c", "required": False}]
    assert compiled(nodes, on_failure="default").is_complete(came) is is_complete


# -- what they make --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("merge", "texts", "whole"),
    [
        ({}, [b'{"id":7}', b"[1]", b"null"], b'{"a":{"id":7},"b":[1],"c":null}'),
        ({"group": "g"}, [b"1", b"2", b"3"], b'{"g":{"a":1,"b":2,"c":3}}'),
        ({"group": 'q"'}, [b"1", b"2", b"3"], b'{"q\\"":{"a":1,"b":2,"c":3}}'),
        ({"flatten": True}, [b'{"x":1,"y":2}', b'{"z":[3]}', b"{}"], b'{"x":1,"y":2,"z":[3]}'),
        ({"flatten": True}, [b'{"x":1,"y":2}', b'{"x":3}', b'{"y":4}'], b'{"x":3,"y":4}'),
        ({"flatten": True}, [b'{"x":1}', b"[2]", b"null"], b'{"x":1,"b":[2],"c":null}'),
        ({"flatten": True}, [b'{"b":1}', b"2", b'{"b":3}'], b'{"b":3}'),
        ({"flatten": True}, [b"{}", b"{}", b"{}"], b"{}"),
        ({"flatten": True, "group": "g"}, [b'{"x":1}', b'"s"', b"{}"], b'{"g":{"x":1,"b":"s"}}'),
    ],
)
def test_the_whole(merge: dict[str, Any], texts: list[bytes], whole: bytes) -> None:
    assert named("a", "b", "c", **merge).document(texts) == whole


@given(st.lists(st.dictionaries(st.text(max_size=3), st.integers()), min_size=1, max_size=5), st.booleans())
def test_the_whole_is_what_it_says(parts: list[dict[str, int]], flatten: bool) -> None:
    names = [f"n{at}" for at in range(len(parts))]
    whole = json.loads(named(*names, flatten=flatten).document([json.dumps(part).encode() for part in parts]))
    flat: dict[str, int] = {}
    for part in parts:
        flat |= part
    assert whole == (flat if flatten else dict(zip(names, parts, strict=True)))


def test_what_became_of_the_parts() -> None:
    told = [Told("user", 200, 12, 1, False), Told("money", 504, 70, 2, True), Told("x", 499, 0, 0, False)]
    assert parts_field(told) == (
        "user;status=200;ms=12, money;status=504;ms=70;attempts=2;source=default, x;status=499;ms=0"
    )

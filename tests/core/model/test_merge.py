"""What the nodes of an API must agree in, said as a user hears it."""

from typing import Any

import pytest

from gproxy.core.model import compact
from gproxy.core.schema import check

PATH = "apis[x]."


def problems(nodes: list[dict[str, Any]], **api: Any) -> list[str]:
    """Return the problems of an API with these nodes, without what they have in common."""
    document = {"path": "/u/{id}", "nodes": [{"cluster": "c", **node} for node in nodes], **api}
    found = check({"cluster": {"c": {"servers": []}}, "api": {"x": document}}).problems
    return [str(problem).removeprefix(PATH) for problem in found]


@pytest.mark.parametrize(
    ("nodes", "api"),
    [
        ([{"attr": "user"}], {}),
        ([{"attr": "user"}, {"attr": "_a-1"}], {"merge": {}}),
        ([{"attr": "a", "batch": 100}, {"attr": "b", "required": False, "default": None}], {}),
        (
            [{"attr": "a", "default": {"x": [1, "2", None, True, 1.5]}}, {"attr": "b"}],
            {"merge": {"on_failure": "partial"}},
        ),
        ([{"attr": "a"}, {"attr": "b", "batch": 1, "rewrite": "/{a.id}/{path.id}?x={a.b.0|7}"}], {}),
        ([{"attr": "b", "batch": 2, "rewrite": "/{c.x}"}, {"attr": "c", "batch": 1}], {}),
        ([{"attr": "a", "select": ["x.y", "z"], "rename": {"x": "q", "x.y": "r", "x.y.w": "s", "z.deep": "t"}}], {}),
        ([{"timeout_s": 1, "retry": {"attempts": 3}}], {}),
        ([{"batch": 0, "required": None, "select": [], "rename": {}}], {}),
        ([{"attr": f"n{number}"} for number in range(100)], {"merge": {"flatten": True, "group": "a.b"}}),
    ],
)
def test_right(nodes: list[dict[str, Any]], api: dict[str, Any]) -> None:
    assert problems(nodes, **api) == []


_NAME = "must be letters, digits, _ and -, not beginning with a digit or -"
_RESERVED = "cannot be path, query, header, cookie, body: in a rewrite these mean parts of the request"
_SEVERAL = "is missing: the nodes of an API with several need names for their parts"
_PASSES = "is given, but the only node has no attr: its answer passes as it is"
_FAMILIES = "a variable begins with path, query, header, cookie, body"
_JSON = "must be a JSON value: text, a finite number, true, false, null, a list or an object"


@pytest.mark.parametrize(
    ("nodes", "api", "found"),
    [
        ([{}, {}], {}, [f"nodes[0].attr: {_SEVERAL}", f"nodes[1].attr: {_SEVERAL}"]),
        ([{"attr": "a"}, {}], {}, [f"nodes[1].attr: {_SEVERAL}"]),
        ([{"attr": "a"}, {"attr": "a"}], {}, ['nodes[1].attr: "a" is the attr of another node too']),
        *(
            ([{"attr": attr}], {}, [f"nodes[0].attr: {_NAME}"])
            for attr in ("", "1a", "-a", "a.b", "a b", "é", "a" * 129)
        ),
        *(([{"attr": attr}], {}, [f"nodes[0].attr: {_RESERVED}"]) for attr in ("path", "query", "body")),
        ([{"attr": f"n{n}"} for n in range(101)], {}, ["nodes: must have at most 100 entries, not 101"]),
        ([{"batch": 1}], {}, [f"nodes[0].batch: {_PASSES}"]),
        ([{"required": True, "select": ["a"]}], {}, [f"nodes[0].required: {_PASSES}", f"nodes[0].select: {_PASSES}"]),
        (
            [{"default": None, "rename": {"a": "b"}}],
            {},
            [f"nodes[0].default: {_PASSES}", f"nodes[0].rename: {_PASSES}"],
        ),
        ([{}], {"merge": {}}, [f"merge: {_PASSES}"]),
        (
            [],
            {"merge": {}, "mock": True, "default_response": {"status": 200}},
            ["merge: is given, but there are no nodes"],
        ),
        (
            [{"attr": "a", "default": 1}],
            {},
            ["nodes[0].default: never stands in: merge.on_failure is fail, and required is not false"],
        ),
        (
            [{"attr": "a", "default": 1, "required": True}],
            {"merge": {"on_failure": "default"}},
            ["nodes[0].default: never stands in: required is true"],
        ),
        *(
            ([{"attr": "a", "default": default, "required": False}], {}, [f"nodes[0].default: {_JSON}"])
            for default in (float("nan"), float("inf"), {"a": [float("nan")]}, {1: 2}, b"x", object())
        ),
        ([{"attr": "a", "batch": -1}], {}, ["nodes[0].batch: must be at least 0, not -1"]),
        ([{"attr": "a", "batch": 101}], {}, ["nodes[0].batch: must be at most 100, not 101"]),
        ([{"attr": "a", "timeout_s": -1}], {}, ["nodes[0].timeout_s: must be at least 0, not -1"]),
        ([{"attr": "a", "required": "yes"}], {}, ['nodes[0].required: must be true or false, not "yes"']),
        (
            [{"attr": "a", "select": ["a.", ".a", "a..b", ""]}],
            {},
            [f"nodes[0].select[{at}]: must be field names with dots between them" for at in range(4)],
        ),
        ([{"attr": "a", "select": ["a", "a"]}], {}, ['nodes[0].select: "a" is listed twice']),
        (
            [{"attr": "a", "rename": {"x": "", "y": "a.b"}}],
            {},
            [
                f"nodes[0].rename.{name}: must be the name of a field, without a dot: the field stays where it is"
                for name in "xy"
            ],
        ),
        ([{"attr": "a", "rename": {"x": "z", "y": "z"}}], {}, ['nodes[0]: two fields are renamed to "z"']),
        ([{"attr": "a", "rename": {"a.x": "z", "a.y": "z"}}], {}, ['nodes[0]: two fields are renamed to "a.z"']),
        (
            [{"attr": "a", "select": ["x.y"], "rename": {"x.z": "a", "q": "b"}}],
            {},
            [f"nodes[0].rename.{path}: is not among what select keeps" for path in ("q", "x.z")],
        ),
        (
            [{"attr": "a"}, {"attr": "b", "rewrite": "/{a.id}"}],
            {},
            ["nodes[1].rewrite: uses a, which is of batch 0: only parts of batches before 0 are there"],
        ),
        (
            [{"attr": "a", "batch": 3}, {"attr": "b", "batch": 2, "rewrite": "/{a.id}/{b.id}"}],
            {},
            [
                "nodes[1].rewrite: uses a, which is of batch 3: only parts of batches before 2 are there",
                "nodes[1].rewrite: uses b, which is of batch 2: only parts of batches before 2 are there",
            ],
        ),
        (
            [{"attr": "user"}, {"attr": "b", "batch": 1, "rewrite": "/{usr.id}"}],
            {},
            [f'nodes[1].rewrite: "usr.id": {_FAMILIES}, or one of the earlier parts user'],
        ),
        (
            [{"attr": "user"}, {"attr": "b", "batch": 1, "rewrite": "/{user.id}/{path.x}/{*}"}],
            {},
            [
                f"nodes[1].rewrite: /u/{{id}} has {what}"
                for what in ("no * that could stand for something", "no variable x")
            ],
        ),
        (
            [{"attr": "user"}, {"attr": "b", "batch": 1}],
            {"rewrite": "/{user.id}"},
            ['rewrite: "user.id": a variable begins with path, query, header, cookie, body'],
        ),
        (
            [{"attr": "a"}],
            {"merge": {"on_failure": "maybe"}},
            ['merge.on_failure: must be fail, partial or default, not "maybe"'],
        ),
        ([{"attr": "a"}], {"merge": {"group": ""}}, ["merge.group: must not be empty"]),
        ([{"attr": "a"}], {"merge": {"flaten": True}}, ["merge.flaten: is not a known field, did you mean flatten?"]),
        ([{"atr": "a"}], {}, ["nodes[0].atr: is not a known field, did you mean attr?"]),
    ],
)
def test_wrong(nodes: list[dict[str, Any]], api: dict[str, Any], found: list[str]) -> None:
    assert sorted(problems(nodes, **api)) == sorted(found)


def test_a_default_of_null_is_not_none() -> None:
    nodes = [{"cluster": "c", "attr": "a", "required": False, "default": None}, {"cluster": "c", "attr": "b"}]
    objects = {"cluster": {"c": {"servers": []}}, "api": {"x": {"path": "/", "nodes": nodes}}}
    entity = check(objects).entities["api"]["x"]
    assert compact(entity)["nodes"] == nodes
    document = entity.model_dump(mode="json")
    assert [node.get("default", "none") for node in document["nodes"]] == [None, "none"]

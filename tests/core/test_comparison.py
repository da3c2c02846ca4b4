import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gproxy.core.comparison import MOST_TOLD, Answer, Comparison, check_path
from gproxy.core.model import MODELS, normalised

values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=8,
)


def comparison(**compare: Any) -> Comparison:
    document = {"name": "r", "cluster": "c", "action": "mirror", "compare": compare}
    made = Comparison.compiled(normalised(MODELS["routing"].model_validate(document))["compare"])
    assert made is not None
    return made


def answer(body: Any = b"", status: int = 200, lines: bytes = b"") -> Answer:
    head = b"HTTP/1.1 %d X\r\n%b" % (status, lines)
    return Answer(status, head, body if body is None or isinstance(body, bytes) else json.dumps(body).encode())


def differences(primary: Answer, mirror: Answer, **compare: Any) -> list[tuple[str, str | None, str | None]]:
    return [tuple(found) for found in comparison(**compare).differences(primary, mirror)]


def test_nothing_differs() -> None:
    assert differences(answer({"a": [1]}), answer({"a": [1]})) == []


def test_statuses_and_chosen_headers() -> None:
    primary = answer(lines=b"X-A: 1\r\nx-a: 2\r\nX-B: b\r\nDate: now\r\n")
    mirror = answer(status=500, lines=b"X-A: 1, 2\r\nDate: then\r\n")
    assert differences(primary, mirror, headers=["X-A", "X-B", "X-C"]) == [
        ("status", "200", "500"),
        ("header x-b", "b", None),
    ]


@pytest.mark.parametrize(
    ("primary", "mirror", "found"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, []),
        ({"a": 1}, {"a": 2}, [("body.a", "1", "2")]),
        ({"a": 1}, {"a": True}, [("body.a", "1", "true")]),
        ({"a": 1}, {"a": 1.0}, []),
        ({"a": None}, {}, [("body.a", "null", None)]),
        ({}, {"a": [1]}, [("body.a", None, "[1]")]),
        ({"a": [1, 2, 3]}, {"a": [1, 5]}, [("body.a.1", "2", "5"), ("body.a.2", "3", None)]),
        ({"a": {"b": [{"c": 1}]}}, {"a": {"b": [{"c": 2}]}}, [("body.a.b.0.c", "1", "2")]),
        ([1], {"0": 1}, [("body", "[1]", '{"0":1}')]),
        ({"a": [1]}, {"a": "x"}, [("body.a", "[1]", '"x"')]),
        (b"text", b"other", [("body", "text", "other")]),
        (b'{"a": 1}', b"{", [("body", '{"a": 1}', "{")]),
        (b"\xff", b"\xfe", [("body", "\ufffd", "\ufffd")]),
        (b"[" * 100_000, b"[", [("body", "[" * 120, "[")]),
        (b"x", None, []),
    ],
)
def test_bodies(primary: Any, mirror: Any, found: list[tuple[str, str | None, str | None]]) -> None:
    assert differences(answer(primary), answer(mirror)) == found


@pytest.mark.parametrize(
    ("ignore", "found"),
    [
        (["time"], ["body.items.0.id", "body.items.1.id", "body.meta.by"]),
        (["time", "items"], ["body.meta.by"]),
        (["time", "items.*.id"], ["body.meta.by"]),
        (["time", "items.1", "*.by"], ["body.items.0.id"]),
    ],
)
def test_paths_that_do_not_count(ignore: list[str], found: list[str]) -> None:
    primary = {"time": 1, "items": [{"id": 1}, {"id": 2}], "meta": {"by": "a"}}
    mirror = {"time": 2, "items": [{"id": 3}, {"id": 4}], "meta": {"by": "b"}}
    assert [place for place, *_ in differences(answer(primary), answer(mirror), ignore=ignore)] == found


def test_coded_bodies_are_compared_by_what_they_say() -> None:
    coded = answer(gzip.compress(b'{"a": 1}'), lines=b"Content-Encoding: gzip\r\n")
    assert differences(coded, answer({"a": 1})) == []
    assert differences(coded, answer({"a": 2})) == [("body.a", "1", "2")]
    unknown = answer(b"x1", lines=b"Content-Encoding: br\r\n")
    assert differences(unknown, answer(b"x2")) == [("body", "x1", "x2")]


def test_what_is_told_is_bounded() -> None:
    primary, mirror = ({"x" * 200: "y" * 500, **{str(n): n + add for n in range(50)}} for add in (0, 1))
    found = differences(answer(primary), answer({**mirror, "x" * 200: "z" * 500}))
    assert len(found) == MOST_TOLD
    assert all(len(text or "") < 130 for _, *texts in found for text in texts)


def test_bodies_need_not_be_compared() -> None:
    assert differences(answer({"a": 1}), answer({"a": 2}), body=False) == []


def test_a_deep_body_is_no_trouble() -> None:
    deep = [b"[" * 500 + number + b"]" * 500 for number in (b"1", b"2")]
    (found,) = differences(answer(deep[0]), answer(deep[1]))
    assert found[1:] == ("1", "2")


@given(values, values)
def test_values_differ_when_their_texts_do(one: Any, other: Any) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    texts = (json.dumps(value).encode() for value in (one, other))
    assert (differences(*map(answer, texts)) == []) is same


@pytest.mark.parametrize("path", ["", ".", "a.", ".a", "a..b", "a b"])
def test_what_is_no_path(path: str) -> None:
    with pytest.raises(ValueError, match="is not a path"):
        check_path(path)
    assert check_path("a.*.0") == "a.*.0"

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gproxy.core.json_text import at, checked, is_list, is_object, items, list_of, members, object_of, plain, quoted

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


def dumped(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


@pytest.mark.parametrize(
    "text",
    [
        b"{}",
        b"[]",
        b"0",
        b"-0",
        b"1e400",
        b'"\xc3\xa9"',
        b'"\\u00e9\\n"',
        b"null",
        b'{"a":1,"a":2}',
        b'{"a":[{"b":null}]}',
    ],
)
def test_valid(text: bytes) -> None:
    assert checked(text) == text
    assert checked(b" \r\n\t" + text + b"\n") == text


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b" ", b"{", b"[1,]", b'{"a":1,}', b"01", b"1.", b".5", b"+1", b"1e", b"-", b"0x1", b"NaN", b"Infinity"),
        *(b"'a'", b"{a:1}", b"{1:2}", b"[1] x", b"[1][2]", b"tru", b"truee", b"[1 2]", b'{"a" 1}', b"// x\n1", b"1_0"),
        *(b'"\x01"', b'"\n"', b'"\\x"', b'"\\u12"', b'"a', b"\x00", b"[1]\x00", b"\x0b[1]", b"[1]\x0c", b"\xa0[1]"),
        *(b'"\xff"', b'"\xc0\x80"', b'"\xed\xa0\x80"', b'{"\xff":1}', b"\xef\xbb\xbf{}", b"\xff\xfe{\x00}\x00"),
        b"[" * 100_000 + b"]" * 100_000,
    ],
)
def test_invalid(text: bytes) -> None:
    assert checked(text) is None


@given(values)
def test_what_is_written_is_valid_and_stays_as_it_is(value: Any) -> None:
    for text in (dumped(value), json.dumps(value, indent=1).encode("ascii")):
        assert checked(text) == text.strip()


def refuse(name: str) -> float:
    raise ValueError(name)


@given(
    st.text(st.sampled_from('{}[]:,"\\ut0e.-19ant \n')) | st.binary(max_size=8).map(lambda data: data.decode("latin-1"))
)
def test_it_agrees_with_another_parser(text: str) -> None:
    try:
        json.loads(text.encode("latin-1").decode("utf-8"), parse_constant=refuse)
    except ValueError:
        is_valid = False
    else:
        is_valid = True
    assert (checked(text.encode("latin-1")) is not None) == is_valid


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_strings(text: str) -> None:
    assert json.loads(quoted(text)) == text
    assert plain(quoted(text)) == text.encode()


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), values, max_size=5))
def test_objects_are_taken_apart_and_put_together(value: dict[str, Any]) -> None:
    text = dumped(value)
    assert is_object(text)
    assert not is_list(text)
    assert {name: json.loads(bytes(member)) for name, member in members(text).items()} == value
    assert json.loads(object_of(members(text))) == value


@given(st.lists(values, max_size=5))
def test_lists_are_taken_apart_and_put_together(value: list[Any]) -> None:
    text = dumped(value)
    assert is_list(text)
    assert not is_object(text)
    assert json.loads(list_of(items(text))) == value


def test_of_members_with_one_name_the_last_counts() -> None:
    assert object_of(members(b'{"a":1,"b":2,"a":3}')) == b'{"a":3,"b":2}'


DOCUMENT = b'{"id": 7, "user": {"name": "A\\u00e9", "tags": ["x", {"y": 1.10}], "": 1}, "n": null, "t": true}'


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("id", b"7"),
        ("user.name", b"A\xc3\xa9"),
        ("user.tags.0", b"x"),
        ("user.tags.1.y", b"1.10"),
        ("t", b"true"),
        ("n", None),
        ("user", None),
        ("user.tags", None),
        ("user.tags.2", None),
        ("user.tags.x", None),
        ("user.tags.-1", None),
        ("user.tags.\u0663", None),
        ("id.x", None),
        ("nobody.x", None),
    ],
)
def test_a_value_at_a_path(path: str, value: bytes | None) -> None:
    assert plain(at(DOCUMENT, path.split("."))) == value


def test_numbers_stay_as_they_were_written() -> None:
    number = b"123456789012345678901234567890.10e5"
    assert plain(at(b'{"n":%b}' % number, ["n"])) == number
    assert math.isfinite(float(number))

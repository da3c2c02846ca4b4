from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gproxy.core.headers import FilledEdits, HeaderEdits, has_variables, variables
from gproxy.core.http1 import split_fields
from tests.core.asked import Asked

BLOCK = b"Host: a\r\nX-A: 1\r\nx-a: 2\r\nX-AB: 3\r\nB: X-A: 4\r\n"


def edits(set: Mapping[str, str] = {}, add: Mapping[str, str] = {}, remove: Sequence[str] = ()) -> HeaderEdits:
    compiled = HeaderEdits.compile(set, add, remove)
    assert compiled is not None
    return compiled


def test_nothing_to_do() -> None:
    assert HeaderEdits.compile() is None
    assert HeaderEdits.compile({}, {}, []) is None


@pytest.mark.parametrize(
    ("compiled", "expected"),
    [
        (edits(remove=["X-A"]), b"Host: a\r\nX-AB: 3\r\nB: X-A: 4\r\n"),
        (edits(remove=["x-A", "b"]), b"Host: a\r\nX-AB: 3\r\n"),
        (edits(remove=["nope"]), BLOCK),
        (edits(set={"X-A": "9"}), b"Host: a\r\nX-AB: 3\r\nB: X-A: 4\r\nX-A: 9\r\n"),
        (edits(set={"New": "9"}), BLOCK + b"New: 9\r\n"),
        (edits(add={"X-A": "9"}), BLOCK + b"X-A: 9\r\n"),
        (edits(set={"B": "8"}, add={"B": "9"}), b"Host: a\r\nX-A: 1\r\nx-a: 2\r\nX-AB: 3\r\nB: 8\r\nB: 9\r\n"),
        (edits(set={"B": "8"}, remove=["B", "x-a"]), b"Host: a\r\nX-AB: 3\r\nB: 8\r\n"),
        (edits(add={"N": ""}), BLOCK + b"N: \r\n"),
        (edits(add={"N": "é"}), BLOCK + "N: é\r\n".encode()),
    ],
)
def test_edits(compiled: HeaderEdits, expected: bytes) -> None:
    assert compiled.apply(BLOCK) == expected


@pytest.mark.parametrize("name", ["X.A", "X*", "X|A", "^", "$A", "X+"])
def test_names_are_not_patterns(name: str) -> None:
    block = b"X-A: 1\r\nX: 2\r\nXA: 3\r\n"
    own = name.encode() + b": 4\r\n"
    assert edits(remove=[name]).apply(block + own + block) == block + block


def test_a_status_line_is_left_alone() -> None:
    head = b"HTTP/1.1 200 Server: x\r\nServer: y\r\n"
    assert edits(remove=["Server"]).apply(head) == b"HTTP/1.1 200 Server: x\r\n"


_names = st.sampled_from(["A", "a", "Ab", "B-", "!", "c.d"])
_values = st.sampled_from(["", "x", "A: b", "1 2"])
_fields = st.lists(st.tuples(_names, _values), max_size=8)


@given(_fields, st.dictionaries(_names, _values), st.dictionaries(_names, _values), st.lists(_names))
def test_agrees_with_the_plain_rule(
    fields: list[tuple[str, str]], set: dict[str, str], add: dict[str, str], remove: list[str]
) -> None:
    block = b"".join(f"{name}: {value}\r\n".encode() for name, value in fields)
    compiled = HeaderEdits.compile(set, add, remove)
    edited = compiled.apply(block) if compiled is not None else block
    taken = {name.lower() for name in (*remove, *set)}
    expected = [field for field in fields if field[0].lower() not in taken] + [*set.items(), *add.items()]
    assert [(name.decode(), value.decode()) for name, value in split_fields(edited)] == expected


def test_templates_without_variables_are_plain_edits() -> None:
    given = {"set": {"B": "{{}}"}, "add": {"N": "x"}, "remove": ["x-a"]}
    made = HeaderEdits.without_variables(given)
    assert made is not None
    assert made.apply(BLOCK) == b"Host: a\r\nX-AB: 3\r\nB: {}\r\nN: x\r\n"
    assert HeaderEdits.without_variables({"set": {}, "add": {}, "remove": []}) is None
    assert not has_variables(given)


def test_values_are_made_of_the_request() -> None:
    given = {"set": {"B": "{query.user} of {host}"}, "add": {"X-A": "{header.none}", "N": "", "M": "{method}"}}
    made = FilledEdits.compile({**given, "remove": ["x-a"]})
    assert made.apply(BLOCK, Asked()) == b"Host: a\r\nX-AB: 3\r\nB: 7 of api.example.com\r\nN: \r\nM: GET\r\n"
    assert has_variables({**given, "remove": []})


def test_edits_see_what_was_there_before_them() -> None:
    made = FilledEdits.compile({"set": {"X-A": "{header.x-a}!"}, "add": {}, "remove": []})
    assert made.apply(b"X-A: 1\r\n", Asked(fields={b"x-a": b"1"})) == b"X-A: 1!\r\n"


def test_the_variables_of_a_value() -> None:
    assert variables("{path.id} {{x}} {query.a|b}") == ("path.id", "query.a")
    for text in ('{"a": 1}', "{x", "{nope}"):
        with pytest.raises(ValueError, match=r"a brace that is only text is written twice"):
            variables(text)


def test_what_servers_could_take_for_a_field_is_hidden() -> None:
    assert HeaderEdits.hiding([]) is None
    hiding = HeaderEdits.hiding(["X-Who-Is", "X_Role"])
    assert hiding is not None
    block = b"X-Who-Is: 1\r\nx_who-is: 2\r\nX_WHO_IS: 3\r\nX-Role: 4\r\n"
    assert hiding.apply(block + b"X-Whose-Is: 5\r\nX.Role: 6\r\n") == b"X-Whose-Is: 5\r\nX.Role: 6\r\n"

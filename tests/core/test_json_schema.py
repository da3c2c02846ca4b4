import subprocess
import sys
import time

import pytest

from gproxy.core.json_schema import Schema

ORDER = {
    "type": "object",
    "required": ["user"],
    "properties": {"user": {"type": "integer"}, "items": {"type": "array", "items": {"type": "string"}}},
}


def test_values_are_checked() -> None:
    schema = Schema.compile(ORDER)
    assert schema.allows({"user": 1, "items": ["a"]})
    assert not schema.allows({"items": [1, 2]})
    assert schema.problems({"items": [1, 2]}, all_of_them=True) == [
        ("", '"user" is a required property'),
        ("items.0", '1 is not of type "string"'),
        ("items.1", '2 is not of type "string"'),
    ]
    assert len(schema.problems({"items": [1, 2]}, all_of_them=False)) == 1
    assert schema.problems({"user": 1}, all_of_them=False) == schema.problems({"user": 1}, all_of_them=True) == []


def test_long_values_are_not_repeated() -> None:
    ((_, problem),) = Schema.compile({"type": "integer"}).problems("x" * 10_000, all_of_them=True)
    assert problem == '"' + "x" * 59 + '... is not of type "integer"'


def test_formats_are_checked() -> None:
    assert not Schema.compile({"format": "email"}).allows("nobody")
    assert Schema.compile({"format": "email"}).allows("ada@example.com")


def test_references_within_a_schema() -> None:
    tree = {
        "$ref": "#/$defs/node",
        "$defs": {"node": {"type": "object", "additionalProperties": {"$ref": "#/$defs/node"}}},
    }
    assert Schema.compile(tree).allows({"a": {"b": {}}})
    assert not Schema.compile(tree).allows({"a": {"b": 1}})


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"type": "text"}, 'not a JSON Schema: /type: "text" is not valid'),
        ({"properties": {"a": {"minimum": "1"}}}, "not a JSON Schema: /properties/a/minimum"),
        ({"pattern": "("}, 'not a JSON Schema: /pattern: "(" is not a "regex"'),
        ({"pattern": r"(a)\1"}, 'is not a "regex"'),
        ({"pattern": "(?=a)b"}, 'is not a "regex"'),
        ({"pattern": "(((a{100}){100}){100}){100}"}, 'is not a "regex"'),
        ({"$ref": "#/nowhere"}, "'/nowhere' does not exist"),
        ({"$schema": "https://example.com/mine"}, "Unknown meta-schema"),
    ],
)
def test_what_is_no_schema(schema: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match="not a JSON Schema") as caught:
        Schema.compile(schema)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    "place", ["http://127.0.0.1:1/x.json", "file:///etc/hostname", "https://json-schema.invalid/x"]
)
def test_nothing_is_ever_fetched(place: str) -> None:
    for schema in ({"$ref": place}, {"properties": {"a": {"$dynamicRef": place}}}):
        with pytest.raises(ValueError, match="not a JSON Schema"):
            Schema.compile(schema)


@pytest.mark.parametrize("pattern", ["^(a+)+$", "(a*)*b", "(a|aa)+$", "(?:a?){200}a{200}$", "^([a-z]+)*$"])
def test_a_hostile_pattern_does_not_stall(pattern: str) -> None:
    schema = Schema.compile({"pattern": pattern})
    since = time.process_time()
    schema.allows("a" * 20_000 + "!")
    assert time.process_time() - since < 1


def test_the_library_is_loaded_when_it_is_needed() -> None:
    code = "import sys; import gproxy.filters; assert 'jsonschema_rs' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)

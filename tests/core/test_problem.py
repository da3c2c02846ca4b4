from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gproxy.core.model import MODELS, field_names
from gproxy.core.problem import Problem, join, shown, translated, unknown_field

GOOD: dict[str, dict[str, Any]] = {
    "server": {"name": "u1", "address": "127.0.0.1:9001"},
    "cluster": {"name": "users"},
    "api": {"name": "all", "path": "/*", "nodes": [{"cluster": "users"}]},
}


def problems_of(kind: str, document: Any) -> list[str]:
    try:
        MODELS[kind].model_validate(document)
    except ValidationError as error:
        return [str(item) for item in translated(error, "x", lambda place: field_names(kind, place))]
    return []


@pytest.mark.parametrize(
    ("kind", "fields", "said"),
    [
        ("server", {"weight": "3"}, 'x.weight: must be a whole number, not "3"'),
        ("server", {"weight": 1.5}, "x.weight: must be a whole number, not 1.5"),
        ("server", {"weight": True}, "x.weight: must be a whole number, not true"),
        ("server", {"weight": 2000}, "x.weight: must be at most 1000, not 2000"),
        ("server", {"weight": -1}, "x.weight: must be at least 0, not -1"),
        ("server", {"weight": None}, "x.weight: must be a whole number, not null"),
        ("server", {"backup": "yes"}, 'x.backup: must be true or false, not "yes"'),
        ("server", {"status": "on"}, 'x.status: must be up, down or drain, not "on"'),
        ("server", {"name": 5}, "x.name: must be text, not 5: put it in quotes"),
        ("server", {"address": []}, "x.address: must be text, not a list"),
        ("cluster", {"timeouts": {"total_s": "1s"}}, 'x.timeouts.total_s: must be a number, not "1s"'),
        ("cluster", {"timeouts": {"total_s": float("inf")}}, "x.timeouts.total_s: must be a finite number, not inf"),
        ("cluster", {"url_pattern": 5}, "x.url_pattern: must be text, not 5: put it in quotes"),
        ("server", {"tls": "on"}, 'x.tls: must be an object, not "on"'),
        ("server", {"wieght": 1}, "x.wieght: is not a known field, did you mean weight?"),
        ("server", {"qqqq": 1}, "x.qqqq: is not a known field"),
        ("server", {"tls": {"verfy": True}}, "x.tls.verfy: is not a known field, did you mean verify?"),
        ("server", {"name": "a b"}, "x.name: must be 1 to 128 letters, digits or any of . _ : -"),
        ("server", {5: 1}, "x[5]: must have text as field names, not 5"),
        ("cluster", {"servers": "u1"}, 'x.servers: must be a list, not "u1"'),
        ("cluster", {"servers": ["a", 1]}, "x.servers[1]: must be text, not 1: put it in quotes"),
        (
            "cluster",
            {"load_balance": "ip_hash"},
            'x.load_balance: must be round_robin, least_conn, p2c, random or consistent_hash, not "ip_hash"',
        ),
        ("api", {"nodes": [{"cluster": "a"}] * 101}, "x.nodes: must have at most 100 entries, not 101"),
        ("api", {"nodes": [{}]}, "x.nodes[0].cluster: is missing"),
        ("api", {"request_headers": {"set": []}}, "x.request_headers.set: must be an object, not a list"),
        (
            "api",
            {"request_headers": {"set": {"A B": "1"}}},
            'x.request_headers.set.A B: "A B" is not a header name',
        ),
    ],
)
def test_every_problem_is_one_human_sentence(kind: str, fields: dict[Any, Any], said: str) -> None:
    assert problems_of(kind, {**GOOD[kind], **fields}) == [said]


def test_what_is_missing() -> None:
    assert problems_of("api", {}) == ["x.name: is missing", "x.path: is missing"]


def test_paths_and_values() -> None:
    assert join("apis[all]", ("nodes", 0, "cluster")) == "apis[all].nodes[0].cluster"
    assert str(Problem("a.b", "is missing")) == "a.b: is missing"
    assert shown({}) == "an object"
    assert shown("x" * 100).endswith("...")
    assert unknown_field("file", ("serverz",), ["servers"]).message.endswith("did you mean servers?")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(sorted(GOOD)), st.data())
def test_no_value_gets_past_the_translation(kind: str, data: st.DataObject) -> None:
    """Whatever stands in a field, the answer is a list of sentences without a library's jargon."""
    field = data.draw(st.sampled_from(field_names(kind, ())))
    said = "\n".join(problems_of(kind, {**GOOD[kind], field: data.draw(json_values)}))
    for jargon in (
        "Input should",
        "Extra inputs",
        "Field required",
        "Tuple",
        "valid dictionary",
        "Value error",
    ):
        assert jargon not in said

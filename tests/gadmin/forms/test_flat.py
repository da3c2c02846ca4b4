from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gadmin.forms import flat
from gadmin.forms.spec import Field, Widget, spec
from gproxy.core.schema import check

SERVERS = {"server": {"u1": {"name": "u1", "address": "a:1"}}}
CLUSTERS = {"cluster": {"c": {"name": "c", "servers": ["u1"]}}}
DOCUMENTS: list[tuple[str, dict[str, Any]]] = [
    ("server", {"name": "x", "address": "a:1"}),
    ("server", {"name": "x", "address": "a:1", "weight": 0, "backup": True, "slow_start_s": 2.5, "status": "drain"}),
    ("server", {"name": "x", "address": "a:1", "scheme": "https", "tls": {"verify": False, "server_name": "b.test"}}),
    ("server", {"name": "x", "address": "a:1", "health_check": {}}),
    ("server", {"name": "x", "address": "a:1", "health_check": {"headers": {"Host": "a", "X-A": "b c"}, "rise": 9}}),
    ("server", {"name": "x", "address": "a:1", "max_connections": 5, "queue": {"size": 3}}),
    ("cluster", {"name": "x", "servers": ["u1"], "retry": {"statuses": "502-504", "report": True}}),
    ("cluster", {"name": "x", "load_balance": "consistent_hash", "hash_on": "header:X", "circuit_breaker": {}}),
    ("api", {"name": "x", "path": "/a/{id}", "nodes": [{"cluster": "c"}], "preserve_host": False, "tags": ["a", "b"]}),
    ("api", {"name": "x", "path": "/", "nodes": [{"cluster": "c"}], "timeouts": {"connect_s": 0.0, "total_s": 1.5}}),
    (
        "api",
        {
            "name": "x",
            "path": "/",
            "nodes": [{"cluster": "c"}],
            "request_headers": {"set": {"X-A": "1"}, "add": {"X-B": "2"}, "remove": ["X-C"]},
            "rate_limit": {"rate": 10, "key": "client_ip"},
        },
    ),
]


def compact(kind: str, document: dict[str, Any]) -> dict[str, Any]:
    """Return a document as a store would keep it, which must be valid."""
    objects = {**SERVERS, **CLUSTERS}
    checked = check({**objects, kind: {**objects.get(kind, {}), "x": document}})
    assert checked.problems == []
    return dict(checked.compact({})[kind]["x"])


@pytest.mark.parametrize(("kind", "document"), DOCUMENTS)
def test_a_form_that_is_sent_as_it_was_shown_changes_nothing(kind: str, document: dict[str, Any]) -> None:
    texts = flat.flattened(spec(kind), document)
    assert compact(kind, flat.document(spec(kind), texts)) == compact(kind, document)


def test_an_empty_input_means_the_default() -> None:
    texts = flat.flattened(spec("server"), {"name": "x", "address": "a:1", "weight": 7, "health_check": {"rise": 9}})
    texts |= {"weight": " ", "health_check.rise": ""}
    assert compact("server", flat.document(spec("server"), texts)) == {
        "name": "x",
        "address": "a:1",
        "health_check": {},
    }


def test_a_part_that_is_switched_off_is_gone_whatever_its_inputs_say() -> None:
    texts = {"name": "x", "address": "a:1", "health_check.rise": "9", "tls.verify": flat.ON}
    assert flat.document(spec("server"), texts) == {"name": "x", "address": "a:1"}


def test_what_is_no_number_stays_what_it_is() -> None:
    texts = {"name": "x", "tls.verify": flat.ON, "weight": "many", "slow_start_s": "1,5", "max_qps": "1e3"}
    assert flat.document(spec("server"), texts) == {
        "name": "x",
        "weight": "many",
        "slow_start_s": "1,5",
        "max_qps": 1000.0,
    }


def test_names_come_by_line_or_comma() -> None:
    assert flat.document(spec("cluster"), {"servers": " u1 \n\nu2,u3\n"}) == {"servers": ["u1", "u2", "u3"]}
    expressions = "$query_x in a,b\n$method == GET"
    found = flat.document(spec("routing"), {"when.all": expressions})
    assert found == {"when": {"all": expressions.splitlines()}}, "a comma is part of an expression"


def test_rows_are_read_in_their_order_and_empty_pairs_do_not_count() -> None:
    texts = {
        "preserve_host": flat.ON,
        "request_headers.set[10].key": "X-B",
        "request_headers.set[10].value": "b",
        "request_headers.set[2].key": "X-A",
        "request_headers.set[3].key": "",
        "request_headers.set[3].value": " ",
    }
    assert flat.rows(texts, "request_headers.set") == [2, 3, 10]
    assert flat.document(spec("api"), texts) == {"request_headers": {"set": {"X-A": "", "X-B": "b"}}}


MAYBE = Field("maybe", Widget.MAYBE)


@pytest.mark.parametrize(
    ("document", "texts", "value"),
    [({"maybe": True}, {"maybe": "yes"}, True), ({"maybe": False}, {"maybe": "no"}, False), ({}, {}, None)],
)
def test_what_may_follow_from_the_rest_is_yes_no_or_nothing(
    document: dict[str, object], texts: dict[str, str], value: object
) -> None:
    assert flat.flattened([MAYBE], document) == texts
    assert flat.document([MAYBE], texts).get("maybe") is value
    assert flat.document([MAYBE], {"maybe": "sometimes"}) == {"maybe": "sometimes"}, "the check says what is wrong"


ANYTHING = Field("anything", Widget.JSON)


PLAIN = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
VALUES = st.recursive(PLAIN, lambda below: st.lists(below) | st.dictionaries(st.text(max_size=5), below), max_leaves=5)


@given(VALUES)
def test_anything_else_is_json(value: Any) -> None:
    texts = flat.flattened([ANYTHING], {"anything": value})
    assert flat.document([ANYTHING], texts) == ({} if value is None else {"anything": value})


def test_what_is_no_json_stays_a_text() -> None:
    assert flat.document([ANYTHING], {"anything": "{not"}) == {"anything": "{not"}
    assert flat.document([ANYTHING], {"anything": "[" * 100_000}) == {"anything": "[" * 100_000}

from typing import Any

import pytest

from gadmin.forms.preview import Given, Line, of_api, of_routing


def given(url: str, *headers: tuple[str, str], body: str = "") -> Given:
    return Given("GET", url, headers, body)


def test_the_targets_of_an_api_are_told_by_its_templates() -> None:
    nodes = [
        {"cluster": "users", "attr": "user", "rewrite": "/u/{path.id}?q={query.q|none}"},
        {"cluster": "money", "attr": "money", "batch": 1, "rewrite": "/m/{user.account}"},
        {"cluster": "news"},
        {"cluster": "late", "rewrite": "/l/{query.missing}"},
        {"cluster": "wrong", "rewrite": "/w/{money.x}"},
    ]
    found = of_api({"path": "/users/{id:int}", "nodes": nodes}, given("/users/7?q=a b"))
    assert found.lines[:4] == [
        Line("user", "/u/7?q=a%20b", True),
        Line("money", "/m/{user.account}", True),
        Line("news", "/users/7?q=a%20b"),
        Line("late", "The request has no value for query.missing.", False),
    ]
    assert (found.lines[4].is_good, "money" in found.lines[4].text) == (False, True)
    assert list(found.variables) == [("path.id", "7"), ("query.q", "a b")]


def test_the_template_of_the_api_is_that_of_nodes_without_one() -> None:
    (line,) = of_api({"path": "/a/*", "rewrite": "/b/{*}", "nodes": [{"cluster": "c"}]}, given("/a/x/y")).lines
    assert line == Line("c", "/b/x/y", True)


def test_a_request_of_another_path_is_said() -> None:
    found = of_api({"path": "/users/{id:int}", "nodes": [{}]}, given("/users/x"))
    assert [line.is_good for line in found.lines] == [False]
    with pytest.raises(ValueError, match="begins with"):
        of_api({"path": "users"}, given("/"))


def test_variables_of_every_kind() -> None:
    found = of_api({"path": "~^/v(\\d+)/"}, given("/v2/x?a=1", ("Cookie", "c=1; d=2"), body='{"n": 3, "o": {}}'))
    assert list(found.variables) == [
        ("1", "2"),
        ("query.a", "1"),
        ("cookie.c", "1"),
        ("cookie.d", "2"),
        ("body.n", "3"),
    ]


@pytest.mark.parametrize(
    ("document", "request_", "verdicts"),
    [
        ({}, given("/"), [True]),
        ({"when": {"all": ["$cookie_g == b", "$query_n > 3"]}}, given("/?n=4", ("Cookie", "g=b")), [True, True, True]),
        ({"when": {"all": ["$query_n > 3"], "any": ["$method == GET"]}}, given("/?n=1"), [False, True, True]),
        ({"when": {"any": ["$header_x_y exists"]}}, given("/", ("X-Y", "")), [True, True]),
        ({"when": {"all": ["nonsense"]}}, given("/"), [False, False]),
        ({"path": "/b"}, given("/a"), [False, False]),
    ],
)
def test_conditions_hold_or_do_not(document: dict[str, Any], request_: Given, verdicts: list[bool]) -> None:
    assert [line.is_good for line in of_routing(document, request_, None).lines] == verdicts


def test_variables_of_the_path_are_those_of_the_api() -> None:
    document = {"when": {"all": ["$path_id == 7"]}, "percent": 5}
    found = of_routing(document, given("/users/7"), "/users/{id}")
    assert [line.text for line in found.lines] == ["holds", "applies to 5 % of such requests"]
    assert [line.is_good for line in of_routing(document, given("/x/7"), "/users/{id}").lines] == [False, False, False]

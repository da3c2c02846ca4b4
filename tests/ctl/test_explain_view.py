from typing import Any

from gproxy.ctl.explain_view import view

SERVER = {"address": "127.0.0.1:9001", "weight": 1, "backup": False, "health": "unknown", "circuit": None}
REFUSED = {"kind": "refused", "status": 429, "code": "rate_limited", "detail": "Too many.", "reason": "key client_ip"}


def told(**fields: Any) -> dict[str, Any]:
    """Return an answer of /explain."""
    return {
        "revision": 7,
        "request": {"method": "GET", "host": "a.example", "path": "/users/7", "query": "x=1", "client_ip": "192.0.2.1"},
        "candidates": [
            {"api": "user", "path": "/users/{id}", "hosts": [], "methods": ["GET"], "chosen": True, "reason": "chosen"},
            {"api": "b", "path": "/*", "hosts": ["b"], "methods": [], "chosen": False, "reason": "host does not match"},
        ],
        "candidates_left_out": 3,
        "api": {"name": "user", "path": "/users/{id}", "circuit": "closed", "in_flight": 1, "most": 5},
        "variables": {"id": "7"},
        "filters": [{"filter": "rate_limit", "verdict": "passes", "answer": None}],
        "own_filters": ["beta:Beta"],
        "nodes": [
            {
                "rules": [],
                "cluster": "users",
                "method": "GET",
                "target": "/cgi?id=7",
                "rewrite": "/cgi?id={path.id}",
                "policy": "round_robin",
                "servers": [
                    {**SERVER, "name": "u1", "in_flight": 2, "most": 0, "usable": True, "against": []},
                    {
                        **SERVER,
                        "name": "u2",
                        "in_flight": 0,
                        "most": 9,
                        "usable": False,
                        "against": ["its circuit is open", "down by its health check"],
                        "health": "down",
                        "circuit": "open",
                        "backup": True,
                    },
                ],
            },
        ],
        "answer": {"kind": "proxied"},
        **fields,
    }


def test_the_whole_story() -> None:
    assert list(view(told())) == [
        "GET a.example/users/7?x=1 from 192.0.2.1 at revision 7 of the configuration",
        "",
        "APIs, in order:",
        " -> user  /users/{id} [GET]: chosen",
        "    b  /* [b]: host does not match",
        "    ... and 3 more that do not match",
        "",
        "variables of the path:",
        "    id = 7",
        "",
        "filters:",
        "    rate_limit: passes",
        "    beta:Beta: runs in the workers only",
        "",
        "API user: 1 in flight of 5, circuit closed",
        "",
        "cluster users, round_robin: GET /cgi?id=7  (by /cgi?id={path.id})",
        "    u1  127.0.0.1:9001  weight 1, 2 in flight",
        (
            "  x u2  127.0.0.1:9001  weight 1, backup, 0 in flight of 9, health down, circuit open: "
            "its circuit is open; down by its health check"
        ),
        "",
        "It would be sent on.",
    ]


def test_a_request_that_no_api_takes() -> None:
    refused = {**REFUSED, "status": 404, "code": "no_route", "detail": "No API matches.", "reason": None}
    lines = list(view(told(candidates=[], candidates_left_out=0, api=None, answer=refused)))
    assert lines[1:] == ["", "The gateway would refuse it: 404 no_route: No API matches."]


def test_a_request_that_is_none() -> None:
    assert list(view(told(request=None, candidates=[], candidates_left_out=0, api=None, answer=REFUSED))) == [
        "",
        "The gateway would refuse it: 429 rate_limited: Too many. (key client_ip)",
    ]


def test_an_answer_of_the_gateway_itself() -> None:
    reply = {"kind": "replied", "status": 301, "headers": []}
    filters = [{"filter": "redirect", "verdict": "answers", "answer": reply}]
    lines = list(view(told(filters=filters, nodes=[], answer=reply, own_filters=[])))
    assert "    redirect: answers 301" in lines
    assert lines[-1] == "The gateway would answer 301 by itself."


def test_a_path_that_must_not_be_matched() -> None:
    lines = list(view(told(candidates=[], api=None, path_problem="the path has a dot segment", answer=REFUSED)))
    assert "the path is not acceptable: the path has a dot segment" in lines


def test_a_cluster_without_servers() -> None:
    node = {**told()["nodes"][0], "servers": [], "rewrite": None}
    assert "    it has no servers" in list(view(told(nodes=[node])))


def test_routing_rules_are_shown_before_where_the_request_goes() -> None:
    rules = [
        {"rule": "beta", "cluster": "v2", "taken": False, "reason": "its conditions do not hold"},
        {"rule": "canary", "cluster": "v2", "taken": True, "reason": "applies"},
    ]
    node = {**told()["nodes"][0], "rules": rules}
    lines = list(view(told(nodes=[node])))
    at = lines.index("routing rules, in order:")
    assert lines[at + 1 : at + 3] == [
        "    beta to cluster v2: its conditions do not hold",
        " -> canary to cluster v2: applies",
    ]


def test_the_parts_of_a_whole() -> None:
    node = told()["nodes"][0] | {"servers": [], "rewrite": None, "batch": 1, "attr": "user", "required": False}
    for more, line in (
        ({"required": True}, "part user of batch 1, needed: cluster users, round_robin: GET /cgi?id=7"),
        ({}, "part user of batch 1: cluster users, round_robin: GET /cgi?id=7"),
        ({"default": [1]}, "part user of batch 1, [1] stands in: cluster users, round_robin: GET /cgi?id=7"),
    ):
        assert line in list(view(told(nodes=[node | more])))

"""The table of aggregation: what clients get for what the servers of the nodes do, each row against real servers."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.worker.aggregation import GET, Answer, Kitchen, Script, after, breaks_off, closes, in_turn, never, says
from tests.worker.stage import Stage

A, B = says(b'{"id": 7}'), says(b'{"n": 1}')
BOTH = {"a": {"id": 7}, "b": {"n": 1}}
PARTIAL, DEFAULT = {"on_failure": "partial"}, {"on_failure": "default"}
TIMEOUT = {"timeout_s": 0.05}
#: with open connections parts go the short way (part_express.py), without they go in greenlets
WAYS = ("short", "long")


@dataclass
class Case:
    """One row: the servers, the nodes' fields and the API's, and what the client gets."""

    nodes: Mapping[str, bytes | Script]
    body: Any
    status: int = 200
    more: dict[str, Any] = field(default_factory=dict)
    merge: dict[str, Any] | None = None
    api: dict[str, Any] = field(default_factory=dict)
    completed: str = "true"
    parts: list[str] = field(default_factory=list)
    request: bytes = GET


def problem(status: int, code: str, part: str) -> Callable[[Any], bool]:
    """Return what says whether a body is such a problem document."""
    wanted = {"status": status, "code": code, "part": part}
    return lambda body: wanted.items() <= body.items()


COMPLETE = {
    "two parts": Case({"a": A, "b": B}, BOTH),
    "one part": Case({"a": A}, {"a": {"id": 7}}),
    "ten parts": Case({f"n{at}": A for at in range(10)}, {f"n{at}": {"id": 7} for at in range(10)}),
    "every 2xx is fine": Case({"a": says(b"1", status=201), "b": says(b"2", status=299)}, {"a": 1, "b": 2}),
    "no content is null": Case({"a": b"HTTP/1.1 204 No Content\r\n\r\n", "b": B}, {"a": None, "b": {"n": 1}}),
    "an empty body is null": Case({"a": says(b""), "b": B}, {"a": None, "b": {"n": 1}}),
    "any JSON value": Case(
        {"a": says(b"[1, 2]"), "b": says(b'"x"'), "c": says(b"0.5")}, {"a": [1, 2], "b": "x", "c": 0.5}
    ),
    "text is a string": Case({"a": says(b'he said "hi"\n', b"Content-Type: text/plain")}, {"a": 'he said "hi"\n'}),
    "text that looks like JSON": Case({"a": says(b"7", b"Content-Type: text/plain")}, {"a": "7"}),
    "a charset": Case({"a": says(b"caf\xe9", b"Content-Type: text/plain; charset=iso-8859-1")}, {"a": "café"}),
    "JSON that is none": Case({"a": says(b'{"a": 1,}')}, {"a": '{"a": 1,}'}),
    "JSON without a type": Case({"a": b'HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n{"a": 1}'}, {"a": {"a": 1}}),
    "a chunked part": Case(
        {"a": b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{"a"\r\n3\r\n:1}\r\n0\r\n\r\n'},
        {"a": {"a": 1}},
    ),
    "a coded part all the same": Case(
        {"a": says(gzip.compress(b'{"id": 7}'), b"Content-Encoding: gzip"), "b": B}, BOTH
    ),
    "a large coded part": Case(
        {
            "a": says(
                gzip.compress(bytes(range(32, 127)) * 600, 0), b"Content-Encoding: gzip", b"Content-Type: text/plain"
            )
        },
        {"a": (bytes(range(32, 127)) * 600).decode()},
    ),
    "select and rename": Case(
        {"a": says(b'{"id": 7, "secret": 1, "address": {"zip": "1", "city": "X"}}'), "b": B},
        {"a": {"user": 7, "address": {"zip": "1"}}, "b": {"n": 1}},
        more={"a": {"select": ["id", "address.zip"], "rename": {"id": "user"}}},
    ),
    "flatten": Case(
        {"a": says(b'{"x": 1, "y": 2}'), "b": says(b'{"y": 3}')}, {"x": 1, "y": 3}, merge={"flatten": True}
    ),
    "flatten what is no object": Case({"a": says(b"[1]"), "b": B}, {"a": [1], "n": 1}, merge={"flatten": True}),
    "group": Case({"a": A, "b": B}, {"all": BOTH}, merge={"group": "all"}),
    "a slower part": Case({"a": after(0.03, A), "b": B}, BOTH),
    "batches": Case({"a": A, "b": after(0.02, B)}, BOTH, more={"a": {"batch": 1}}),
    "HEAD": Case({"a": A, "b": B}, None, request=b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"),
    "a part that is tried again": Case(
        {"a": in_turn(closes, A), "b": B}, BOTH, more={"a": {"retry": {"backoff_ms": 0}}}
    ),
}

PARTIALLY = {
    "partial: a server's own failure": Case(
        {"a": says(b"no", status=500), "b": B}, {"a": None, "b": {"n": 1}}, merge=PARTIAL, completed="false",
        parts=["a;status=500", "b;status=200"],
    ),
    "partial: not found": Case(
        {"a": A, "b": says(b"no", status=404)}, {"a": {"id": 7}, "b": None}, merge=PARTIAL, completed="false",
        parts=["a;status=200", "b;status=404"],
    ),
    "partial: too slow": Case(
        {"a": never, "b": B}, {"a": None, "b": {"n": 1}}, merge=PARTIAL, more={"a": TIMEOUT}, completed="false",
        parts=["a;status=504", "b;status=200"],
    ),
    "partial: broken off": Case(
        {"a": breaks_off, "b": B}, {"a": None, "b": {"n": 1}}, merge=PARTIAL, completed="false",
        parts=["a;status=502", "b;status=200"],
    ),
    "partial: too large": Case(
        {"a": says(b'"%b"' % (b"x" * 200_000)), "b": B}, {"a": None, "b": {"n": 1}}, merge=PARTIAL, completed="false",
        parts=["a;status=502", "b;status=200"],
    ),
    "partial: a redirect is no part": Case(
        {"a": says(b"", b"Location: /x", status=302), "b": B}, {"a": None, "b": {"n": 1}}, merge=PARTIAL,
        completed="false", parts=["a;status=502", "b;status=200"],
    ),
    "partial: a default stands in": Case(
        {"a": says(status=503), "b": B}, {"a": {"id": 0}, "b": {"n": 1}}, merge=PARTIAL,
        more={"a": {"default": {"id": 0}}}, completed="false", parts=["a;status=503;source=default", "b;status=200"],
    ),
    "partial: nobody came": Case(
        {"a": closes, "b": never}, {"a": None, "b": None}, merge=PARTIAL, more={"b": TIMEOUT}, completed="false",
        parts=["a;status=502", "b;status=504"],
    ),
    "partial: the time of the whole is over": Case(
        {"a": never, "b": B}, {"a": None, "b": {"n": 1}}, merge=PARTIAL, api={"timeouts": {"total_s": 0.05}},
        completed="false", parts=["a;status=504", "b;status=200"],
    ),
    "partial: no time is left for a later batch": Case(
        {"a": never, "b": B}, {"a": None, "b": None}, merge=PARTIAL, more={"b": {"batch": 1}},
        api={"timeouts": {"total_s": 0.05}}, completed="false", parts=["a;status=504", "b;status=504"],
    ),
    "partial and flatten": Case(
        {"a": says(status=500), "b": B}, {"a": None, "n": 1}, merge={**PARTIAL, "flatten": True}, completed="false",
        parts=["a;status=500", "b;status=200"],
    ),
    "default: it counts as complete": Case(
        {"a": says(status=500), "b": B}, {"a": [], "b": {"n": 1}}, merge=DEFAULT, more={"a": {"default": []}},
        parts=["a;status=500;source=default", "b;status=200"],
    ),
    "default: null is one": Case(
        {"a": closes, "b": B}, {"a": None, "b": {"n": 1}}, merge=DEFAULT, more={"a": {"default": None}},
        parts=["a;status=502;source=default", "b;status=200"],
    ),
    "default and flatten": Case(
        {"a": closes, "b": B}, {"x": 1, "n": 1}, merge={**DEFAULT, "flatten": True}, more={"a": {"default": {"x": 1}}},
        parts=["a;status=502;source=default", "b;status=200"],
    ),
    "default: not required without one": Case(
        {"a": closes, "b": B}, {"a": None, "b": {"n": 1}}, merge=DEFAULT, more={"a": {"required": False}},
        completed="false", parts=["a;status=502", "b;status=200"],
    ),
    "fail: not required": Case(
        {"a": closes, "b": B}, {"a": None, "b": {"n": 1}}, more={"a": {"required": False}}, completed="false",
        parts=["a;status=502", "b;status=200"],
    ),
    "fail: not required, with a default": Case(
        {"a": closes, "b": B}, {"a": 0, "b": {"n": 1}}, more={"a": {"required": False, "default": 0}},
        completed="false", parts=["a;status=502;source=default", "b;status=200"],
    ),
    "retried in vain": Case(
        {"a": says(status=503), "b": B}, {"a": None, "b": {"n": 1}}, merge=PARTIAL, completed="false",
        more={"a": {"retry": {"attempts": 3, "statuses": "503", "backoff_ms": 0}}},
        parts=["a;status=503;attempts=3", "b;status=200"],
    ),
}  # fmt: skip

FAILING = {
    "fail: a server's own answer passes": Case(
        {"a": says(b"sold out", b"Content-Type: text/plain", b"X-Own: 1", status=409), "b": B}, b"sold out", 409
    ),
    "fail: also of 5xx": Case({"a": A, "b": says(b'{"e": 1}', status=503)}, {"e": 1}, 503),
    "fail: an unusual status": Case({"a": A, "b": says(b'{"e": 1}', status=799)}, {"e": 1}, 799),
    "fail: too slow": Case({"a": never, "b": B}, problem(504, "upstream_timeout", "a"), 504, more={"a": TIMEOUT}),
    "fail: broken off": Case({"a": breaks_off, "b": B}, problem(502, "bad_upstream", "a"), 502),
    "fail: closed without an answer": Case({"a": A, "b": closes}, problem(502, "bad_upstream", "b"), 502),
    "fail: no HTTP": Case({"a": b"nonsense\r\n\r\n", "b": B}, problem(502, "bad_upstream", "a"), 502),
    "fail: a redirect": Case({"a": says(b"", b"Location: /x", status=301)}, problem(502, "bad_upstream", "a"), 502),
    "fail: unasked 304": Case({"a": b"HTTP/1.1 304 Not\r\n\r\n"}, problem(502, "bad_upstream", "a"), 502),
    "fail: too large": Case({"a": says(b'"%b"' % (b"x" * 200_000))}, problem(502, "answer_too_large", "a"), 502),
    "fail: a bomb": Case(
        {"a": says(gzip.compress(b"x" * 9_000_000), b"Content-Encoding: gzip")}, problem(502, "bad_upstream", "a"), 502
    ),
    "fail: an unknown coding": Case(
        {"a": says(b"x", b"Content-Encoding: br")}, problem(502, "bad_upstream", "a"), 502
    ),
    "fail: the first in the order of the nodes": Case(
        {"a": after(0.03, says(b"1", status=401)), "b": says(b"2", status=402), "c": says(b"3", status=403)}, 1, 401
    ),
    "fail: the time of the whole is over": Case(
        {"a": A, "b": never}, problem(504, "upstream_timeout", "b"), 504, api={"timeouts": {"total_s": 0.05}}
    ),
    "partial: required": Case(
        {"a": says(b"9", status=404), "b": B}, 9, 404, more={"a": {"required": True}}, merge=PARTIAL
    ),
    "partial: required comes before others": Case(
        {"a": closes, "b": says(b"9", status=404)}, 9, 404, more={"b": {"required": True}}, merge=PARTIAL
    ),
    "default: without one": Case({"a": says(b"9", status=404), "b": B}, 9, 404, merge=DEFAULT),
    "an earlier batch fails": Case(
        {"a": A, "b": says(b"9", status=404)}, 9, 404, more={"a": {"batch": 1}},
    ),
    "a value for a rewrite is missing": Case(
        {"a": A, "b": B}, problem(400, "bad_value", "b"), 400, more={"b": {"batch": 1, "rewrite": "/{a.nothing}"}}
    ),
    "a value of the request is missing": Case(
        {"a": A, "b": B}, problem(400, "bad_value", "b"), 400, more={"b": {"rewrite": "/{query.nothing}"}}
    ),
}  # fmt: skip


def asked(staged: Callable[..., Stage], case: Case, way: str) -> Answer:
    merge = {} if case.merge is None else {"merge": case.merge}
    with Kitchen(staged(limits={"part_bytes": 100_000}), case.nodes, case.more, **merge, **case.api) as kitchen:
        if way == "short":
            kitchen.open_connections()
        return kitchen.ask(case.request)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", [*COMPLETE, *PARTIALLY])
def test_a_whole_is_made(staged: Callable[..., Stage], name: str, way: str) -> None:
    case = COMPLETE.get(name) or PARTIALLY[name]
    answer = asked(staged, case, way)
    assert answer.status == 200
    assert (answer.json() if answer.body else None) == case.body
    assert answer.values("content-type") == ["application/json"]
    assert (answer.completed, answer.parts) == ([case.completed], case.parts)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", FAILING)
def test_the_failure_of_a_part_is_the_answer(staged: Callable[..., Stage], name: str, way: str) -> None:
    case = FAILING[name]
    answer = asked(staged, case, way)
    assert answer.status == case.status
    if callable(case.body):
        assert case.body(answer.json())
        assert answer.values("content-type") == ["application/problem+json"]
    else:
        assert (answer.body if isinstance(case.body, bytes) else answer.json()) == case.body
    assert answer.completed == ["false"]
    assert any(part.startswith(tuple("abc")) for part in answer.parts)

from typing import Any

import pytest

from gproxy.core.cors import CrossOrigin, asked_method, check_origin, find_preflighted
from gproxy.core.pattern import Pattern
from gproxy.core.router import Route, Router
from tests.core.asked import Asked

DEFAULTS = {"origins": ["*"], "methods": [], "headers": ["*"], "expose": [], "credentials": False, "max_age_s": 0}


def rule(of_the_api: tuple[str, ...] = (), **fields: Any) -> CrossOrigin:
    return CrossOrigin.compile(DEFAULTS | fields, of_the_api)


def asked(origin: bytes = b"https://a.example", method: bytes = b"GET", **fields: bytes) -> Asked:
    named = {name.replace("_", "-").encode(): value for name, value in fields.items()}
    return Asked(method=method, fields={b"origin": origin, **named} if origin else named)


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("*", "*"),
        ("null", "null"),
        ("https://a.example", "https://a.example"),
        ("http://A.Example:8080", "http://a.example:8080"),
        ("https://*.example.com", "https://*.example.com"),
        ("*.example.com", "*.example.com"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("http://localhost:3000", "http://localhost:3000"),
    ],
)
def test_origins(text: str, origin: str) -> None:
    assert check_origin(text) == origin


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a.example", "has no scheme"),
        ("*.a.example:8080", "has no scheme"),
        ("https://a.example/", "is not an origin"),
        ("ftp://a.example", "is not an origin"),
        ("https://a.*.example", "host name"),
        ("https://a b", "host name"),
        ("https://a.example:443", "leave the usual port out: write https://a.example"),
        ("https://*", "leave hosts out"),
    ],
)
def test_what_is_no_origin(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        check_origin(text)


@pytest.mark.parametrize(
    ("origins", "origin", "is_allowed"),
    [
        (["*"], b"https://a.example", True),
        (["*"], b"null", True),
        (["null"], b"null", True),
        (["https://a.example"], b"https://a.example", True),
        (["https://a.example"], b"https://A.EXAMPLE", True),
        (["https://a.example"], b"http://a.example", False),
        (["https://a.example"], b"https://a.example:8443", False),
        (["https://a.example"], b"https://a.example.evil", False),
        (["https://a.example"], b"null", False),
        (["https://*.example.com"], b"https://x.example.com", True),
        (["https://*.example.com"], b"https://x.y.example.com", True),
        (["https://*.example.com"], b"https://example.com", False),
        (["https://*.example.com"], b"https://.example.com", False),
        (["https://*.example.com"], b"https://x.example.com:8443", False),
        (["https://*.example.com"], b"http://x.example.com", False),
        (["https://*.example.com"], b"https://evil.com/x.example.com", False),
        (["https://*.example.com"], b"https://evilexample.com", False),
        (["https://*.example.com:8443"], b"https://x.example.com:8443", True),
        (["*.example.com"], b"http://x.example.com:3000", True),
        (["*.example.com"], b"https://x.example.com", True),
        (["*.example.com"], b"https://evil.com:1.example.com", False),
        (["*.example.com"], b"https://x.example.com.evil", False),
    ],
)
def test_who_is_let_in(origins: list[str], origin: bytes, is_allowed: bool) -> None:
    assert rule(origins=origins).allows(origin) == is_allowed


def test_answers_are_marked() -> None:
    strict = rule(origins=["https://a.example"], credentials=True, expose=["X-A", "X-B"])
    assert strict.lines(asked()) == (
        b"Access-Control-Allow-Origin: https://a.example\r\nAccess-Control-Allow-Credentials: true\r\n"
        b"Access-Control-Expose-Headers: X-A, X-B\r\nVary: Origin\r\n"
    )
    assert strict.lines(asked(b"https://b.example")) == strict.lines(asked(b"")) == b"Vary: Origin\r\n"


def test_what_is_open_to_all_is_the_same_for_all() -> None:
    for origin in (b"https://a.example", b"null", b""):
        assert rule().lines(asked(origin)) == b"Access-Control-Allow-Origin: *\r\n"


def preflight(made: CrossOrigin, method: bytes = b"PUT", headers: bytes = b"x-a, x-b") -> list[bytes]:
    request = asked(method=b"OPTIONS", access_control_request_headers=headers)
    return made.preflight(request, method).split(b"\r\n")


def test_preflights_are_told_what_is_allowed() -> None:
    vary = b"Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
    assert preflight(rule()) == [
        b"Access-Control-Allow-Origin: *",
        b"Access-Control-Allow-Methods: PUT",
        b"Access-Control-Allow-Headers: x-a, x-b",
        vary,
        b"",
    ]
    strict = {"origins": ["https://a.example"], "headers": ["X-A"], "credentials": True, "max_age_s": 60}
    assert preflight(rule(("GET", "POST"), **strict)) == [
        b"Access-Control-Allow-Origin: https://a.example",
        b"Access-Control-Allow-Methods: GET, POST",
        b"Access-Control-Allow-Headers: X-A",
        b"Access-Control-Allow-Credentials: true",
        b"Access-Control-Max-Age: 60",
        vary,
        b"",
    ]
    assert b"Access-Control-Allow-Methods: DELETE" in preflight(rule(("GET",), methods=["DELETE"]))
    assert b"Access-Control-Allow-Methods: PUT" in preflight(rule(("GET",), methods=["*"]))
    assert preflight(rule(origins=["https://b.example"])) == [vary, b""]


def test_what_is_no_list_of_names_is_not_repeated() -> None:
    lines = preflight(rule(), b"PUT x", b"x-a,, x b")
    assert lines[1:3] == [b"Access-Control-Allow-Methods: ", b"Access-Control-Allow-Headers: "]


def test_what_a_preflight_is() -> None:
    wanted = {"access_control_request_method": b"PUT"}
    assert asked_method(asked(method=b"OPTIONS", **wanted)) == b"PUT"
    assert asked_method(asked(method=b"GET", **wanted)) is None
    assert asked_method(asked(b"", b"OPTIONS", **wanted)) is None
    assert asked_method(asked(method=b"OPTIONS")) is None


class Api:
    """`preflighted` is what stands for it when it answers preflights."""

    def __init__(self, answers_preflights: bool) -> None:
        self.preflighted = object() if answers_preflights else None


def test_a_preflight_goes_to_the_api_of_its_request() -> None:
    router = Router()
    reads, writes, rest = Api(True), Api(False), Api(True)
    for name, path, methods, api in (
        ("reads", "/a", {b"GET"}, reads),
        ("writes", "/a", {b"POST"}, writes),
        ("rest", "/*", set[bytes](), rest),
    ):
        router.add(Route(name, (), frozenset(methods), Pattern.parse(path), 0, api))

    def found(method: bytes, path: bytes = b"/a") -> object:
        request = asked(method=b"OPTIONS", access_control_request_method=method)
        there = find_preflighted(router, request, path)
        return there and there.target

    assert found(b"GET") is reads.preflighted
    assert found(b"POST") is None  # it has no rule: OPTIONS is routed as ever
    assert found(b"PUT") is rest.preflighted
    assert found(b"GET", b"/b") is rest.preflighted
    assert find_preflighted(router, asked(), b"/a") is None

from typing import Any

import pytest

from gproxy.core.pattern import Pattern
from gproxy.core.router import Found, Route, Router


def route(
    path: str,
    name: str = "",
    hosts: tuple[str, ...] = (),
    methods: str = "",
    priority: int = 0,
) -> Route:
    wanted = frozenset(methods.encode().split())
    return Route(name or path, hosts, wanted, Pattern.parse(path), priority, name or path)


def router(*routes: Route | str) -> Router:
    made = Router()
    for one in routes:
        made.add(route(one) if isinstance(one, str) else one)
    return made


def winner(found: Found | None) -> tuple[Any, ...] | None:
    return None if found is None else (found.target, *found.values)


# (paths of the routes, {request path: winner and values, or None})
TABLES: dict[str, tuple[list[str], dict[bytes, tuple[str | bytes, ...] | None]]] = {
    "nothing": ([], {b"/": None, b"/a": None}),
    "root": (["/"], {b"/": ("/",), b"//": None, b"/a": None}),
    "exact": (
        ["/a/b", "/a/b/"],
        {
            b"/a/b": ("/a/b",),
            b"/a/b/": ("/a/b/",),
            b"/a/b//": None,
            b"/a": None,
            b"/A/b": None,
            b"//a/b": None,
        },
    ),
    "prefix": (
        ["/a/*"],
        {
            b"/a": None,
            b"/a/": ("/a/*",),
            b"/a/b/c": ("/a/*",),
            b"/a//": ("/a/*",),
            b"/ab/": None,
            b"//a/": None,
        },
    ),
    "prefix, its own path and the one without the slash": (
        ["/a", "/a/", "/a/*"],
        {b"/a": ("/a",), b"/a/": ("/a/",), b"/a/x": ("/a/*",), b"/a//": ("/a/*",)},
    ),
    "all": (["/*"], {b"/": ("/*",), b"//": ("/*",), b"/a/b": ("/*",), b"/%2F": ("/*",), b"/.a": ("/*",)}),
    "longest prefix": (
        ["/*", "/a/*", "/a/b/*", "/{x}/*", "/{x}/{y}/*"],
        {
            b"/": ("/*",),
            b"/a": ("/*",),
            b"/a/": ("/a/*",),
            b"/a/b": ("/a/*",),
            b"/a/b/c": ("/a/b/*",),
            b"/z/": ("/{x}/*", b"z"),
            b"/z/b/": ("/{x}/{y}/*", b"z", b"b"),
            b"//b/": ("/*",),
            b"/a//c": ("/a/*",),
        },
    ),
    "template": (
        ["/users/{id}"],
        {
            b"/users/42": ("/users/{id}", b"42"),
            b"/users/a%2Fb": ("/users/{id}", b"a%2Fb"),
            b"/users/a%2fb": ("/users/{id}", b"a%2Fb"),
            b"/%75sers/%34%32": ("/users/{id}", b"42"),
            b"/users/%252F": ("/users/{id}", b"%252F"),
            b"/users/%C3%A9": ("/users/{id}", b"\xc3\xa9"),
            b"/users/%ff\xfe": ("/users/{id}", b"\xff\xfe"),
            b"/users/%20+": ("/users/{id}", b" +"),
            b"/users/.x": ("/users/{id}", b".x"),
            b"/users/": None,
            b"/users": None,
            b"/users/42/": None,
            b"/users//42": None,
            b"/users%2F42": None,
        },
    ),
    "two variables": (
        ["/{a}/{b}"],
        {b"/x/y": ("/{a}/{b}", b"x", b"y"), b"/x/": None, b"//y": None, b"/x/y/z": None, b"/x": None},
    ),
    "digits": (
        ["/u/{id:int}"],
        {
            b"/u/0": ("/u/{id:int}", b"0"),
            b"/u/007": ("/u/{id:int}", b"007"),
            b"/u/" + b"9" * 5000: ("/u/{id:int}", b"9" * 5000),
            b"/u/%31": ("/u/{id:int}", b"1"),
            b"/u/": None,
            b"/u/-1": None,
            b"/u/+1": None,
            b"/u/1.0": None,
            b"/u/1_0": None,
            b"/u/0x1": None,
            b"/u/1%0A": None,
            b"/u/%201": None,
            b"/u/%D9%A1": None,  # ARABIC-INDIC DIGIT ONE
            b"/u/%C2%B2": None,  # SUPERSCRIPT TWO
            b"/u/\xb2": None,
        },
    ),
    "alternatives": (
        ["/o/{s:on|off|a%2Fb}"],
        {
            b"/o/on": ("/o/{s:on|off|a%2Fb}", b"on"),
            b"/o/%6ff": None,
            b"/o/%6fff": ("/o/{s:on|off|a%2Fb}", b"off"),
            b"/o/a%2fb": ("/o/{s:on|off|a%2Fb}", b"a%2Fb"),
            b"/o/a/b": None,
            b"/o/ON": None,
            b"/o/": None,
            b"/o/on|off": None,
        },
    ),
    "typed variables are alike in rank: the name decides": (
        ["/{b:int}", "/{a}", "/{c:x|1}"],
        {b"/1": ("/{a}", b"1"), b"/x": ("/{a}", b"x")},
    ),
    "typed before prefix": (
        ["/{id:int}/x", "/{s:a|b}/x", "/{any}/*"],
        {
            b"/1/x": ("/{id:int}/x", b"1"),
            b"/a/x": ("/{s:a|b}/x", b"a"),
            b"/c/x": ("/{any}/*", b"c"),
            b"/1/y": ("/{any}/*", b"1"),
        },
    ),
    "literals with escapes": (
        ["/a%2Fb", "/a/b", "/100%25", "/%7Bid%7D", "/%2A", "/é/{x}"],
        {
            b"/a%2fb": ("/a%2Fb",),
            b"/a/b": ("/a/b",),
            b"/%61%2Fb": ("/a%2Fb",),
            b"/100%25": ("/100%25",),
            b"/{id}": ("/%7Bid%7D",),
            b"/*": ("/%2A",),
            b"/%c3%A9/1": ("/é/{x}", b"1"),
            b"/\xc3\xa9/1": ("/é/{x}", b"1"),
            b"/%e9/1": None,
        },
    ),
    "empty segments": (
        ["//", "/a//b", "//*", "/{x}//{y}", "//{x}"],
        {
            b"//": ("//",),
            b"/a//b": ("/a//b",),
            b"/z//b": ("/{x}//{y}", b"z", b"b"),
            b"//b": ("//{x}", b"b"),
            b"//b/c": ("//*",),
            b"///": ("//*",),
            b"/": None,
        },
    ),
    "a path with more segments than any pattern": (
        ["/a/{x}", "/b/{x}/*", "/{x}"],
        {
            b"/a/b/c/d/e": None,
            b"/a/b/": None,
            b"/b/c/d/e/f": ("/b/{x}/*", b"c"),
            b"/b/c//": ("/b/{x}/*", b"c"),
            b"/" * 8000: None,
            b"/b/c" + b"/" * 8000: ("/b/{x}/*", b"c"),
        },
    ),
    "regular expressions": (
        [r"~^/v(\d+)/(.+)$", "~^/v(?P<major>[0-9])/(x)|(y)$", "~end$", "~(?i)^/CASE"],
        {
            b"/v1/users": (r"~^/v(\d+)/(.+)$", b"1", b"users"),
            b"/v1/a%2Fb": (r"~^/v(\d+)/(.+)$", b"1", b"a%2Fb"),
            b"/v1/%0A": (r"~^/v(\d+)/(.+)$", b"1", b"\n"),
            b"/v%31/x": ("~^/v(?P<major>[0-9])/(x)|(y)$", b"1", b"x", b""),
            b"/zy": ("~^/v(?P<major>[0-9])/(x)|(y)$", b"", b"", b"y"),
            b"/v1/": None,
            b"/the/end": ("~end$",),
            b"/the/end/": None,
            b"/end%0A": None,
            b"/case/x": ("~(?i)^/CASE",),
            b"/v1/%ff": None,
        },
    ),
    "any path form before a regular expression": (
        ["~^/a/b$", "/*", "~."],
        {b"/a/b": ("/*",), b"/": ("/*",)},
    ),
}


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("reverse", [False, True])
def test_tables(table: str, reverse: bool) -> None:
    paths, requests = TABLES[table]
    made = router(*(reversed(paths) if reverse else paths))
    assert {path: winner(made.find(b"h", b"GET", path)) for path in requests} == requests


@pytest.mark.parametrize("path", [b"/a/../b", b"/%2e%2e", b"/..", b"/a/.%2E", b"/%00", b"/%", b"**", b"", b"a"])
@pytest.mark.parametrize("paths", [[], ["/*"], ["~."], ["/{a}/{b}/{c}"]])
def test_a_path_that_must_not_be_matched(path: bytes, paths: list[str]) -> None:
    made = router(*paths)
    with pytest.raises(ValueError, match="path"):
        made.find(b"h", b"GET", path)


def test_the_asterisk_of_options_has_no_route() -> None:
    made = router("/*", "/{x}", "~.", "~[*]")
    assert made.find(b"h", b"OPTIONS", b"*") is None
    assert made.allowed(b"h", b"*") == frozenset()


# Each line: routes from first to last in order; all of them match GET http://api.example.com/a/1
@pytest.mark.parametrize(
    "ordered",
    [
        [route("/a/1", "b"), route("/a/{x}", "a")],
        [route("/a/1", "a"), route("/a/1", "b"), route("/a/1", "c")],
        [route("~.", "z", priority=1), route("/a/1", "y"), route("/*", "a", priority=-1)],
        [route("/*", "z", priority=2), route("/a/{x}", "y", priority=1), route("/a/1", "x")],
        [route("/a/{x}", "b", priority=1), route("/{x}/1", "a", priority=1), route("/a/1", "c")],
        [
            route("/a/1", "z", hosts=("api.example.com",)),
            route("/a/1", "y", hosts=("*.example.com",)),
            route("/a/1", "x", hosts=("*.com",)),
            route("/a/1", "w"),
        ],
        [route("/a/{x}", "z"), route("/a/*", "y", hosts=("api.example.com",))],
        [route("/a/*", "z"), route("/*", "y", hosts=("api.example.com",)), route("/*", "x")],
        [route("/*", "z"), route("~.", "y", hosts=("api.example.com",)), route("~.", "x", hosts=("*.com",))],
        [
            route("/a/1", "b", hosts=("other.com", "api.example.com", "*.com")),
            route("/a/1", "a", hosts=("*.example.com",)),
        ],
        [route("/*", "b", hosts=("*.com",), priority=1), route("/a/1", "a", hosts=("api.example.com",))],
    ],
)
def test_order(ordered: list[Route]) -> None:
    expected = [one.name for one in ordered]
    for adding in (ordered, ordered[::-1]):
        left = list(adding)
        winners = []
        while left:
            found = router(*left).find(b"api.example.com", b"GET", b"/a/1")
            assert found is not None
            winners.append(str(found.target))
            left = [one for one in left if one.name != found.target]
        assert winners == expected


HOSTS = [
    route("/*", "exact", hosts=("a.example.com",)),
    route("/*", "one", hosts=("*.example.com",)),
    route("/*", "two", hosts=("*.b.example.com",)),
    route("/*", "address", hosts=("127.0.0.1", "[::1]")),
]


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        (b"a.example.com", "exact"),
        (b"b.example.com", "one"),
        (b"x.a.example.com", "one"),
        (b"x.b.example.com", "two"),
        (b"y.x.b.example.com", "two"),
        (b".example.com", "one"),
        (b"example.com", None),
        (b"badexample.com", None),
        (b"a.example.com.", None),
        (b"a.example.org", None),
        (b"com", None),
        (b"", None),
        (b"*.example.com", "one"),
        (b"127.0.0.1", "address"),
        (b"[::1]", "address"),
        (b"a." * 10000 + b"example.com", "one"),
    ],
)
@pytest.mark.parametrize("with_any", [False, True])
def test_hosts(host: bytes, expected: str | None, with_any: bool) -> None:
    made = router(*HOSTS, *[route("/*", "any")] * with_any)
    for _ in range(2):
        found = made.find(host, b"GET", b"/x")
        assert (found.target if found else None) == (expected or ("any" if with_any else None))


@pytest.mark.parametrize("host", ["*", "*.", "a.*", "*.*.com", "a*.com", "*.a*"])
def test_hosts_that_are_none(host: str) -> None:
    with pytest.raises(ValueError, match="stands only for the first labels"):
        Router().add(route("/*", hosts=(host,)))


def test_a_host_that_was_asked_for_before_its_other_routes_came() -> None:
    made = router(route("/a", "a", hosts=("x.com",)))
    assert made.find(b"x.com", b"GET", b"/b") is None
    made.add(route("/*", "any"))
    assert winner(made.find(b"x.com", b"GET", b"/b")) == ("any",)
    made.add(route("/b", "wild", hosts=("*.com",)))
    assert winner(made.find(b"x.com", b"GET", b"/b")) == ("wild",)


METHODS = [
    route("/a", "a-get", methods="GET"),
    route("/a", "a-post", methods="POST PUT"),
    route("/{x}", "x-delete", methods="DELETE POST"),
    route("/p/*", "p-patch", methods="PATCH", hosts=("h.com",)),
    route("/p/{x}", "p-head", methods="HEAD"),
    route("~^/r", "r-options", methods="OPTIONS"),
    route("/all", "all"),
    route("/all", "aall-get", methods="GET", priority=-1),
]


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        (b"GET", b"/a", "a-get"),
        (b"HEAD", b"/a", "a-get"),
        (b"POST", b"/a", "a-post"),
        (b"PUT", b"/a", "a-post"),
        (b"DELETE", b"/a", "x-delete"),
        (b"POST", b"/b", "x-delete"),
        (b"OPTIONS", b"/r", "r-options"),
        (b"BREW", b"/all", "all"),
        (b"GET", b"/all", "all"),
        (b"PATCH", b"/p/x", "p-patch"),
        (b"HEAD", b"/p/x", "p-head"),
        (b"PATCH", b"/a", {b"GET", b"HEAD", b"POST", b"PUT", b"DELETE"}),
        (b"get", b"/a", {b"GET", b"HEAD", b"POST", b"PUT", b"DELETE"}),
        (b"GET", b"/b", {b"DELETE", b"POST"}),
        (b"GET", b"/p/x", {b"PATCH", b"HEAD"}),
        (b"GET", b"/p/x/y", {b"PATCH"}),
        (b"GET", b"/r", {b"OPTIONS", b"DELETE", b"POST"}),
        (b"GET", b"/r/s", {b"OPTIONS"}),
        (b"GET", b"/none/at/all", set()),
        (b"DELETE", b"/", set()),
    ],
)
def test_methods(method: bytes, path: bytes, expected: str | set[bytes]) -> None:
    made = router(*METHODS)
    found = made.find(b"h.com", method, path)
    if isinstance(expected, str):
        assert found is not None
        assert found.target == expected
    else:
        assert found is None
        assert made.allowed(b"h.com", path) == expected


def test_a_better_route_of_another_method_does_not_hide_one_that_takes_it() -> None:
    made = router(
        route("/a/b", "exact", methods="PUT", priority=9),
        route("/a/{x}", "template", methods="POST", priority=5),
        route("/a/*", "prefix", methods="GET"),
        route("~.", "regex"),
    )
    winners = [made.find(b"", method, b"/a/b") for method in (b"PUT", b"POST", b"GET", b"BREW")]
    assert [found and found.target for found in winners] == ["exact", "template", "prefix", "regex"]


def test_a_route_without_variables_has_its_answer_ready() -> None:
    made = router("/a", "/p/*", "~^/r")
    for path in (b"/a", b"/p/1", b"/r"):
        assert made.find(b"", b"GET", path) is made.find(b"", b"GET", path)

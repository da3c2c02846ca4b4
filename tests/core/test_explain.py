from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gproxy.core.explain import Candidate, candidates
from gproxy.core.pattern import Pattern
from gproxy.core.router import Route, Router


class Target(NamedTuple):
    is_up: bool = True


def route(
    path: str, name: str = "", hosts: tuple[str, ...] = (), methods: str = "", priority: int = 0, is_up: bool = True
) -> Route:
    wanted = frozenset(method.encode() for method in methods.split())
    return Route(name or path, hosts, wanted, Pattern.parse(path), priority, Target(is_up))


def told(found: list[Candidate]) -> list[tuple[str, str]]:
    return [(one.route.name, one.reason) for one in found]


def test_every_route_and_why() -> None:
    routes = [
        route("/users/{id}"),
        route("/users/7", "exact", methods="POST PUT"),
        route("/users/*", "rest"),
        route("/users/{id}", "elsewhere", hosts=("other.example",)),
        route("/users/{id}", "off", is_up=False),
        route("/orders/{id}"),
        route("/usages", "near", hosts=("other.example",), methods="PUT"),
    ]
    assert told(candidates(routes, b"a.example", b"GET", b"/users/7")) == [
        ("/users/{id}", "chosen"),
        ("rest", "matches, but comes later in the order"),
        ("off", "its status is down"),
        ("elsewhere", "host does not match"),
        ("exact", "method does not match"),
        ("/orders/{id}", "path does not match"),
        ("near", "path and host and method do not match"),
    ]


def test_head_fits_where_get_does() -> None:
    (only,) = candidates([route("/a", methods="GET")], b"", b"HEAD", b"/a")
    assert only.is_chosen


def test_a_path_that_must_not_be_matched() -> None:
    with pytest.raises(ValueError, match="dot segment"):
        candidates([route("/*")], b"", b"GET", b"/a/../b")


PATHS = st.sampled_from(["/a", "/a/*", "/{x}", "/{x:int}", "/a/b", "/{x}/b", "/a/{y}", "/*", "~^/a", "~b$"])
ROUTES = st.builds(
    lambda path, number, hosts, methods, priority: route(path, f"r{number}", hosts, methods, priority),
    PATHS,
    st.integers(0, 9),
    st.sampled_from([(), ("a.de",), ("*.de",), ("b.de", "a.de")]),
    st.sampled_from(["", "GET", "POST"]),
    st.integers(-1, 1),
)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(ROUTES, max_size=8, unique_by=lambda one: one.name),
    st.sampled_from([b"a.de", b"b.de", b"c.de", b"de", b""]),
    st.sampled_from([b"GET", b"HEAD", b"POST"]),
    st.sampled_from([b"/a", b"/a/b", b"/7", b"/a/", b"/", b"/x/b/c", b"/%61"]),
)
def test_the_chosen_one_is_the_one_that_serves(routes: list[Route], host: bytes, method: bytes, path: bytes) -> None:
    router = Router()
    for one in routes:
        router.add(Route(one.name, one.hosts, one.methods, one.path, one.priority, one))
    serves = router.find(host, method, path)
    found = candidates(routes, host, method, path)
    assert [one.route for one in found if one.is_chosen] == ([] if serves is None else [serves.target])
    assert len(found) == len(routes)

"""The router agrees with the naive one on any routes and requests.

With GPROXY_LARGE_TESTS in the environment more than 100,000 requests are compared, which takes some minutes.
"""

import os

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from gproxy.core.path import plain
from gproxy.core.pattern import Pattern
from gproxy.core.router import Route, Router
from tests.core import naive_router as naive

EXAMPLES, LEAST, MOST = (4_500, 15, 40) if "GPROXY_LARGE_TESTS" in os.environ else (250, 1, 20)
literal_texts = st.sampled_from(["a", "b", "1", "ab", "%61", "a%2Fb", "%25", "%C3%A9", ""])
variables = st.sampled_from(["{%s}", "{%s}", "{%s:int}", "{%s:a|1}", "{%s:b|a%%2Fb}"])


@st.composite
def pattern_texts(draw: st.DrawFn) -> str:
    if draw(st.integers(0, 9)) == 0:
        return "~" + draw(st.sampled_from(["a", "^/a", r"^/(\d+)/", "^/(a|b)(/.*)?$", "^/a/?b*", "b$", "(%2F)"]))
    pieces = [
        draw(variables) % f"v{number}" if draw(st.booleans()) else draw(literal_texts)
        for number in range(draw(st.integers(1, 4)))
    ]
    return "/" + "/".join(pieces) + draw(st.sampled_from(["", "", "/*", "/"]))


plain_routes = st.builds(
    naive.Plain,
    name=st.text("abc", min_size=1, max_size=3),
    hosts=st.lists(st.sampled_from(["a.com", "x.a.com", "*.a.com", "*.com", "*.x.a.com"]), max_size=2, unique=True).map(
        tuple
    ),
    methods=st.lists(st.sampled_from(["GET", "POST", "BREW"]), max_size=2, unique=True).map(tuple),
    path=pattern_texts() | st.sampled_from(["/*", "/", "/{v0}"]),
    priority=st.sampled_from([0, 0, 0, 1, -1]),
)
request_paths = st.lists(
    st.sampled_from(["a", "b", "1", "ab", "%61", "%62", "a%2fb", "%25", "%C3%a9", "", "%31", "zz"]),
    min_size=1,
    max_size=5,
).map(lambda pieces: "".join("/" + piece for piece in pieces).encode())
requests = st.tuples(
    st.sampled_from(["a.com", "x.a.com", "y.x.a.com", "b.com", "com", ""]),
    st.sampled_from(["GET", "HEAD", "POST", "BREW", "PUT"]),
    request_paths,
)


compared = [0]


@pytest.mark.timeout(1800)
@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.lists(plain_routes, max_size=25, unique_by=lambda one: one.name),
    st.lists(requests, min_size=LEAST, max_size=MOST),
)
def test_agrees_with_a_naive_matcher(plain_ones: list[naive.Plain], asked: list[tuple[str, str, bytes]]) -> None:
    made = Router()
    for one in plain_ones:
        wanted = frozenset(method.encode() for method in one.methods)
        made.add(Route(one.name, one.hosts, wanted, Pattern.parse(one.path), one.priority, one))
    compared[0] += len(asked)
    for host, method, path in asked:
        candidates = naive.candidates(plain_ones, host, path)
        taking = [(one, values) for _, one, values in candidates if not one.methods or method in naive.methods_of(one)]
        expected = None if not taking else (taking[0][0], *taking[0][1])
        found = made.find(host.encode(), method.encode(), path)
        actual = None if found is None else (found.target, *map(plain, found.values))
        assert actual == expected, (host, method, path)
        event("a match among " + ("several" if len(taking) > 1 else "one" if taking else "none"))
        if found is None:
            allowed = {name for _, one, _ in candidates for name in naive.methods_of(one)}
            assert made.allowed(host.encode(), path) == {name.encode() for name in allowed}


def test_so_many_requests_were_compared() -> None:
    assert compared[0] >= (100_000 if "GPROXY_LARGE_TESTS" in os.environ else EXAMPLES)

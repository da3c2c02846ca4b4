from collections.abc import Mapping
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gproxy.core.backends import Cluster, compile_cluster
from gproxy.core.model import MODELS, normalised
from gproxy.core.rule import Rule, Rules, Verdict, place
from tests.core.asked import Asked

CLUSTERS: Mapping[str, Cluster] = {
    "v2": compile_cluster(normalised(MODELS["cluster"].model_validate({"name": "v2"})), {})
}


def rule(name: str = "r", **fields: Any) -> Rule:
    document = normalised(MODELS["routing"].model_validate({"name": name, "cluster": "v2", **fields}))
    made = Rule.compiled(document, 7, CLUSTERS)
    assert made is not None
    return made


def never(asked: Rule) -> bool:
    raise AssertionError("nobody is asked")


def verdict(made: Rule, request: Asked | None = None, now_s: float = 0.0) -> Verdict:
    return made.verdict(request or Asked(), now_s, never)


def test_a_rule_with_every_default_applies_to_everything() -> None:
    made = rule()
    assert (made.api, made.node, made.row, made.expires_s, made.path, made.when) == (None, "", 7, inf, None, None)
    assert made.cluster is CLUSTERS["v2"]
    assert verdict(made) is Verdict.APPLIES


def test_a_mirror_is_told_from_a_split() -> None:
    assert rule().mirror is None
    made = rule(action="mirror", timeout_s=1.5, max_body_bytes=10, compare={"headers": ["X-A"]}).mirror
    assert made is not None
    assert (made.timeout_s, made.most_bytes, made.compare and made.compare.headers) == (1.5, 10, (b"x-a",))


def test_a_rule_that_is_down_is_none() -> None:
    document = normalised(MODELS["routing"].model_validate({"name": "r", "cluster": "v2", "status": "down"}))
    assert Rule.compiled(document, 7, CLUSTERS) is None


def test_a_rule_ends_by_itself() -> None:
    made = rule(expires_at="1970-01-01T00:01:00Z")
    assert verdict(made, now_s=59.9) is Verdict.APPLIES
    assert verdict(made, now_s=60) is Verdict.EXPIRED


@pytest.mark.parametrize(
    ("path", "target", "applies"),
    [
        ("/a/b", b"/a/b?x=1", True),
        ("/a/b", b"/a/b/", False),
        ("/a b".replace(" ", "%20"), b"/a%20b", True),
        ("/a/*", b"/a/b/c", True),
        ("/a/*", b"/a", False),
        ("/users/{id:int}", b"/users/%34%32", True),
        ("/users/{id:int}", b"/users/x", False),
        ("/a/b", b"/a%2Fb", False),
        (r"~^/v\d+/", b"/v12/x", True),
        (r"~^/v\d+/", b"/w12/x", False),
    ],
)
def test_the_path_of_a_rule_is_one_of_the_four_forms(path: str, target: bytes, applies: bool) -> None:
    assert verdict(rule(path=path), Asked(target=target)) is (Verdict.APPLIES if applies else Verdict.PATH)


@pytest.mark.parametrize("all_of", [[], ["a"], ["b"], ["a", "b"], ["b", "c"]])
@pytest.mark.parametrize("any_of", [[], ["a"], ["b"], ["a", "b"], ["b", "c"]])
def test_all_must_hold_or_one_of_any(all_of: list[str], any_of: list[str]) -> None:
    when = {
        "all": [f"$query_{name} exists" for name in all_of],
        "any": [f"$query_{name} exists" for name in any_of],
    }
    holds = (all_of == ["a"]) or "a" in any_of or not (all_of or any_of)
    expected = Verdict.APPLIES if holds else Verdict.WHEN
    assert verdict(rule(when=when), Asked(target=b"/?a=1")) is expected


def test_a_share_without_a_key_is_dealt() -> None:
    made = rule(percent=30)
    answers = iter([True, False])
    assert made.verdict(Asked(), 0, lambda asked: asked is made and next(answers)) is Verdict.APPLIES
    assert made.verdict(Asked(), 0, lambda asked: next(answers)) is Verdict.SHARE
    assert verdict(rule(percent=30, path="/x")) is Verdict.PATH


def members(name: str, percent: float, keys: range) -> set[int]:
    made = rule(name, percent=percent, sticky="cookie:id")
    return {key for key in keys if verdict(made, Asked(fields={b"cookie": b"id=%d" % key})) is Verdict.APPLIES}


def test_a_growing_sticky_share_never_moves_a_member_out() -> None:
    keys = range(100_000)
    before: set[int] = set()
    for percent in (10, 20, 50):
        now = members("beta", percent, keys)
        assert before <= now
        assert abs(100 * len(now) / len(keys) - percent) < 1
        before = now
    assert members("beta", 100, keys) == set(keys)
    assert members("beta", 0, keys) == set()


def test_shares_of_different_rules_do_not_depend_on_each_other() -> None:
    keys = range(20_000)
    both = members("one", 50, keys) & members("two", 50, keys)
    assert abs(100 * len(both) / len(keys) - 25) < 1


@given(st.binary(), st.floats(0, 100), st.floats(0, 100))
def test_who_is_in_stays_in(key: bytes, smaller: float, larger: float) -> None:
    smaller, larger = sorted((smaller, larger))
    request = Asked(fields={b"x": key}, ip=b"192.0.2.1")
    if verdict(rule(percent=smaller, sticky="header:x"), request) is Verdict.APPLIES:
        assert verdict(rule(percent=larger, sticky="header:x"), request) is Verdict.APPLIES


def test_a_request_without_the_key_goes_by_its_client() -> None:
    made = rule(percent=50, sticky="cookie:id")
    of_client = rule(percent=50, sticky="client_ip")
    for number in range(100):
        request = Asked(ip=b"192.0.2.%d" % number)
        assert verdict(made, request) is verdict(of_client, request)


def test_a_place_is_the_same_everywhere() -> None:
    assert place("beta", b"17") == 16762245295010330518


def test_rules_are_found_by_api_and_node_in_their_order() -> None:
    rules = Rules()
    assert rules.of("a", "", True) == ()
    for name, fields in {
        "z": {"priority": 5},
        "b": {},
        "a": {"api": "a"},
        "other": {"api": "x"},
        "node": {"api": "a", "node": "user"},
    }.items():
        rules.add(rule(name, **fields))

    def names(*asked: Any) -> list[str]:
        return [made.name for made in rules.of(*asked)]

    assert names("a", "", True) == ["z", "a", "b"]
    assert names("q", "", True) == ["z", "b"]
    assert names("a", "user", False) == ["node"]
    assert names("a", "user", True) == ["z", "a", "b", "node"]
    assert names("a", "account", False) == []

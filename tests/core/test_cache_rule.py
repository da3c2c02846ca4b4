from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gproxy.core.cache_request import Audience, cache_request
from gproxy.core.cache_rule import CacheRule
from gproxy.core.model import MODELS, normalised
from tests.core.asked import Asked

AUTH = {"api_keys": {"keys": [{"consumer": "acme", "sha256": "0" * 64}]}}
COOKIE, TOKEN, NOBODY = (cache_request(line) for line in (b"Cookie: a=b\r\n", b"Authorization: x\r\n", b"A: b\r\n"))


def rule(variables: tuple[str, ...] = (), api: dict[str, Any] | None = None, **cache: Any) -> CacheRule:
    document = {"name": "x", "path": "/*", "nodes": [{"cluster": "c"}], "cache": cache} | (api or {})
    made = normalised(MODELS["api"].model_validate(document))
    found = CacheRule.compiled(made["cache"], made, variables=variables)
    assert found is not None
    return found


def test_without_a_document_there_is_none() -> None:
    assert CacheRule.compiled(None, {}) is None


def test_keys_tell_apart_what_decides() -> None:
    request = Asked(fields={b"x-lang": b"de", b"cookie": b"group=beta"})
    plain, by_lang = rule(), rule(key=["header:X-Lang"])
    different = {
        plain.key(request, b"", b"a", b"/1"),
        plain.key(request, b"", b"a", b"/2"),
        plain.key(request, b"", b"b", b"/1"),
        plain.key(request, b"c", b"a", b"/1"),
        rule(version=1).key(request, b"", b"a", b"/1"),
        rule(api={"name": "y"}).key(request, b"", b"a", b"/1"),
        by_lang.key(request, b"", b"a", b"/1"),
        by_lang.key(Asked(), b"", b"a", b"/1"),
        rule(key=["header:X-Lang-2"]).key(Asked(), b"", b"a", b"/1"),
    }
    assert len(different) == 9


def test_variables_of_rewrites_are_in_the_key_where_the_target_does_not_have_them() -> None:
    used = rule(("header.x-lang", "query.page", "path.id", "client_ip", "user.id"))
    keys = {
        used.key(Asked(fields=fields, ip=ip), b"", b"a", b"/")
        for fields in ({}, {b"x-lang": b"de"})
        for ip in (b"192.0.2.1", b"192.0.2.2")
    }
    assert len(keys) == 4


@given(st.lists(st.binary(max_size=4), min_size=3, max_size=3), st.lists(st.binary(max_size=4), min_size=3, max_size=3))
def test_parts_of_keys_are_not_mistaken_for_each_other(one: list[bytes], other: list[bytes]) -> None:
    made = rule()
    assert (made.key(Asked(), *one) == made.key(Asked(), *other)) is (one == other)


@pytest.mark.parametrize(
    ("made", "asked", "audience"),
    [
        (rule(), NOBODY, Audience.ANYBODY),
        (rule(), COOKIE, Audience.WITH_COOKIE),
        (rule(), TOKEN, Audience.AUTHORIZED),
        (rule(ignore_cookies=True), COOKIE, Audience.ANYBODY),
        (rule(ignore_cookies=True), TOKEN, Audience.AUTHORIZED),
        (rule(api={"auth": AUTH}), NOBODY, Audience.AUTHORIZED),
        (rule(api={"auth": AUTH}, key=["consumer"]), NOBODY, Audience.ANYBODY),
        (rule(api={"auth": AUTH}, key=["consumer"]), TOKEN, Audience.ANYBODY),
        (rule(api={"auth": AUTH}, key=["consumer"]), COOKIE, Audience.WITH_COOKIE),
    ],
)
def test_who_asks(made: CacheRule, asked: Any, audience: Audience) -> None:
    assert made.audience(asked, Audience.ANYBODY, False) is audience
    assert made.audience(asked, Audience.ANYBODY, True) is Audience.AUTHORIZED


def test_what_filters_add_counts_as_well() -> None:
    assert rule().audience(NOBODY, Audience.AUTHORIZED, False) is Audience.AUTHORIZED

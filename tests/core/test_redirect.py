import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gproxy.core.redirect import Location
from gproxy.core.rewrite import BadValue
from tests.core.asked import Asked

ASKED = Asked(target=b"/a/b%20c?q=1&r=2", names=("id", "tenant"), values=(b"7", b"acme"), star=b"b%20c")


@pytest.mark.parametrize(
    ("template", "location"),
    [
        ("/b", b"/b"),
        ("/users/{path.id}?{query}", b"/users/7?q=1&r=2"),
        ("{path}", b"/a/b%20c"),
        ("https://www.example.com", b"https://www.example.com"),
        ("https://www.example.com/", b"https://www.example.com/"),
        ("HTTPS://www.example.com{path}?{query}", b"https://www.example.com/a/b%20c?q=1&r=2"),
        ("https://www.example.com:8443/{*}", b"https://www.example.com:8443/b%20c"),
        ("http://{host}{path}", b"http://api.example.com/a/b%20c"),
        ("https://{host}:8443{path}", b"https://api.example.com:8443/a/b%20c"),
        ("https://{path.tenant}.example.com/x?id={path.id}", b"https://acme.example.com/x?id=7"),
        ("https://{query.none|www}.example.com/", b"https://www.example.com/"),
        ("https://a.example?{query}", b"https://a.example/?q=1&r=2"),
        ("https://[::1]:8080/", b"https://[::1]:8080/"),
    ],
)
def test_locations(template: str, location: bytes) -> None:
    assert Location.compile(template).of(ASKED) == location


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("b", "must begin with one /, {path}, or http"),
        ("ftp://a.example/", "must begin with"),
        ("//a.example/", "must begin with one /"),
        ("https:///a", "port from 1"),
        ("https://a b/", "neither a host name"),
        ("https://*.example.com/", "neither a host name"),
        ("https://user@a.example/", "neither a host name"),
        ("https://a.example:99999/", "port from 1"),
        ("https://a.example:{path.port}/", "port from 1"),
        ("https://{nothing}.example.com/", "is not a variable"),
        ("https://a.example/{path}", "brings its own slash"),
        ("https://a.example/#top", "cannot hold"),
    ],
)
def test_what_is_no_location(template: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        Location.compile(template)


@pytest.mark.parametrize("value", [b"evil.com/", b"evil.com", b"a@b", b"-a", b"a" * 64, b"\xff", b"", b"a\r\nX: 1"])
def test_what_can_be_no_label_of_a_host(value: bytes) -> None:
    location = Location.compile("https://{path.t}.example.com/")
    with pytest.raises(BadValue, match=r"no value for path\.t"):
        location.of(Asked(names=("t",), values=(value,)))


@pytest.mark.parametrize("target", [b"//evil.com", b"///evil.com/x", b"/%2Fevil.com", b"//evil.com?x=//y"])
@pytest.mark.parametrize("template", ["{path}?{query}", "/{*}"])
def test_a_client_is_never_led_to_a_host_that_the_request_names(template: str, target: bytes) -> None:
    path = target.partition(b"?")[0]
    location = Location.compile(template).of(Asked(target=target, star=path[1:]))
    assert location.startswith(b"/")
    assert not location.startswith(b"//")


@given(st.binary(max_size=12))
def test_a_query_value_stays_one(value: bytes) -> None:
    location = Location.compile("https://a.example/x?q={path.v}").of(Asked(names=("v",), values=(value,)))
    head, _, query = location.partition(b"?q=")
    assert head == b"https://a.example/x"
    assert not set(query) & set(b"&#+ \r\n")

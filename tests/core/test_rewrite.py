import re
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gproxy.core.http1 import REQUEST_LINE
from gproxy.core.rewrite import BadValue, Rewrite, Variable, compile_text, pieces
from tests.core.asked import Asked

REQUEST = Asked(
    target=b"/v1/a%2Fb/x%20y?page=2&q=a%26b&name=%C3%A9",
    fields={b"x-user": b'ada&x=1?#"', b"cookie": b"sid=4 2", b"x-dots": b".."},
    names=("id",),
    values=(b"a%2Fb", b"x/y%2Fz"),
    star=b"x%20y",
    body=b'{"user": {"id": 7}}',
    parts={"user": {"id": "a b"}},
)


@pytest.mark.parametrize(
    ("template", "target"),
    [
        ("/plain", b"/plain"),
        ("/users/{path.id}", b"/users/a%2Fb"),
        ("/users?id={path.id}&page={query.page}", b"/users?id=a/b&page=2"),
        ("/s?q={query.q}", b"/s?q=a%26b"),
        ("/{query.name}", b"/%C3%A9"),
        ("/s?u={header.x-user}", b"/s?u=ada%26x%3D1?%23%22"),
        ("/s/{header.x-user}", b"/s/ada&x=1%3F%23%22"),
        ("/c/{cookie.sid}", b"/c/4%202"),
        ("/b/{body.user.id}", b"/b/7"),
        ("/p/{user.id}", b"/p/a%20b"),
        ("/ip/{client_ip}", b"/ip/192.0.2.1"),
        ("{path}", b"/v1/a%2Fb/x%20y"),
        ("{path}/more", b"/v1/a%2Fb/x%20y/more"),
        ("{path}?{query}", b"/v1/a%2Fb/x%20y?page=2&q=a%26b&name=%C3%A9"),
        ("/x?all=1&{query}", b"/x?all=1&page=2&q=a%26b&name=%C3%A9"),
        ("/static/{*}", b"/static/x%20y"),
        ("/g/{2}", b"/g/x/y%2Fz"),
        ("/g?two={2}", b"/g?two=x/y/z"),
        ("/users/{query.none|me}", b"/users/me"),
        ("/users/{query.none|a b}", b"/users/a%20b"),
        ("/users?x={query.none|}", b"/users?x="),
        ("/%7Bkept%7D", b"/%7Bkept%7D"),
    ],
)
def test_targets(template: str, target: bytes) -> None:
    assert Rewrite.compile(template, ["user"]).target(REQUEST) == target


def test_an_empty_query_leaves_no_mark() -> None:
    request = Asked(target=b"/a")
    assert Rewrite.compile("{path}?{query}").target(request) == b"/a"
    assert Rewrite.compile("/x?a=1&{query}").target(request) == b"/x?a=1"


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ("/users/{query.none}", "no value for query.none"),
        ("/users?id={header.none}", "no value for header.none"),
        ("/users/{body.user}", "no value for body.user"),
        ("/users/{header.x-dots}", "a dot segment"),
        ("/a/{header.x-dots}/b", "a dot segment"),
    ],
)
def test_what_cannot_be_filled_in_is_named(template: str, sentence: str) -> None:
    with pytest.raises(BadValue, match=re.escape(sentence)) as caught:
        Rewrite.compile(template).target(REQUEST)
    assert caught.value.status == 400


def test_an_empty_value_is_no_path_segment() -> None:
    request = Asked(target=b"/?id=")
    with pytest.raises(BadValue, match=r"no value for query\.id"):
        Rewrite.compile("/users/{query.id}").target(request)
    assert Rewrite.compile("/users?id={query.id}").target(request) == b"/users?id="
    assert Rewrite.compile("/users/{query.id|0}").target(request) == b"/users/0"


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ("", "must begin with / or {path}"),
        ("users", "must begin with /"),
        ("{query.x}", "must begin with /"),
        ("http://host/", "must begin with /"),
        ("/a b", "cannot hold"),
        ("/a#b", "cannot hold"),
        ("/é", "cannot hold"),
        ("/a/{", "without its counterpart"),
        ("/a/}b", "without its counterpart"),
        ("/a/{id}", "write path.id"),
        ("/a/../b", "dot segment"),
        ("/a%2", "invalid percent escape"),
        ("/a{path}", "stands at the beginning"),
        ("/a{*}", "stands after a slash"),
        ("/a/{query}", "stands at the beginning of the query"),
        ("/a?b={query}", "stands at the beginning of the query"),
    ],
)
def test_what_is_no_template(template: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)):
        Rewrite.compile(template)


def test_the_variables_are_known() -> None:
    assert Rewrite.compile("/a/{path.id}?{query}").variables == ("path.id", "query")


def test_pieces() -> None:
    assert pieces("a{b|c}{{d}}{e|}") == ["a", Variable("b", "c"), "{", "d", "}", Variable("e", "")]


@given(st.binary(max_size=30))
def test_a_value_stays_one_segment_and_one_parameter(value: bytes) -> None:
    request = Asked(fields={b"x": value})
    in_query = Rewrite.compile("/a?x={header.x}&y=1").target(request)
    assert REQUEST_LINE.fullmatch(b"GET %b HTTP/1.1" % in_query)
    name, _, found = in_query.partition(b"?")[2].removesuffix(b"&y=1").partition(b"=")
    assert (name, unquote_to_bytes(found)) == (b"x", value)
    try:
        in_path = Rewrite.compile("/a/{header.x}/b").target(request)
    except BadValue:
        assert not value or b"\0" in value or b"." in value or b"\\" in value
    else:
        _, _, segment, last = in_path.split(b"/")
        assert (unquote_to_bytes(segment), last) == (value, b"b")
        assert REQUEST_LINE.fullmatch(b"GET %b HTTP/1.1" % in_path)


def test_texts_of_header_values() -> None:
    fill = compile_text("user {header.x-user} from {client_ip}; {{{query.none|nobody}}}{query.none}")
    assert fill(REQUEST) == b'user ada&x=1?#" from 192.0.2.1; {nobody}'


def test_a_header_value_takes_no_line_break_from_a_request() -> None:
    request = Asked(target=b"/?x=a%0D%0AEvil:%201%00")
    assert compile_text("{query.x}")(request) == b"aEvil: 1"

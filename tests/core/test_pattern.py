import time

import pytest

from gproxy.core.pattern import Form, Pattern


@pytest.mark.parametrize(
    ("text", "form", "parts", "names", "positions"),
    [
        ("/", Form.EXACT, (), (), ()),
        ("/a/b", Form.EXACT, (), (), ()),
        ("/users/{id}", Form.TEMPLATE, (b"users", (None,)), ("id",), (2,)),
        ("/{a}/x/{b:int}/", Form.TEMPLATE, ((None,), b"x", ("int",), b""), ("a", "b"), (1, 3)),
        ("/o/{s:on|off}", Form.TEMPLATE, (b"o", (frozenset([b"on", b"off"]),)), ("s",), (2,)),
        ("/{s:a%2Fb|%63}", Form.TEMPLATE, ((frozenset([b"a%2Fb", b"c"]),),), ("s",), (1,)),
        ("/{s:int|str}", Form.TEMPLATE, ((frozenset([b"int", b"str"]),),), ("s",), (1,)),
        ("/*", Form.PREFIX, (), (), ()),
        ("//*", Form.PREFIX, (b"",), (), ()),
        ("/static/*", Form.PREFIX, (b"static",), (), ()),
        ("/a%2Fb/*", Form.PREFIX, (b"a%2Fb",), (), ()),
        ("/u/{id}/*", Form.PREFIX, (b"u", (None,)), ("id",), (2,)),
        (r"~^/v(\d+)/(?P<rest>.+)$", Form.REGEX, (), ("1", "rest"), ()),
    ],
)
def test_forms(
    text: str, form: Form, parts: tuple[object, ...], names: tuple[str, ...], positions: tuple[int, ...]
) -> None:
    pattern = Pattern.parse(text)
    assert (pattern.text, pattern.form) == (text, form)
    assert (pattern.parts, pattern.names, pattern.positions) == (parts, names, positions)


@pytest.mark.parametrize(
    ("text", "literal"),
    [
        ("/", b"/"),
        ("/a/b/", b"/a/b/"),
        ("/%61%2fb", b"/a%2Fb"),
        ("/é", b"/\xc3\xa9"),
        ("/%7Bid%7D/%2A", b"/{id}/*"),
        ("~^/v1/x", b"/v1/x"),
        ("~^/v1.x", b"/v1"),
        ("~^/v1*", b"/v"),
        ("~^/v1?", b"/v"),
        ("~^/v1{2}", b"/v"),
        ("~^/v1+", b"/v1"),
        ("~^/v(1|2)", b""),
        ("~^/a|^/b", b""),
        ("~/v1", b""),
        ("~(?i)^/v1", b""),
    ],
)
def test_literal(text: str, literal: bytes) -> None:
    assert Pattern.parse(text).literal == literal


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "begins with /"),
        ("a/b", "begins with /"),
        ("*", "begins with /"),
        (" /a", "begins with /"),
        ("/a?b=1", "no query"),
        ("/a#b", "no query"),
        ("/a b", "space"),
        ("/a\n", "control"),
        ("/a*", "only at the end, after a /"),
        ("/*/b", "only at the end"),
        ("/a/**", "only at the end"),
        ("/{a}/*/*", "only at the end"),
        ("/a/../b", "dot segment"),
        ("/a/%2e", "dot segment"),
        ("/{id}/..", "dot segment"),
        ("/{id}/../*", "dot segment"),
        ("/%zz", "percent escape"),
        ("/{id}/%4", "percent escape"),
        ("/{s:a|%4}", "percent escape"),
        ("/%00", "NUL"),
        ("/{}", "a variable is"),
        ("/{1}", "a variable is"),
        ("/{id", "a variable is"),
        ("/id}", "a variable is"),
        ("/{a}{b}", "a variable is"),
        ("/x{a}", "a variable is"),
        ("/{a}.json", "a variable is"),
        ("/{{a}}", "a variable is"),
        ("/{a b}", "space"),
        ("/{a/b}", "a variable is"),
        ("/{é}", "a variable is"),
        ("/\ud800", "surrogates"),
        ("/\ud800/{id}", "surrogates"),
        ("~\ud800", "surrogates"),
        ("/{id}/{id}", "twice"),
        ("/{id:}", "unknown type"),
        ("/{id:integer}", "unknown type 'integer'"),
        ("/{id:INT}", "unknown type"),
        ("/{s:on|}", "empty"),
        ("/{s:|}", "empty"),
        ("~", "no regular expression"),
        ("~(", "RE2: missing )"),
        ("~(?=a)", "RE2: invalid perl operator"),
        (r"~(a)\1", "RE2: invalid escape"),
        ("~(((a{100}){100}){100})", "RE2"),
    ],
)
def test_problems(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason.replace("(", r"\(").replace(")", r"\)")):
        Pattern.parse(text)


# Each line in the order in which its patterns win, at the same priority.
@pytest.mark.parametrize(
    "ordered",
    [
        ["/a/b", "/a/{x}", "/a/*", "~^/a"],
        ["/{a}/b/c", "/a/{x}/{y}", "/{x}/b/{y}", "/{x}/{y}/c", "/{x}/{y}/{z}"],
        ["/a/b/*", "/a/{x}/*", "/a/*", "/{x}/{y}/*", "/{x}/*", "/*"],
        ["/abc/{x}/*", "/{x}/ab/*", "/a/{x}/*", "/{x}/b/*"],
        ["//*", "/{x}/*", "/*"],
    ],
)
def test_ranks(ordered: list[str]) -> None:
    ranks = [Pattern.parse(text).rank for text in ordered]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) == len(ranks)


def test_a_hostile_expression_takes_linear_time() -> None:
    regex = Pattern.parse("~^/(a+)+(b|a)*$").regex
    path = b"/" + b"a" * 8000 + b"c"
    began = time.process_time()
    assert regex.search(path) is None
    assert time.process_time() - began < 0.5

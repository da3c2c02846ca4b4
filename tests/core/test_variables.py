import pytest

from gproxy.core.variables import as_text, cookie, getter, lookup, query
from tests.core.asked import Asked

REQUEST = Asked(
    target=b"/v1/a%2Fb/x?user=7&q=1%202+3&user=8&empty=&flag",
    fields={b"x-user": b"ada", b"cookie": b"psid=1; sid=42; sid=43", b"x-empty": b""},
    names=("id", "rest"),
    values=(b"a%2Fb", b"x%25"),
    star=b"x",
    body=b'{"user": {"id": 7, "names": ["ada", null], "ok": true}, "text": "\\u00e9"}',
    parts={"user": {"id": 9}},
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("method", b"GET"),
        ("host", b"api.example.com"),
        ("client_ip", b"192.0.2.1"),
        ("path", b"/v1/a%2Fb/x"),
        ("query", b"user=7&q=1%202+3&user=8&empty=&flag"),
        ("*", b"x"),
        ("1", b"a/b"),
        ("2", b"x%"),
        ("3", None),
        ("path.id", b"a/b"),
        ("path.none", None),
        ("query.user", b"7"),
        ("query.q", b"1 2 3"),
        ("query.empty", b""),
        ("query.flag", b""),
        ("query.none", None),
        ("header.X-User", b"ada"),
        ("header.x-empty", b""),
        ("header.none", None),
        ("cookie.sid", b"42"),
        ("cookie.id", None),
        ("body.user.id", b"7"),
        ("body.user.names.0", b"ada"),
        ("body.user.names.1", None),
        ("body.user.names.2", None),
        ("body.user.ok", b"true"),
        ("body.user", None),
        ("body.text", "é".encode()),
        ("body.text.more", None),
        ("user.id", b"9"),
    ],
)
def test_values(name: str, expected: bytes | None) -> None:
    assert getter(name, ["user"])(REQUEST) == expected


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("id", "write path.id for a variable of the path"),
        ("body", "write body.NAME"),
        ("user", "write user.NAME"),
        ("0", '"0" is not a variable'),
        ("", "is not a variable"),
        ("query.", "is not a variable"),
        ("other.id", "begins with path, query, header, cookie, body, or one of the earlier parts user"),
        ("header.a b", "does not name a header"),
        ("cookie.a;b", "does not name a cookie"),
        ("path.a b", "has letters"),
    ],
)
def test_what_is_no_variable(name: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence.replace(".", r"\.")):
        getter(name, ["user"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [(b"", None), (b"b=1", None), (b"a", b""), (b"a=", b""), (b"b=1;a=2", b"2"), (b" a = 3 ", b"3")]
    + [(b'a="x=y"', b'"x=y"'), (b"ab=1; ba=2", None)],
)
def test_cookies(text: bytes, expected: bytes | None) -> None:
    assert cookie(text, b"a") == expected


@pytest.mark.parametrize(
    ("target", "expected"),
    [(b"/", None), (b"/?", None), (b"/?a", b""), (b"/?b=1&%61=2", b"2"), (b"/?a=%2", b"%2"), (b"/?=1", None)]
    + [(b"/a=1", None), (b"/?a+b=1&a=2", b"2")],
)
def test_queries(target: bytes, expected: bytes | None) -> None:
    assert query(target, b"a") == expected


def test_a_lookup_of_nothing() -> None:
    assert lookup([1, [2]], ("1", "0")) == 2
    assert lookup([1], ("-1",)) is None
    assert lookup({"a": 1}, ("a", "b")) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [("é", "é".encode()), (1, b"1"), (1.5, b"1.5"), (False, b"false"), (None, None), ([], None), ({}, None)],
)
def test_texts(value: object, expected: bytes | None) -> None:
    assert as_text(value) == expected


def test_who_sends_a_request_is_known_once_somebody_has_found_out() -> None:
    asked = Asked()
    assert getter("consumer")(asked) is None
    asked.consumer = b"acme"  # type: ignore[attr-defined]
    assert getter("consumer")(asked) == b"acme"


def test_only_requests_of_clients_have_an_id() -> None:
    asked = Asked()
    assert getter("request_id")(asked) is None
    asked.request_id = b"abc-1"  # type: ignore[attr-defined]
    assert getter("request_id")(asked) == b"abc-1"

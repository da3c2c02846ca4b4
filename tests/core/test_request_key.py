from dataclasses import dataclass, field

import pytest

from gproxy.core.request_key import check, compile_key, cookie, query


@dataclass
class Request:
    target: bytes = b"/a/b?user=7&q=1%202+3&user=8"
    fields: dict[bytes, bytes] = field(default_factory=dict)

    def field(self, name: bytes) -> bytes:
        return self.fields.get(name, b"")

    def client_ip(self) -> bytes:
        return b"192.0.2.1"


@pytest.mark.parametrize("text", ["client_ip", "path", "header:X-User", "cookie:sid", "query:user id"])
def test_forms(text: str) -> None:
    assert check(text) == text


@pytest.mark.parametrize("text", ["", "ip", "path:x", "header", "header:", "header:a b", "cookie:a;b", "Header:X"])
def test_what_is_no_form(text: str) -> None:
    with pytest.raises(ValueError, match=r"^must "):
        check(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("client_ip", b"192.0.2.1"),
        ("path", b"/a/b"),
        ("header:X-User", b"ada"),
        ("header:X-Other", b""),
        ("cookie:sid", b"42"),
        ("cookie:id", b""),
        ("query:user", b"7"),
        ("query:q", b"1 2 3"),
        ("query:none", b""),
    ],
)
def test_keys(text: str, expected: bytes) -> None:
    request = Request(fields={b"x-user": b"ada", b"cookie": b"psid=1; sid=42; sid=43"})
    assert compile_key(text)(request) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [(b"", b""), (b"a", b""), (b"a=", b""), (b"b=1;a=2", b"2"), (b" a = 3 ", b"3"), (b'a="x=y"', b'"x=y"')],
)
def test_cookies(text: bytes, expected: bytes) -> None:
    assert cookie(text, b"a") == expected


@pytest.mark.parametrize(
    ("target", "expected"), [(b"/", b""), (b"/?", b""), (b"/?a", b""), (b"/?b=1&%61=2", b"2"), (b"/?a=%2", b"%2")]
)
def test_queries(target: bytes, expected: bytes) -> None:
    assert query(target, b"a") == expected

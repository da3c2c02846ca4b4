import pytest

from gproxy.core.request_key import check, compile_key
from tests.core.asked import Asked


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
    request = Asked(fields={b"x-user": b"ada", b"cookie": b"psid=1; sid=42; sid=43"})
    assert compile_key(text)(request) == expected

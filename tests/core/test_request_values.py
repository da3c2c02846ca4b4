import pytest

from gproxy.core.request_values import cookies, form_fields, is_form


def test_all_values_of_a_form() -> None:
    assert form_fields(b"a=1&b=x+y%26&a=2&c&=d&&%61=3") == {
        b"a": [b"1", b"2", b"3"],
        b"b": [b"x y&"],
        b"c": [b""],
        b"": [b"d"],
    }
    assert form_fields(b"") == {}


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        (b"application/x-www-form-urlencoded", True),
        (b"Application/X-WWW-Form-Urlencoded ; charset=utf-8", True),
        (b"multipart/form-data; boundary=x", False),
        (b"application/json", False),
        (None, False),
    ],
)
def test_what_a_form_is(content_type: bytes | None, expected: bool) -> None:
    assert is_form(content_type) == expected


def test_all_cookies_of_a_name() -> None:
    assert cookies([b"a=1; b=2;a=3", b" a = 4 "], b"a") == [b"1", b"3", b"4"]
    assert cookies([b"a=1"], b"b") == cookies([], b"b") == []

import pytest

from gadmin.forms.sample import Sample, readable
from gproxy.core.pattern import Pattern


def sample(url: str, path: str | None = None, headers: list[tuple[str, str]] | None = None, body: str = "") -> Sample:
    return Sample("GET", url, headers or [], body, Pattern.parse(path) if path else None)


def test_a_url_is_a_host_and_a_target() -> None:
    one = sample("http://H.test:80/a b?q=1#part")
    assert (one.host(), one.target, one.method) == (b"h.test", b"/a%20b?q=1", b"GET")
    assert sample("a", headers=[("Host", "other:1")]).host() == b"other"
    assert sample("").target == b"/"


def test_what_the_path_says() -> None:
    one = sample("/users/7/x", "/users/{id:int}/{name}")
    assert (one.fits, one.path_names(), one.values) == (True, ("id", "name"), (b"7", b"x"))
    assert not sample("/users/x", "/users/{id:int}").fits
    assert sample("/static/a/b", "/static/*").rest() == b"a/b"
    assert sample("/v1/x", "~^/v(\\d+)/").values == (b"1",)
    assert (sample("/a").fits, sample("/a").path_names(), sample("/a").rest()) == (True, (), None)
    with pytest.raises(ValueError, match="dot"):
        sample("/a/../b", "/*")


def test_the_body_and_fields() -> None:
    one = sample("/", headers=[("X-A", "1"), ("x-a", "2")], body='{"a": 1}')
    assert (one.field(b"x-a"), one.field(b"x-b"), one.json("")) == (b"1", None, {"a": 1})
    assert sample("/", body="{").json("") is None


def test_values_that_nobody_knows_are_written_with_their_names() -> None:
    assert sample("/").part("user", ("id",)) == b"{user.id}"
    assert readable(b"/a/%7Buser.id%7D?b=%20") == "/a/{user.id}?b=%20"

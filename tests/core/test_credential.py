import pytest

from gproxy.core.credential import Place, check_place
from tests.core.asked import Asked


@pytest.mark.parametrize("text", ["header:X-Api-Key", "query:api key", "cookie:sid"])
def test_forms(text: str) -> None:
    assert check_place(text) == text


@pytest.mark.parametrize("text", ["", "header", "header:", "header:a b", "cookie:a;b", "body:x"])
def test_what_is_no_form(text: str) -> None:
    with pytest.raises(ValueError, match="must be header:NAME"):
        check_place(text)


@pytest.mark.parametrize("text", ["header:Content-Length", "header:transfer-encoding", "header:Host"])
def test_what_frames_a_message_is_no_credential(text: str) -> None:
    with pytest.raises(ValueError, match="edited"):
        check_place(text)


@pytest.mark.parametrize(
    ("text", "request_", "credential"),
    [
        ("header:X-Key", Asked(fields={b"x-key": b"k"}), b"k"),
        ("header:X-Key", Asked(fields={b"x-key": b""}), None),
        ("header:X-Key", Asked(), None),
        ("header:X-Key", Asked(fields={b"x-key": b"Bearer k"}), b"Bearer k"),
        ("header:Authorization", Asked(fields={b"authorization": b"bearer  k.e.y"}), b"k.e.y"),
        ("header:Authorization", Asked(fields={b"authorization": b"Basic k"}), None),
        ("header:Authorization", Asked(fields={b"authorization": b"Bearer"}), None),
        ("query:k", Asked(target=b"/?a=1&k=x%20y"), b"x y"),
        ("query:k", Asked(target=b"/?k="), None),
        ("cookie:k", Asked(fields={b"cookie": b"a=1; k=v"}), b"v"),
    ],
)
def test_taking(text: str, request_: Asked, credential: bytes | None) -> None:
    assert Place.compile(text).take(request_) == credential


@pytest.mark.parametrize(
    ("target", "left"),
    [
        (b"/a?k=1", b"/a"),
        (b"/a?x=1&k=1&y=%202", b"/a?x=1&y=%202"),
        (b"/a?%6b=1&k=2&K=3&x", b"/a?K=3&x"),
        (b"/a", b"/a"),
        (b"/a?", b"/a?"),
    ],
)
def test_taking_out(target: bytes, left: bytes) -> None:
    assert Place.compile("query:k").without(target) == left
    assert Place.compile("header:k").without(target) == target

import pytest

from gproxy.core.span import Span, pack, unpack

SPAN = Span("a" * 32, "b" * 16, "", "k=v", "GET /é", True, 1 << 60, (1 << 60) + 5, "", {"text": "é", "number": 7})


def test_what_is_unpacked_was_packed() -> None:
    assert unpack(pack([SPAN, SPAN])) == [SPAN, SPAN]
    assert unpack(pack([])) == []


@pytest.mark.parametrize("message", [b"", b"nonsense", pack([SPAN])[:-1], b"\x91\x91\xa1a"])
def test_what_is_no_message(message: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        unpack(message)

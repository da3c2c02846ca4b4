import pytest

from gadmin.pages.header_lines import header_fields


def test_lines_are_fields() -> None:
    assert header_fields("X-A: 1\r\n\n  \nX-B:2:3\nX-C:") == [("X-A", "1"), ("X-B", "2:3"), ("X-C", "")]


@pytest.mark.parametrize("text", ["nonsense", ": value", "X-A: 1\nnonsense"])
def test_other_lines_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a header field is"):
        header_fields(text)

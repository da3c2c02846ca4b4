import re
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gproxy.core.path import canonical, plain, segments


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (b"/", [b""]),
        (b"//", [b"", b""]),
        (b"/a", [b"a"]),
        (b"/a/", [b"a", b""]),
        (b"/a//b", [b"a", b"", b"b"]),
        (b"/a%2Fb", [b"a/b"]),
        (b"/a%2fb/c", [b"a/b", b"c"]),
        (b"/%61%62/c", [b"ab", b"c"]),
        (b"/100%25", [b"100%"]),
        (b"/%252F", [b"%2F"]),
        (b"/%25252F", [b"%252F"]),
        (b"/%252e%252e/x", [b"%2e%2e", b"x"]),
        (b"/%C3%A9/%e9/\xe9", [b"\xc3\xa9", b"\xe9", b"\xe9"]),
        (b"/a+b", [b"a+b"]),
        (b"/%0A%0d", [b"\n\r"]),
        (b"/%3F%23", [b"?#"]),
        (b"/.a/..b/c./d../...", [b".a", b"..b", b"c.", b"d..", b"..."]),
        (b"/a.b/.well-known/x", [b"a.b", b".well-known", b"x"]),
        (b"/a;v=1/b", [b"a;v=1", b"b"]),
        (b"/a%5Cb", [b"a\\b"]),
        (b"/a%0A/..%0a", [b"a\n", b"..\n"]),
    ],
)
def test_segments(path: bytes, expected: list[bytes]) -> None:
    assert segments(path) == expected


@pytest.mark.parametrize(
    "path",
    [
        b"/.",
        b"/..",
        b"/a/.",
        b"/a/./b",
        b"/a/..",
        b"/a/../b",
        b"/a//../b",
        b"/%2e",
        b"/%2E%2e/b",
        b"/.%2e/b",
        b"/%2E./b",
        b"/a/%2e%2E",
        b"/a%2F..%2fb",
        b"/a%2f..",
        b"/a%2F.%2Fb",
        b"/a\\..\\b",
        b"/a%5C..%5cb",
        b"/a/..\\b",
        b"/..;/b",
        b"/a/..;x=1/b",
        b"/a/.;/b",
        b"/a/%2e%2e%3B/b",
    ],
)
def test_dot_segments_are_refused_in_every_spelling(path: bytes) -> None:
    with pytest.raises(ValueError, match="dot segment"):
        segments(path)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (b"", "begin with /"),
        (b"*", "begin with /"),
        (b"a/b", "begin with /"),
        (b"%2Fa", "begin with /"),
        (b"/%", "invalid percent escape"),
        (b"/%4", "invalid percent escape"),
        (b"/%4/b", "invalid percent escape"),
        (b"/%zz", "invalid percent escape"),
        (b"/%u0041", "invalid percent escape"),
        (b"/%%41", "invalid percent escape"),
        (b"/% 1", "invalid percent escape"),
        (b"/%+1", "invalid percent escape"),
        (b"/%\xb2\xb2", "invalid percent escape"),
        (b"/a%00b", "encoded NUL"),
    ],
)
def test_what_is_no_path(path: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        segments(path)


def escaped(segment: bytes, choices: list[bool]) -> bytes:
    """Write a segment as a client may: escape what must be, and of the rest what `choices` say."""
    picked = iter(choices * (len(segment) + 1) or [False] * len(segment))
    return b"".join(
        b"%%%02x" % byte if next(picked) else b"%%%02X" % byte if byte in b"/%\x00" else bytes([byte])
        for byte in segment
    )


some_bytes = st.binary(max_size=6).filter(lambda raw: b"\0" not in raw)
some_segments = st.lists(some_bytes, min_size=1, max_size=4)


@given(some_segments, st.lists(st.booleans(), max_size=8), st.lists(st.booleans(), max_size=8))
@example([b"a/b", b"%2F", b""], [], [True])
def test_every_spelling_has_one_meaning(parts: list[bytes], one: list[bool], other: list[bool]) -> None:
    spellings = [b"".join(b"/" + escaped(part, choices) for part in parts) for choices in (one, other)]
    dotted = re.compile(rb"(?:^|[/\\])\.\.?(?:[/\\;]|\Z)")
    if any(dotted.search(part) for part in parts):
        for spelling in spellings:
            with pytest.raises(ValueError, match="dot segment"):
                segments(spelling)
        return
    assert [segments(spelling) for spelling in spellings] == [parts, parts]
    assert canonical(spellings[0]) == canonical(spellings[1])
    assert [plain(part) for part in canonical(spellings[0])[1:].split(b"/")] == parts


@given(st.binary(max_size=20))
def test_any_bytes_give_segments_or_a_reason(noise: bytes) -> None:
    with suppress(ValueError):
        assert not {b".", b".."} & set(segments(b"/" + noise))

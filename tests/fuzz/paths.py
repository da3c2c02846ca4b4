"""Laws of request paths: their one reading, and the routes that see it."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from gproxy.core.path import canonical, segments
from gproxy.core.pattern import Pattern
from gproxy.core.router import Route, Router
from tests.core import naive_router as naive

_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_PATTERNS: Final = ("/a", "/a/b", "/a%2Fb", "/{x}", "/{x:int}/b", "/a/*", "/{x}/{y}/c", "/b/{x:a|b}", "/é", "~^/c(.*)$")
_PLAIN: Final = [naive.Plain(f"r{number}", (), (), text, 0) for number, text in enumerate(_PATTERNS)]


def _router() -> Router:
    router = Router()
    for one in _PLAIN:
        router.add(Route(one.name, (), frozenset(), Pattern.parse(one.path), 0, one.name))
    return router


_ROUTER: Final = _router()


def paths(data: bytes) -> None:
    """A path is read in one way or refused; a server that decodes more cannot be led out of what was matched."""
    try:
        form = canonical(data)
    except ValueError:
        assert _is_suspect(data), "a path was refused without need"
        _not_found(data)
        return
    assert canonical(form) == form
    assert [unquote_to_bytes(part) for part in data[1:].split(b"/")] == segments(data)
    assert segments(form) == segments(data)
    assert b"\0" in data or b"\0" not in unquote_to_bytes(data)
    for part in re.split(rb"[/\\]", unquote_to_bytes(data)):
        assert part.partition(b";")[0] not in (b".", b".."), "a dot segment was not seen"
    if not _is_utf8(unquote_to_bytes(data)):  # RE2's dot stands for a character of UTF-8, that of `re` for a byte
        return
    found = _ROUTER.find(b"", b"GET", data)
    expected = naive.candidates(_PLAIN, "", data)
    assert (found and found.target) == (expected[0][1].name if expected else None)


def _is_utf8(data: bytes) -> bool:
    try:
        return bool(data.decode("utf-8"))
    except UnicodeDecodeError:
        return False


def _is_suspect(data: bytes) -> bool:
    """Say whether anything in a path could be a reason to refuse it."""
    decoded = unquote_to_bytes(data)
    return (
        data[:1] != b"/"
        or b"%00" in data
        or _ESCAPE.search(data) is not None
        or bool(re.search(rb"[/\\]\.\.?(?:[/\\;]|\Z)", decoded))
    )


def _not_found(data: bytes) -> None:
    if data == b"*":
        return
    try:
        _ROUTER.find(b"", b"GET", data)
    except ValueError:
        return
    raise AssertionError("the router takes a path that has no reading")

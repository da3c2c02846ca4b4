"""Checks JSON texts, large ones in steps of a piece each, so that others have their turn in between.

A text is cut at a comma, and its two sides are made whole: what is open there is closed behind the left one and opened
before the right one. If that is done rightly, both sides are valid exactly when the text is. What is open is what was
open at the cut before, as large texts repeat themselves, or else it is counted; when that is wrong, because the comma
stands in a string or the text is not valid, the left side is not valid. A text that cannot be cut is checked at once.

msgspec does the checking, without building values, strict about everything but the encoding of strings.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final, TypeVar

import msgspec
from msgspec import Raw

_check: Final = msgspec.json.Decoder(Raw).decode
#: About a third of a millisecond each; a text is cut when it has more than two of them.
_PIECE_BYTES: Final = 1 << 18
#: Where values usually end, the most telling first.
_ENDS: Final = (b"]},", b"}},", b"},", b"],", b'",', b",")
_STRING_TEXT: Final = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_STRING: Final = re.compile(_STRING_TEXT, re.DOTALL)
_NO_BRACKETS: Final = bytes(byte for byte in range(256) if byte not in b"[]{}")
#: A bracket that opens the text, or a value in it; with the name of its first member.
_OPENS: Final = re.compile(rb"\s*(?:(\[)|(\{)\s*" + _STRING_TEXT + rb"\s*:)", re.DOTALL)
#: How many brackets at the beginning of a text are looked at, and how many commas when it has to be counted.
_DEEPEST, _MOST_COUNTED = 4, 3
_FIRST_BYTES: Final = 1000
#: How far from a comma its values are looked for.
_NEAR: Final = 100
_OPEN: Final = {"[": b"[", "{": b'{"":'}
_CLOSE: Final = {"[": b"]", "{": b"}"}


T = TypeVar("T")

#: Called between two steps of long work: who does the work may rest there.
Rest = Callable[[], object]


def no_rest() -> None:
    """Go on at once."""


def is_json(data: bytes, rest: Rest = no_rest, piece: int = _PIECE_BYTES) -> bool:
    """Say whether this is valid JSON in UTF-8 (RFC 8259)."""
    start, opened = 0, ""
    while len(data) - start > 2 * piece:
        cut = _cut(data, start, opened, piece, rest)
        if cut is None:
            break
        start, opened = cut
    last = _before(opened) + data[start:] if start else data
    is_large = len(last) > 3 * piece
    if is_large:
        rest()
    if not _is_grammatical(last):
        return False
    if is_large:
        rest()
    return last.isascii() or _is_utf8(last)


def runs(data: bytes, decode: Callable[[bytes], T], rest: Rest = no_rest, piece: int = _PIECE_BYTES) -> Iterator[T]:
    """Yield what `decode` makes of a valid list or object, in runs of its items or members if it is large.

    Each run is given to `decode` as a list or an object of its own.
    """
    opened, closed, start = data[:1], data[-1:], 1
    while len(data) - start > 2 * piece:
        for end in _ends(data, start + piece, start + 2 * piece):
            rest()
            try:
                run = decode(opened + data[start:end] + closed)
            except msgspec.DecodeError:  # cut at a comma within an item
                continue
            yield run
            start = end + 1
            break
        else:
            break
    yield decode(opened + data[start:] if start > 1 else data)


def _is_valid(text: bytes) -> bool:
    return _is_grammatical(text) and (text.isascii() or _is_utf8(text))


def _is_grammatical(text: bytes) -> bool:
    try:
        _check(text)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def _is_utf8(text: bytes) -> bool:
    try:
        return bool(str(text, "utf-8"))
    except UnicodeDecodeError:
        return False


def _before(opened: str) -> bytes:
    """Return what opens these brackets; in the last one the next value, or member, can follow."""
    return b"".join([_OPEN[bracket] for bracket in opened]).removesuffix(b'"":')


def _behind(opened: str) -> bytes:
    return b"".join([_CLOSE[bracket] for bracket in reversed(opened)])


def _cut(data: bytes, start: int, opened: str, piece: int, rest: Rest) -> tuple[int, str] | None:
    """Find where a valid piece of the text ends: return where the next one begins, and what is open there."""
    ends = list(_ends(data, start + piece, start + 2 * piece))
    likely = [opened] if opened else _opened_first(data[:_FIRST_BYTES])
    for end in ends:
        for guess in likely:
            rest()
            if _is_valid(_before(opened) + data[start:end] + _behind(guess)):
                return end + 1, guess
    for end in ends[:_MOST_COUNTED]:
        counted = _count(opened, data[start:end], rest)
        rest()
        if counted and _is_valid(_before(opened) + data[start:end] + _behind(counted)):
            return end + 1, counted
    return None


def _opened_first(text: bytes) -> list[str]:
    """Return what may be open somewhere in a text that begins so: its first bracket, the first two, and so on."""
    found, at = [""], 0
    while len(found) <= _DEEPEST and (match := _OPENS.match(text, at)):
        found.append(found[-1] + ("[" if match[1] else "{"))
        at = match.end()
    return found[1:]


def _ends(data: bytes, low: int, high: int) -> Iterator[int]:
    """Yield some commas that may stand between two values."""
    for mark in _ENDS:
        for found in {data.find(mark, low, high), data.rfind(mark, low, high)} - {-1}:
            comma = found + len(mark) - 1
            last = data[max(0, comma - _NEAR) : comma].rstrip()[-1:]
            first = data[comma + 1 : comma + _NEAR].lstrip()[:1]
            # A bracket that is empty on one side of a cut would hide that a value is missing.
            if last not in b"[{" and first not in b"]}":
                yield comma


def _count(opened: str, text: bytes, rest: Rest) -> str:
    """Return which brackets are open behind a text before which these are."""
    stack, at = list(opened), 0
    for number, match in enumerate(_STRING.finditer(text)):
        if not number % 1024:
            rest()
        _follow(stack, text[at : match.start()])
        at = match.end()
    _follow(stack, text[at:])
    return "".join(stack)


def _follow(stack: list[str], text: bytes) -> None:
    """Open and close what a text without strings does."""
    for bracket in text.translate(None, _NO_BRACKETS).decode("ascii"):
        if bracket in "[{":
            stack.append(bracket)
        elif stack:
            stack.pop()

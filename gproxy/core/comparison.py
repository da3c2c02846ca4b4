"""What differs between two answers to the same request: their statuses, chosen headers, and bodies.

Bodies that are both JSON are compared by value, so that order of fields and white space do not count; others byte by
byte. A path to be ignored, and below it everything, has dots between its steps: `meta.time`, `items.*.id`, where `*`
stands for every field or index.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Self

import msgspec

from gproxy.core.http1 import split_fields
from gproxy.core.part_text import uncoded

#: So many differences of one pair are told; that there is one is what counts.
MOST_TOLD: Final = 8
#: How much of a differing value is told, in characters.
_SHOWN: Final = 120
_IGNORED: Final = re.compile(r"[^.\s]+(?:\.[^.\s]+)*")
_NOTHING: Final = object()


class Answer(NamedTuple):
    """One of the two. `lines` are status line and field lines, `body` is None when it is too large to be looked at."""

    status: int
    lines: bytes
    body: bytes | None


class Difference(NamedTuple):
    """Where two answers differ: `status`, `header NAME` or `body.PATH`; and what each has there, None for nothing."""

    place: str
    primary: str | None
    mirror: str | None


def check_path(text: str) -> str:
    """Check a path that is to be ignored; raises ValueError with a sentence for the user."""
    if not _IGNORED.fullmatch(text):
        raise ValueError(f'"{text}" is not a path such as meta.time or items.*.id')
    return text


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is compared, in `percent` of the cases; `ignored` are the steps of paths."""

    percent: float
    headers: tuple[bytes, ...]
    ignored: tuple[tuple[str, ...], ...]
    compares_body: bool

    @classmethod
    def compiled(cls, document: Mapping[str, Any] | None) -> Self | None:
        """Return what a normalised `compare` asks for, None when it is absent."""
        if document is None:
            return None
        return cls(
            percent=document["percent"],
            headers=tuple(name.lower().encode("ascii") for name in document["headers"]),
            ignored=tuple(tuple(path.split(".")) for path in document["ignore"]),
            compares_body=document["body"],
        )

    def differences(self, primary: Answer, mirror: Answer) -> list[Difference]:
        """Return where two answers differ, at most MOST_TOLD places; a body that is too large is not compared."""
        found: list[Difference] = []
        if primary.status != mirror.status:
            found.append(Difference("status", str(primary.status), str(mirror.status)))
        for name in self.headers:
            values = _values(primary.lines, name), _values(mirror.lines, name)
            if values[0] != values[1]:
                found.append(Difference(f"header {name.decode('ascii')}", *map(_shortened, values)))
        if self.compares_body and primary.body is not None and mirror.body is not None:
            found.extend(self._of_bodies(_plain(primary), _plain(mirror)))
        return found[:MOST_TOLD]

    def _of_bodies(self, primary: bytes, mirror: bytes) -> Iterator[Difference]:
        if primary == mirror:
            return
        try:
            values = msgspec.json.decode(primary), msgspec.json.decode(mirror)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            shown = (body[:_SHOWN].decode("utf-8", "replace") for body in (primary, mirror))
            yield Difference("body", *shown)
            return
        # A stack instead of calls: how deep a body is nested is up to the servers.
        waiting: list[tuple[tuple[str, ...], Any, Any]] = [((), *values)]
        while waiting:
            path, one, other = waiting.pop()
            if _is_same(one, other) or self._ignores(path):
                continue
            below = _below(one, other)
            if below is None:
                yield Difference(".".join(("body", *path)), _shown(one), _shown(other))
            else:
                waiting += [((*path, step), *pair) for step, pair in reversed(below)]

    def _ignores(self, path: Sequence[str]) -> bool:
        return any(
            len(wanted) == len(path) and all(step in ("*", at) for step, at in zip(wanted, path, strict=True))
            for wanted in self.ignored
        )


def _is_same(one: Any, other: Any) -> bool:
    """Say whether two plain values are the same; true is not 1."""
    if isinstance(one, dict | list) or isinstance(other, dict | list):
        return False
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _below(one: Any, other: Any) -> list[tuple[str, tuple[Any, Any]]] | None:
    """Return the pairs of values within two objects or two lists, None for anything else."""
    if isinstance(one, dict) and isinstance(other, dict):
        names = dict.fromkeys((*one, *other))
        return [(name, (one.get(name, _NOTHING), other.get(name, _NOTHING))) for name in names]
    if isinstance(one, list) and isinstance(other, list):
        length = max(len(one), len(other))
        pairs = ((_item(one, index), _item(other, index)) for index in range(length))
        return [(str(index), pair) for index, pair in enumerate(pairs)]
    return None


def _item(items: list[Any], index: int) -> Any:
    return items[index] if index < len(items) else _NOTHING


def _shown(value: Any) -> str | None:
    return None if value is _NOTHING else _shortened(msgspec.json.encode(value).decode("utf-8", "replace"))


def _shortened(text: str | None) -> str | None:
    return text if text is None or len(text) <= _SHOWN else text[:_SHOWN] + "..."


def _values(lines: bytes, name: bytes) -> str | None:
    """Return the values of a field as one, None without the field; `name` is in lower case."""
    fields = split_fields(lines.partition(b"\r\n")[2])
    found = [value for key, value in fields if key.lower() == name]
    return b", ".join(found).decode("latin-1") if found else None


def _plain(answer: Answer) -> bytes:
    """Return the body without its content coding, or as it is when that is one that we do not know."""
    body = answer.body or b""
    coding = _values(answer.lines, b"content-encoding")
    if coding is None:
        return body
    try:
        return uncoded(coding.lower().encode("latin-1"), body, 10 * len(body) + 65_536)
    except ValueError:
        return body

r"""Golden files of raw HTTP: what one side sends, to the byte, and what must come of it.

A file is TOML, a line `---`, then the raw bytes. There, line ends of the file mean nothing and these escapes hold:
`\r` `\n` `\t` `\0` `\\` `\xNN`, and `\*{3}{ab}` for ababab.

Requests (`tests/requests`): `why`; `answers`: the statuses that the client gets, in order; `closes`: the gateway closes
the connection afterwards (in `invalid`: true unless said otherwise); `end`: the client ends its side after the bytes;
`partial`: the fault comes after the head, so the backend may have seen the beginning of the request, which is known by
its target `/partial`;
`[[forwarded]]`: the requests that reach the backend completely, each once, in order: `method`, `target`, `host`,
`fields` that must be there exactly so, `absent` fields, `body` (with the same escapes), `trailers`.

Answers (`tests/responses`): `why`; `method` of the request (GET); `outcome`: `502`, `broken` (the client must be able
to tell that the answer is not whole) or `passed` (then `status` and `body` tell what arrives); `then`: what the server
does after the bytes: `close`, `reset`, `end` or `stay` (the connection remains open).
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_ESCAPE = re.compile(r"\\(?:(?P<plain>[rnt0\\])|x(?P<hex>[0-9a-fA-F]{2})|\*\{(?P<times>\d+)\}\{(?P<text>[^}]*)\})")
_PLAIN = {"r": "\r", "n": "\n", "t": "\t", "0": "\0", "\\": "\\"}


@dataclass(frozen=True, slots=True)
class Forwarded:
    """One request that the backend must receive."""

    method: str
    target: str
    host: str | None = None
    fields: dict[str, str | list[str]] = field(default_factory=dict)
    absent: tuple[str, ...] = ()
    body: str = ""
    trailers: dict[str, str] = field(default_factory=dict)

    def body_bytes(self) -> bytes:
        """Return the expected body."""
        return unescape(self.body)


@dataclass(frozen=True, slots=True)
class GoldenRequest:
    """What a client sends on one connection and what must come of it."""

    name: str
    raw: bytes
    why: str
    answers: tuple[int, ...]
    closes: bool
    end: bool = False
    partial: bool = False
    forwarded: tuple[Forwarded, ...] = ()


@dataclass(frozen=True, slots=True)
class GoldenAnswer:
    """What a server answers to one request and what the client must see."""

    name: str
    raw: bytes
    why: str
    outcome: str
    then: str
    method: str = "GET"
    status: int = 200
    body: str = ""


def unescape(text: str) -> bytes:
    r"""Return the bytes that `text` stands for; line ends and whatever indents a line are not part of it."""

    def one(match: re.Match[str]) -> str:
        if match["plain"]:
            return _PLAIN[match["plain"]]
        if match["hex"]:
            return chr(int(match["hex"], 16))
        return unescape(match["text"]).decode("latin-1") * int(match["times"])

    return _ESCAPE.sub(one, text.replace("\n", "")).encode("latin-1")


def read_requests(folder: Path) -> list[GoldenRequest]:
    """Read every request file of `folder` (`valid` or `invalid`), sorted by name."""
    requests = []
    for path in sorted(folder.glob("*.http")):
        about, raw = _read(path)
        forwarded = tuple(
            Forwarded(**{**one, "absent": tuple(one.get("absent", ()))}) for one in about.pop("forwarded", ())
        )
        about["answers"] = tuple(about["answers"])
        about.setdefault("closes", folder.name == "invalid")
        requests.append(GoldenRequest(name=path.stem, raw=raw, forwarded=forwarded, **about))
    return requests


def read_answers(folder: Path) -> list[GoldenAnswer]:
    """Read every answer file of `folder`, sorted by name."""
    answers = []
    for path in sorted(folder.glob("*.http")):
        about, raw = _read(path)
        answers.append(GoldenAnswer(name=path.stem, raw=raw, **about))
    return answers


def _read(path: Path) -> tuple[dict[str, Any], bytes]:
    about, _, raw = path.read_text(encoding="utf-8").partition("\n---\n")
    return tomllib.loads(about), unescape(raw)

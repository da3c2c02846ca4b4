"""Where a redirect leads: a rewrite template, perhaps with a scheme and a host before it.

    https://www.example.com{path}?{query}      https://{host}{path}?{query}      /users/{path.id}

Behind the host the rules of rewrites hold (rewrite.py). In the host `{host}` is the one that the client asked for; any
other variable is one label of it, made of letters, digits and hyphens: a request must not choose who it is led to.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gproxy.core import grammar
from gproxy.core.rewrite import BadValue, Rewrite, Variable, pieces
from gproxy.core.variables import Getter, Request, getter

_ABSOLUTE: Final = re.compile(r"(https?)://((?:[^/?{}]|\{[^{}]*\})*?)((?:/|\?|\{path[|}]).*)?", re.IGNORECASE)
_LABEL: Final = re.compile(rb"(?!-)[A-Za-z0-9-]{1,63}(?<!-)")
_PORT: Final = re.compile(r":[^:\]]*\Z")


@dataclass(frozen=True, slots=True)
class Location:
    """A compiled location; `variables` are the names in it."""

    variables: tuple[str, ...]
    _authority: tuple[bytes | Callable[[Request], bytes], ...]
    _target: Rewrite | None

    @classmethod
    def compile(cls, text: str) -> Location:
        """Compile a template; raises ValueError with a sentence for the user."""
        absolute = _ABSOLUTE.fullmatch(text)
        if absolute is None:
            if not text.startswith(("/", "{path")) or text.startswith("//"):
                raise ValueError("must begin with one /, {path}, or http:// or https:// and a host")
            rooted = Rewrite.compile(text)
            return cls(rooted.variables, (), rooted)
        scheme, authority, rest = absolute.groups()
        found = pieces(authority)
        sample = "".join("x" if isinstance(piece, Variable) else piece for piece in found)
        grammar.address(sample if _PORT.search(sample) else sample + ":443")
        filled = [_filled(piece) if isinstance(piece, Variable) else piece.encode("ascii") for piece in found]
        target = Rewrite.compile(rest if not rest.startswith("?") else "/" + rest) if rest else None
        variables = tuple(piece.name for piece in found if isinstance(piece, Variable))
        return cls(
            (*variables, *(target.variables if target else ())),
            (f"{scheme.lower()}://".encode("ascii"), *filled),
            target,
        )

    def of(self, request: Request) -> bytes:
        """Return the value of the Location field; raises BadValue."""
        target = self._target.target(request) if self._target is not None else b""
        if not self._authority:
            # Two slashes at the beginning would make a host of what follows (RFC 3986 section 4.2).
            return b"/" + target.lstrip(b"/")
        return b"".join([part if isinstance(part, bytes) else part(request) for part in self._authority]) + target


def _filled(variable: Variable) -> Callable[[Request], bytes]:
    """Return what puts a variable into the host."""
    take: Getter = getter(variable.name)
    default = (variable.default or "").encode("utf-8")

    def fill(request: Request) -> bytes:
        value = take(request) or default
        if not value or (variable.name != "host" and not _LABEL.fullmatch(value)):
            raise BadValue(f"The request has no value for {variable.name} that could be part of a host.")
        return value

    return fill

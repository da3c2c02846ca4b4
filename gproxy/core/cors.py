"""Cross-origin requests (the CORS protocol of the Fetch standard): which origins may do what, and how they are told.

An origin is allowed exactly (`https://app.example.com`), as any name below a domain (`https://*.example.com`, or with
any scheme and port `*.example.com`), or because all are (`*`). Without `methods` a page may use those that the API
takes; `*` in `methods` or `headers` is whatever it asks for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gproxy.core.grammar import TOKEN, host_pattern
from gproxy.core.router import Found, Router
from gproxy.core.variables import Request

_ORIGIN: Final = re.compile(r"(?:(https?)://)?([^/:\[\]]+|\[[^\[\]/]+\])(?::([0-9]{1,5}))?")
#: An origin as browsers send it (RFC 6454 section 6.2), or `null`.
_SENT: Final = re.compile(rb"(?:([a-z][a-z0-9+.-]*)://)([a-z0-9.-]+|\[[0-9a-f:.]+\])(?::[0-9]+)?", re.IGNORECASE)
_NAMES: Final = re.compile(rb"%b(?:[ \t]*,[ \t]*%b)*" % ((TOKEN.pattern.encode("ascii"),) * 2))
_PREFLIGHT_VARY: Final = b"Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers\r\n"


def check_origin(text: str) -> str:
    """Check an origin of a configuration; returns it in lower case. Raises ValueError."""
    origin = text.lower()
    if origin in ("*", "null"):
        return origin
    match = _ORIGIN.fullmatch(origin)
    if match is None:
        raise ValueError(f'"{text}" is not an origin: write https://host, https://*.domain, *.domain, null or *')
    scheme, host, port = match.groups()
    host_pattern(host)
    is_wild = host.startswith("*.")
    if scheme is None and (port or not is_wild):
        raise ValueError(f'"{text}" has no scheme: write https://{origin}')
    if scheme and port == {"http": "80", "https": "443"}[scheme]:
        raise ValueError(f"browsers leave the usual port out: write {scheme}://{host}")
    return origin


def asked_method(request: Request) -> bytes | None:
    """Return the method that a preflight asks for, None for any other request."""
    if request.method != b"OPTIONS" or request.field(b"origin") is None:
        return None
    return request.field(b"access-control-request-method")


def find_preflighted(router: Router, request: Request, path: bytes) -> Found | None:
    """Return what answers a preflight: the side for it of the API that would get the request itself, None without one.

    So an API need not list OPTIONS, and one that takes everything else does not get in its way. Raises ValueError as
    `Router.find` does.
    """
    method = asked_method(request)
    found = router.find(request.host(), method, path) if method is not None else None
    if found is None or found.target.preflighted is None:
        return None
    return Found(found.target.preflighted, found.values)


@dataclass(frozen=True, slots=True)
class CrossOrigin:
    """What an API allows pages of other origins, compiled. With `_is_open` answers do not depend on the origin."""

    _is_open: bool
    _exact: frozenset[bytes]
    _below: tuple[tuple[bytes, bytes], ...]
    _methods: bytes
    _headers: bytes
    _credentials: bytes
    _expose: bytes
    _max_age: bytes

    @classmethod
    def compile(cls, document: Mapping[str, Any], methods: Sequence[str]) -> CrossOrigin:
        """Compile a normalised `cors`; `methods` are those of the API."""
        origins = [origin.encode("ascii") for origin in document["origins"]]
        below = [origin.partition(b"*")[::2] for origin in origins if b"*." in origin]
        listed, headers = document["methods"] or methods, document["headers"]
        return cls(
            _is_open=b"*" in origins,
            _exact=frozenset(origins),
            _below=tuple(below),
            _methods=b"" if "*" in listed else ", ".join(listed).encode("ascii"),
            _headers=b"" if "*" in headers else ", ".join(headers).encode("ascii"),
            _credentials=b"Access-Control-Allow-Credentials: true\r\n" if document["credentials"] else b"",
            _expose=_line("Access-Control-Expose-Headers", ", ".join(document["expose"])),
            _max_age=_line("Access-Control-Max-Age", document["max_age_s"]),
        )

    def allows(self, origin: bytes) -> bool:
        """Say whether pages of an origin are let in."""
        origin = origin.lower()
        if self._is_open or origin in self._exact:
            return True
        if not self._below:
            return False
        match = _SENT.fullmatch(origin)
        return match is not None and any(_is_below(origin, match[2], before, after) for before, after in self._below)

    def lines(self, request: Request) -> bytes:
        """Return the field lines that an answer to a request gets."""
        if self._is_open:  # to requests of the same origin too: a cache may keep the answer for others
            return b"Access-Control-Allow-Origin: *\r\n" + self._expose
        origin = request.field(b"origin")
        if origin is None or not self.allows(origin):
            return b"Vary: Origin\r\n"
        allowed = b"Access-Control-Allow-Origin: %b\r\n" % origin
        return b"".join([allowed, self._credentials, self._expose, b"Vary: Origin\r\n"])

    def preflight(self, request: Request, method: bytes) -> bytes:
        """Return the field lines that answer a preflight for `method`: bare ones when the origin is not allowed."""
        origin = request.field(b"origin") or b""
        if not self.allows(origin):
            return _PREFLIGHT_VARY
        asked = request.field(b"access-control-request-headers") or b""
        lines = [
            b"Access-Control-Allow-Origin: %b\r\n" % (b"*" if self._is_open else origin),
            b"Access-Control-Allow-Methods: %b\r\n" % (self._methods or _listed(method)),
            b"Access-Control-Allow-Headers: %b\r\n" % (self._headers or _listed(asked)),
        ]
        return b"".join([*lines, self._credentials, self._max_age, _PREFLIGHT_VARY])


def _line(name: str, value: str | int) -> bytes:
    return f"{name}: {value}\r\n".encode("ascii") if value else b""


def _listed(names: bytes) -> bytes:
    """Return names that a browser asked for, nothing when that is no list of names."""
    return names if _NAMES.fullmatch(names) else b""


def _is_below(origin: bytes, host: bytes, before: bytes, after: bytes) -> bool:
    """Say whether an origin is what stands before and behind the * with a name in between."""
    if not before:
        return host.endswith(after) and len(host) > len(after)
    return origin.startswith(before) and origin.endswith(after) and len(origin) > len(before) + len(after)

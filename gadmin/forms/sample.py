"""A request that somebody imagines, in the form in which rewrites and conditions look at requests."""

import json
import re
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote, unquote_to_bytes, urlsplit

from gproxy.core.pattern import Form, Pattern
from gproxy.core.router import Route, Router

_SAFE: Final = "!\"$%&'()*+,-./:;=?@[\\]^_`{|}~"
_BRACED: Final = re.compile(rb"%7B.*?%7D")


class Sample:
    """A request to an API with this path (None: to no API). `values` are None when the path is another one.

    Raises ValueError for a path that the gateway would not take.
    """

    def __init__(
        self, method: str, url: str, headers: Sequence[tuple[str, str]], body: str, pattern: Pattern | None
    ) -> None:
        netloc = urlsplit(url).netloc
        rest = url.partition(f"//{netloc}")[2] if netloc else url
        target = quote(rest.partition("#")[0], _SAFE)
        self.method = method.encode("ascii", "replace")
        self.target = (target if target.startswith("/") else f"/{target}").encode("ascii")
        self._host = netloc.rpartition("@")[2]
        self._fields = [(name.lower().encode(), value.encode("utf-8")) for name, value in headers]
        self._body = body
        self._pattern = pattern
        found = pattern and _router(pattern).find(b"", b"GET", self.target.partition(b"?")[0])
        self.fits = pattern is None or found is not None
        self.values: tuple[bytes, ...] = found.values if found else ()

    def host(self) -> bytes:
        """Return the host in lower case, without its port."""
        given = self.field(b"host") or self._host.encode("utf-8")
        return re.sub(rb":\d*$", b"", given.lower())

    def field(self, name: bytes) -> bytes | None:
        """Return the first value of a field."""
        return next((value for key, value in self._fields if key == name), None)

    def client_ip(self) -> bytes:
        """Return an address: nobody has sent the request."""
        return b"127.0.0.1"

    def path_names(self) -> tuple[str, ...]:
        """Return the names that `values` belong to."""
        return self._pattern.names if self._pattern is not None and self.values else ()

    def rest(self) -> bytes | None:
        """Return what the `*` of the path stands for."""
        if self._pattern is None or self._pattern.form is not Form.PREFIX:
            return None
        return self.target.partition(b"?")[0].split(b"/", len(self._pattern.parts) + 1)[-1]

    def json(self, part: str) -> Any:
        """Return the JSON of the body."""
        try:
            return None if part else json.loads(self._body)
        except (ValueError, RecursionError):
            return None

    def part(self, name: str, path: tuple[str, ...]) -> bytes:
        """Return a value of an earlier part, which nobody knows: its name in braces."""
        return f"{{{name}.{'.'.join(path)}}}".encode()


def readable(target: bytes) -> str:
    """Return a target with the names of unknown values as people write them."""
    return _BRACED.sub(lambda found: unquote_to_bytes(found[0]), target).decode("latin-1")


def _router(pattern: Pattern) -> Router:
    router = Router()
    router.add(Route("", (), frozenset(), pattern, 0, None))
    return router

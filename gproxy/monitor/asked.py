"""A request that is only asked about: what filters and templates look at, without a client and without an effect."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, Self, TypeVar
from urllib.parse import quote, unquote_to_bytes, urlsplit

from gevent.hub import get_hub

from gproxy.core.errors import BadRequest
from gproxy.core.http1 import REQUEST_LINE, parse_request_fields, split_fields
from gproxy.core.jwt_keys import KeySet
from gproxy.core.key_source import KeySource
from gproxy.core.limiter import Limit, seconds
from gproxy.core.node import Node
from gproxy.core.snapshot import Api
from gproxy.core.upgrade import Upgrade
from gproxy.settings import Settings
from gproxy.shared.limits import Limits
from gproxy.worker.forwarded import origin, upstream_fields
from gproxy.worker.key_files import KeyFiles
from gproxy.worker.view import View

T = TypeVar("T")

#: What a URL may hold as it is: all that a target may, so that escapes stay what they are.
_SAFE = "!\"$%&'()*+,-./:;=?@[\\]^_`{|}~"

#: Something in braces, as a target holds it.
_BRACED = re.compile(rb"%7B.*?%7D")


class BadQuestion(Exception):
    """The question is not one about a request; the text is one line that says why."""


class Asked(View):
    """The request of a question; `limits` tells what rate limits would say."""

    def __init__(
        self, method: bytes, target: bytes, block: bytes, body: bytes, ip: str, settings: Settings, limits: Limits
    ) -> None:
        if not REQUEST_LINE.fullmatch(b"%b %b HTTP/1.1" % (method, target)):
            raise BadRequest("The request line is malformed.")
        self.method = method
        self.target = target
        self.fields = parse_request_fields(block, b"1", settings.limits.head_fields or 10_000)
        self.client: Any = SimpleNamespace(
            origin=origin(ip, settings.gproxy.trusted_proxies), runtime=SimpleNamespace(settings=settings)
        )
        self.api: Api | None = None
        self.node: Node
        self.values: tuple[bytes, ...] = ()
        self.forward: bytes | None = None
        self.request_id = b"explain"
        self.consumer = b""
        self.upgrade: Upgrade | None = None
        self._body = body
        self._limits = limits
        self._key_files = KeyFiles(settings.gproxy.run_dir)
        self._parts: set[bytes] = set()

    @classmethod
    def of(cls, question: Mapping[str, Any], settings: Settings, limits: Limits) -> Self:
        """Build the request of a question {method, url, headers, body, client_ip}.

        `headers` are [name, value] pairs. Raises BadQuestion, or BadRequest as a worker would.
        """
        method, url = question.get("method", "GET"), question.get("url")
        headers, body = question.get("headers", []), question.get("body", "")
        ip = question.get("client_ip", "127.0.0.1")
        if not all(isinstance(text, str) for text in (method, url, body, ip)):
            raise BadQuestion("method, url, body and client_ip are texts")
        if not isinstance(headers, list) or not all(_is_pair(pair) for pair in headers):
            raise BadQuestion("headers is a list of [name, value] pairs")
        netloc = urlsplit(str(url)).netloc
        target = quote(str(url).partition(f"//{netloc}")[2] if netloc else str(url), _SAFE)
        lines = [f"{name}: {value}" for name, value in headers]
        if not any(name.lower() == "host" for name, _ in headers):
            lines.insert(0, f"Host: {netloc.rpartition('@')[2] or 'localhost'}")
        if body:
            lines.append(f"Content-Length: {len(body.encode())}")
        block = "".join(line + "\r\n" for line in lines).encode("latin-1", "replace")
        try:
            return cls(
                method.encode("ascii", "replace"), target.encode() or b"/", block, body.encode(), ip, settings, limits
            )
        except ValueError as error:  # an address that is none
            raise BadQuestion(str(error)) from None

    def whole_body(self) -> bytes:
        """Return the body of the question."""
        return self._body

    def part(self, name: str, path: tuple[str, ...]) -> bytes:
        """Return a value of an earlier part, which nobody knows: its name in braces."""
        value = f"{{{name}.{'.'.join(path)}}}".encode()
        self._parts.add(value)
        return value

    def with_parts(self, target: bytes) -> bytes:
        """Return a target with the names of values of earlier parts as people write them."""

        def written(match: re.Match[bytes]) -> bytes:
            value = unquote_to_bytes(match[0])
            return value if value in self._parts else match[0]

        return _BRACED.sub(written, target)

    def outgoing(self) -> bytes:
        """Return the field lines for the server."""
        return upstream_fields(self) if self.forward is None else self.forward  # type: ignore[arg-type]

    def sent_headers(self) -> list[list[str]]:
        """Return the fields for the server as [name, value] pairs."""
        return [[name.decode("latin-1"), value.decode("latin-1")] for name, value in split_fields(self.outgoing())]

    def keys(self, source: KeySource) -> KeySet | None:
        """Return the keys for tokens of a source."""
        return self._key_files.get(source)

    def newer_keys(self, source: KeySource) -> KeySet | None:
        """Return the keys of a source as they are now: nothing is fetched for a question."""
        return self._key_files.get(source, at_once=True)

    def aside(self, work: Callable[[], T]) -> T:
        """Do work that takes long in a thread, and wait for it."""
        done: T = get_hub().threadpool.apply(work)
        return done

    def count_against(self, limit: Limit, key: bytes | None) -> int:
        """Say what the rate limit would do with the request, without counting it."""
        assert self.api is not None
        wait_ns = self._limits.peek(self.api.row, limit, key)
        return seconds(wait_ns) if wait_ns else 0


def _is_pair(pair: object) -> bool:
    return isinstance(pair, Sequence) and len(pair) == 2 and all(isinstance(text, str) for text in pair)

"""What rules can ask of a request: the side of an exchange that `core/variables.py` looks at."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from gproxy.core.http1 import split_fields
from gproxy.core.pattern import Form
from gproxy.worker.forwarded import client_ip

if TYPE_CHECKING:
    from gproxy.core.http1 import RequestFields
    from gproxy.core.snapshot import Api
    from gproxy.worker.connection import Client

#: Blocks of fields that were looked at before, since clients repeat theirs: so many, each of so many bytes at most.
_KNOWN_BLOCKS, _KNOWN_BYTES = 1024, 2048


class View:
    """Answers from the state of an exchange."""

    __slots__ = ()

    api: Api | None
    client: Client
    fields: RequestFields
    method: bytes
    target: bytes
    values: tuple[bytes, ...]

    def whole_body(self) -> bytes:
        """Return the body of the request without framing, waiting for the rest of it."""
        raise NotImplementedError

    def host(self) -> bytes:
        """Return the host in lower case, without its port; b"" without one."""
        return self.fields.host

    def field(self, name: bytes) -> bytes | None:
        """Return the first value of the request field `name` (lower case), None without one."""
        block = self.fields.forward
        return (_known_values if len(block) <= _KNOWN_BYTES else _values)(block).get(name)

    def values_of(self, name: bytes) -> list[bytes]:
        """Return the values of all request fields `name` (lower case)."""
        return [value for key, value in split_fields(self.fields.forward) if key.lower() == name]

    def client_ip(self) -> bytes:
        """Return the address of the client itself: behind trusted proxies the last one that is not theirs."""
        return client_ip(self, self.client.runtime.settings.gproxy.trusted_proxies).encode("latin-1")

    def path_names(self) -> tuple[str, ...]:
        """Return the names of the variables of the API's path."""
        return self.api.path.names if self.api is not None else ()

    def rest(self) -> bytes | None:
        """Return what the `*` of the API's path stands for, as the client wrote it; None without one."""
        pattern = self.api.path if self.api is not None else None
        if pattern is None or pattern.form is not Form.PREFIX:
            return None
        return self.target.partition(b"?")[0].split(b"/", len(pattern.parts) + 1)[-1]

    def json(self, part: str) -> Any:
        """Return the JSON of the body, None when it is none, or nested too deeply."""
        try:
            return None if part else json.loads(self.whole_body())
        except (ValueError, RecursionError):
            return None

    def part(self, name: str, path: tuple[str, ...]) -> bytes | None:
        """Return nothing: only the parts of an aggregation have earlier parts."""
        return None


def _values(block: bytes) -> Mapping[bytes, bytes]:
    """Return the first value of each field by its name in lower case."""
    return {name.lower(): value for name, value in reversed(split_fields(block))}


_known_values = lru_cache(maxsize=_KNOWN_BLOCKS)(_values)

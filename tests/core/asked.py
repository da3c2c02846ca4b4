"""A request made of plain values, for everything in core that looks at one."""

import json
from dataclasses import dataclass, field
from typing import Any

from gproxy.core.json_text import at, plain


@dataclass
class Asked:
    """Has what `core/variables.py` asks for; `names` and `values` are the variables of the API's path."""

    target: bytes = b"/a/b?user=7&q=1%202+3&user=8"
    method: bytes = b"GET"
    name: bytes = b"api.example.com"
    fields: dict[bytes, bytes] = field(default_factory=dict)
    ip: bytes = b"192.0.2.1"
    names: tuple[str, ...] = ()
    values: tuple[bytes, ...] = ()
    star: bytes | None = None
    body: bytes = b""
    parts: dict[str, Any] = field(default_factory=dict)

    def host(self) -> bytes:
        return self.name

    def field(self, name: bytes) -> bytes | None:
        return self.fields.get(name)

    def client_ip(self) -> bytes:
        return self.ip

    def path_names(self) -> tuple[str, ...]:
        return self.names

    def rest(self) -> bytes | None:
        return self.star

    def json(self, part: str) -> Any:
        assert not part
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def part(self, name: str, path: tuple[str, ...]) -> bytes | None:
        return plain(at(json.dumps(self.parts[name]).encode("ascii"), path)) if name in self.parts else None

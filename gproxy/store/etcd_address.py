"""Where an etcd store is: `etcd://host:port[,host:port]/prefix`."""

import re
from dataclasses import dataclass
from typing import Final, Self

_ENDPOINT: Final = re.compile(r"(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):(?P<port>\d{1,5})")
_PREFIX: Final = re.compile(r"(/[A-Za-z0-9._:-]+)+")
#: Used when the URL names none.
DEFAULT_PREFIX: Final = "/gproxy"


@dataclass(frozen=True, slots=True)
class EtcdAddress:
    """The endpoints of the members, as "host:port" in the order of the URL, and the prefix of all keys: "/a/b"."""

    endpoints: tuple[str, ...]
    prefix: str

    @classmethod
    def parse(cls, url: str) -> Self:
        """Take a URL apart. Raises ValueError with the rest of a sentence that begins with the URL."""
        hosts, slash, rest = url.removeprefix("etcd://").partition("/")
        prefix = slash + rest.rstrip("/") if rest else DEFAULT_PREFIX
        endpoints = tuple(dict.fromkeys(hosts.split(",")))
        if not all(_ENDPOINT.fullmatch(endpoint) for endpoint in endpoints):
            raise ValueError("etcd:// is followed by host:port[,host:port]/prefix")
        if not _PREFIX.fullmatch(prefix):
            raise ValueError("the prefix is of letters, digits and . _ : - between slashes")
        return cls(endpoints, prefix)

    @property
    def source(self) -> str:
        """The URL in canonical form: the order of the endpoints does not matter."""
        return f"etcd://{','.join(sorted(self.endpoints))}{self.prefix}"

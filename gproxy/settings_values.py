"""Parsers of single INI values: text in, typed value out, ValueError saying what is allowed."""

import ipaddress
import math
import os
import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Final

#: Each reload needs a second set of slots (see `gproxy.shared`) beside the running one.
MAX_WORKERS: Final = 128
#: Each may hold a greenlet and a window of its body.
MAX_STREAMS: Final = 10_000
#: With less not even answers of 100 KB would be stored.
LEAST_CACHE_BYTES: Final = 1 << 20
MOST_CACHE_BYTES: Final = 1 << 36
SHORTEST_HANG_S: Final = 2
#: As many as have cells in the shared memory.
MAX_FILTERS: Final = 16
#: sockaddr_un.sun_path holds 108 bytes with its final NUL.
MAX_UNIX_PATH_BYTES: Final = 107

_NAME = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}")
_CLASS = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_URL = re.compile(r"https?://[A-Za-z0-9._~\[\]:-]+(?::\d{1,5})?(?:/[!-~]*)?")
_ETCD_HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):\d{1,5}")
_ETCD_PREFIX = re.compile(r"[A-Za-z0-9._:-]+(/[A-Za-z0-9._:-]+)*")
_BIND_FORMS: Final = "must be host:port, [v6]:port, :port or unix:/path"


def text(value: str) -> str:
    """Accept anything."""
    return value


def name(value: str) -> str:
    """Check a name, empty meaning none."""
    if value and not _NAME.fullmatch(value):
        raise ValueError("must be of letters, digits and . _ : -, at most 128 of them")
    return value


def path(value: str) -> Path:
    """Parse a path that must be given. Relative ones start at the working directory."""
    if not value:
        raise ValueError("must be a path")
    return Path(value)


def optional_path(value: str) -> Path | None:
    """Parse a path, empty meaning none."""
    return Path(value) if value else None


def whole(value: str) -> int:
    """Parse a whole number, zero or more."""
    if not (value.isascii() and value.isdigit()):
        raise ValueError("must be a whole number, 0 or more")
    return int(value)


def cache_bytes(value: str) -> int:
    """Parse how many bytes of answers are stored, zero for none."""
    number = whole(value)
    if number and not LEAST_CACHE_BYTES <= number <= MOST_CACHE_BYTES:
        raise ValueError(f"must be 0, or from {LEAST_CACHE_BYTES} to {MOST_CACHE_BYTES}")
    return number


def port(value: str) -> int:
    """Parse a port number, 0 standing for none."""
    number = whole(value)
    if number > 65535:
        raise ValueError("must be a port, 0 to 65535")
    return number


def streams(value: str) -> int:
    """Parse how many streams a connection may have."""
    number = whole(value)
    if not 1 <= number <= MAX_STREAMS:
        raise ValueError(f"must be a number from 1 to {MAX_STREAMS}")
    return number


def seconds(value: str) -> float:
    """Parse a number of seconds, zero or more, fractions allowed."""
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not math.isfinite(number) or number < 0:
        raise ValueError("must be a number of seconds, 0 or more, without a unit")
    return number


def percent(value: str) -> float:
    """Parse a share of a hundred."""
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 100:
        raise ValueError("must be a number from 0 to 100")
    return number


def trace_endpoint(value: str) -> str:
    """Check the URL of a collector, empty meaning none, and that what speaks to it is installed."""
    if not value:
        return value
    if _URL.fullmatch(value) is None:
        raise ValueError("must be a URL such as http://127.0.0.1:4318/v1/traces")
    if find_spec("opentelemetry") is None or find_spec("opentelemetry.exporter.otlp.proto.http") is None:
        raise ValueError("needs OpenTelemetry: pip install 'gproxy[otel]'")
    return value


def yes_or_no(value: str) -> bool:
    """Parse a switch."""
    if value not in ("yes", "no"):
        raise ValueError("must be yes or no")
    return value == "yes"


def hang_seconds(value: str) -> float:
    """Parse the hang timeout: hearts beat about once a second, so less would kill the healthy."""
    number = seconds(value)
    if 0 < number < SHORTEST_HANG_S:
        raise ValueError(f"must be 0 or at least {SHORTEST_HANG_S} seconds")
    return number


def workers(value: str) -> int:
    """Parse a number of workers; auto is one per core that this process may use."""
    if value == "auto":
        return min(len(os.sched_getaffinity(0)), MAX_WORKERS)
    if not (value.isascii() and value.isdigit()) or not 1 <= int(value) <= MAX_WORKERS:
        raise ValueError(f"must be auto or a number from 1 to {MAX_WORKERS}")
    return int(value)


def one_of(*words: str) -> Callable[[str], str]:
    """Return a parser of exactly these words."""

    def parse(value: str) -> str:
        if value not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
        return value

    return parse


def log_target(*words: str) -> Callable[[str], str]:
    """Return a parser of these words or a path. A switch is no path: "yes" would be a file of that name."""

    def parse(value: str) -> str:
        if not value or value.lower() in {"yes", "no", "on", "off", "true", "false"} - set(words):
            raise ValueError(f"must be {', '.join(words)} or a path")
        return value

    return parse


def items(value: str) -> list[str]:
    """Split a comma list; an empty text is an empty list, an empty item a problem."""
    if not value:
        return []
    parts = [part.strip() for part in value.split(",")]
    if "" in parts:
        raise ValueError("has an empty item between its commas")
    return parts


def binds(value: str) -> tuple[str, ...]:
    """Parse any number of binds, each given once."""
    found = tuple(bind(item) for item in items(value))
    for item in found:
        if found.count(item) > 1 and not item.endswith(":0"):
            raise ValueError(f"has {item} twice")
    return found


def bind(value: str) -> str:
    """Check one bind and return it; names are resolved when the socket is opened. Port 0 picks a free one."""
    if value.startswith("unix:"):
        file = value.removeprefix("unix:")
        if not file.startswith("/"):
            raise ValueError(f"{value}: the path of a unix socket must be absolute (unix:/path)")
        if len(os.fsencode(file)) > MAX_UNIX_PATH_BYTES:
            raise ValueError(f"{value}: a unix socket path has at most {MAX_UNIX_PATH_BYTES} bytes")
        return value
    host, colon, port = value.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ValueError(f"{value}: {_BIND_FORMS}, port 0 to 65535")
    if host.startswith("["):
        _check_v6(value, host)
    elif host and not _HOST.fullmatch(host):
        raise ValueError(f"{value}: {_BIND_FORMS}")
    return value


def _check_v6(value: str, host: str) -> None:
    try:
        ipaddress.IPv6Address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        raise ValueError(f"{value}: {host} is not an IPv6 address") from None
    if not host.endswith("]"):
        raise ValueError(f"{value}: {_BIND_FORMS}")


def networks(value: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    """Parse a list of CIDR networks; a plain address is a network of one."""
    found = []
    for item in items(value):
        try:
            found.append(ipaddress.ip_network(item))
        except ValueError as error:
            raise ValueError(f"must be a list of CIDR networks such as 10.0.0.0/8: {error}") from None
    return tuple(found)


def store_url(value: str) -> str:
    """Check the form of a store address; whether the store answers shows later.

    What passes here is what `gproxy.store.open` takes: a reload must not get any further with an address that is none.
    """
    if value.startswith("sqlite:///") and not value.endswith("/"):
        return value
    if value.startswith("etcd://"):
        hosts, _, prefix = value.removeprefix("etcd://").partition("/")
        is_prefix = not prefix or _ETCD_PREFIX.fullmatch(prefix.rstrip("/"))
        if is_prefix and all(_ETCD_HOST.fullmatch(host) for host in hosts.split(",")):
            return value
    raise ValueError("must be sqlite:///path or etcd://host:port[,host:port]/prefix")


def folders(value: str) -> tuple[str, ...]:
    """Parse a list of folders."""
    return tuple(items(value))


def classes(value: str) -> tuple[str, ...]:
    """Parse a list of package.module:Class."""
    found = tuple(items(value))
    for item in found:
        if not _CLASS.fullmatch(item):
            raise ValueError(f"{item}: must be package.module:Class")
    if len(found) > MAX_FILTERS:
        raise ValueError(f"must be at most {MAX_FILTERS} filters")
    if len(set(found)) < len(found):
        raise ValueError("names a filter twice")
    return found

"""The forms of single values in a configuration: names, addresses, hosts, methods, header fields.

Each function returns the value as it is stored and raises ValueError with a sentence for the user.
"""

import ipaddress
import json
import re
from collections.abc import Iterable
from typing import Any, Final

#: Families of variables (core/variables.py): what a variable may begin with.
FAMILIES: Final = ("path", "query", "header", "cookie", "body")

NAME: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")
TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2
ATTRIBUTE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,127}")
HOST_NAME: Final = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*")
DOTTED_NUMBERS: Final = re.compile(r"[0-9.]+")
PORT: Final = re.compile(r"[0-9]{1,5}")

#: `sun_path` holds 108 bytes with its closing zero.
UNIX_PATH_BYTES: Final = 107

#: Written by the gateway itself for each connection; an edit could make one message look like two.
FRAMING_HEADERS: Final = frozenset(
    "connection content-length keep-alive proxy-connection te trailer transfer-encoding upgrade".split()
)


def name(text: str) -> str:
    """Check the name of an object."""
    if NAME.fullmatch(text) is None:
        raise ValueError("must be 1 to 128 letters, digits or any of . _ : -")
    if text in (".", ".."):  # parts of a path that every program takes for something else
        raise ValueError('must not be "." or ".."')
    return text


def address(text: str) -> str:
    """Check where a server listens: "host:port", "[IPv6]:port" or "unix:/path"."""
    if text.startswith("unix:"):
        if text.startswith("unix:/") and _is_plain(text) and len(text) - 5 <= UNIX_PATH_BYTES:
            return text
        raise ValueError(f"must be unix: and an absolute path of at most {UNIX_PATH_BYTES} ASCII characters")
    host, _, port = text.rpartition(":")
    if PORT.fullmatch(port) is None or not 1 <= int(port) <= 65535 or not host:
        raise ValueError('must be "host:port" with a port from 1 to 65535, "[IPv6]:port" or "unix:/path"')
    if host.startswith("["):
        if _is_bracketed_ipv6(host):
            return text
        raise ValueError(f"{host} is not an IPv6 address in brackets")
    if ":" in host:
        raise ValueError("an IPv6 address is written in brackets: [::1]:80")
    if not _is_host(host):
        raise ValueError(f'"{host}" is neither a host name nor an IPv4 address')
    return text


def host_pattern(text: str) -> str:
    """Check a host or `*.` and a domain, without port, as `hosts` lists them; returns it in lower case."""
    host = text.lower()
    if _is_bracketed_ipv6(host) or _is_host(host.removeprefix("*.")):
        return host
    if host == "*":
        raise ValueError("leave hosts out to match any host")
    if not host.isascii():
        raise ValueError("an international host name is written in its xn-- form")
    raise ValueError("must be a host name without scheme and port, or *. and a domain")


def server_name(text: str) -> str:
    """Check the name that a TLS server is asked for and must prove; returns it in lower case."""
    if not _is_host(text):
        raise ValueError("must be a host name or an IPv4 address")
    return text.lower()


def method(text: str) -> str:
    """Check an HTTP method; returns it in capitals."""
    if TOKEN.fullmatch(text) is None:
        raise ValueError(f'"{text}" is not an HTTP method')
    if text.upper() == "CONNECT":
        raise ValueError("CONNECT is not proxied")
    return text.upper()


def header_name(text: str) -> str:
    """Check the name of a header field that an API may edit."""
    if TOKEN.fullmatch(text) is None:
        raise ValueError(f'"{text}" is not a header name')
    if text.lower() in FRAMING_HEADERS:
        raise ValueError(f"{text} belongs to the connection and cannot be edited")
    if text.lower() == "host":
        raise ValueError("Host is not edited: see preserve_host")
    return text


def cookie_name(text: str) -> str:
    """Check the name of a cookie (RFC 6265 section 4.1.1)."""
    if TOKEN.fullmatch(text) is None:
        raise ValueError(f'"{text}" is not a cookie name')
    return text


def check_header_name(text: str) -> str:
    """Check the name of a header field that a health check sends; Host is one of them."""
    return text if text.lower() == "host" else header_name(text)


def target(text: str) -> str:
    """Check the target of a request: a path, perhaps with a query (RFC 9112 section 3.2.1)."""
    if not text.startswith("/") or text.startswith("//") or not _is_plain(text) or " " in text or "#" in text:
        raise ValueError("must be an absolute path of printable ASCII without blanks, perhaps with a query")
    return text


def header_value(text: str) -> str:
    """Check the value of a header field (RFC 9110 section 5.5)."""
    if any((character < " " and character != "\t") or character == "\x7f" for character in text):
        raise ValueError("must not contain line breaks or other control characters")
    if text != text.strip(" \t"):
        raise ValueError("must not begin or end with a blank")
    return text


def file_name(text: str) -> str:
    """Check the absolute path of a file on the node."""
    if not text.startswith("/") or not text.isprintable():
        raise ValueError("must be an absolute path")
    return text


def json_value(value: Any) -> Any:
    """Check that a value can be written as JSON as it is."""
    try:
        is_json = json.loads(json.dumps(value, allow_nan=False)) == value
    except (TypeError, ValueError):
        is_json = False
    if not is_json:
        raise ValueError("must be a JSON value: text, a finite number, true, false, null, a list or an object")
    return value


def attribute(text: str) -> str:
    """Check the name of a part of an aggregation: rewrites of later parts use it, beside the families of variables."""
    if not ATTRIBUTE.fullmatch(text):
        raise ValueError("must be letters, digits, _ and -, not beginning with a digit or -")
    if text in FAMILIES:
        raise ValueError(f"cannot be {', '.join(FAMILIES)}: in a rewrite these mean parts of the request")
    return text


def json_path(text: str) -> str:
    """Check a path within a JSON value: field names with dots between them."""
    if not all(text.split(".")):
        raise ValueError("must be field names with dots between them")
    return text


def json_name(text: str) -> str:
    """Check the new name of a field."""
    if not text or "." in text:
        raise ValueError("must be the name of a field, without a dot: the field stays where it is")
    return text


def unique(items: tuple[str, ...]) -> tuple[str, ...]:
    """Check that no item is listed twice."""
    twice = first_repeated(items)
    if twice is not None:
        raise ValueError(f'"{twice}" is listed twice')
    return items


def first_repeated(items: Iterable[str]) -> str | None:
    """Return the first item that came before, None when all differ."""
    seen: set[str] = set()
    for item in items:
        if item in seen:
            return item
        seen.add(item)
    return None


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _is_host(text: str) -> bool:
    if DOTTED_NUMBERS.fullmatch(text):
        return _is_ip(text, 4)
    return len(text) <= 253 and HOST_NAME.fullmatch(text) is not None


def _is_bracketed_ipv6(text: str) -> bool:
    return text.startswith("[") and text.endswith("]") and "%" not in text and _is_ip(text[1:-1], 6)


def _is_ip(text: str, version: int) -> bool:
    try:
        return ipaddress.ip_address(text).version == version
    except ValueError:
        return False

"""Heads of HTTP/1.1 messages (RFC 9112): strict grammar, framing, and what of a head may be passed on.

Strategy: one compiled regular expression accepts or refuses a whole block of field lines, a second one splits it, and
one pass over the fields decides framing, persistence and what is forwarded. Nothing is repaired: a message that two
implementations could read differently is refused. Results depend on the bytes alone, so callers may memoise them:
clients and servers repeat their field blocks to the letter, request after request.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product

from gproxy.core.errors import BadRequest, ExpectationFailed, HeadTooLarge

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_VALUE = rb"[\t !-~\x80-\xff]*"
#: method, target, minor version; the target holds visible ASCII without the fragment mark (RFC 9112 3); CONNECT has no
#: path (3.2.3): a server that opens a tunnel for it all the same would leave the connection unusable for the next one
REQUEST_LINE = re.compile(rb"(?!CONNECT /)(" + TOKEN + rb") ([!\"$-~]+) HTTP/1\.([01])")
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9]\d\d)(?: (" + _VALUE + rb"))?\r\n")
_FIELD_BLOCK = re.compile(rb"(?:" + TOKEN + rb":" + _VALUE + rb"\r\n)*")
#: what can never become a valid head, however it goes on: seen before the head is complete
_HOPELESS = re.compile(rb"(?<!\r)\n|\r[^\n]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
#: host of RFC 3986 3.2.2 without comma (two joined Host fields) and with an optional port
_HOST = re.compile(rb"([A-Za-z0-9\-._~%!$&'()*+;=]+|\[[0-9A-Fa-f:.]+\])(?::\d{0,5})?")
_ABSOLUTE = re.compile(rb"[Hh][Tt][Tt][Pp][Ss]?://([^/?]*)(.*)", re.DOTALL)
#: longest DNS name with final dot and port; results are remembered by host, so this bounds memory as well
_HOST_BYTES = 260
_DIGITS = re.compile(rb"\d{1,18}")
_TIMEOUT = re.compile(rb"(?:^|[,; ])timeout=(\d{1,6})", re.IGNORECASE)

#: fields that speak about one connection and are never forwarded as they came (RFC 9110 7.6.1)
HOP_BY_HOP = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"te", b"upgrade", b"transfer-encoding")
    + (b"proxy-authenticate", b"proxy-authorization", b"trailer")
)
#: fields with which proxies other than this one tell where a request came from
FORWARDED_BY_OTHERS = frozenset(
    (b"x-forwarded-port", b"x-forwarded-prefix", b"x-forwarded-server", b"x-forwarded-scheme", b"x-forwarded-ssl")
)
#: fields that the gateway says itself, and others that servers believe; what a client claims counts only from a trusted
#: proxy
CLAIMS = FORWARDED_BY_OTHERS | frozenset(
    (b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"forwarded", b"x-request-id", b"x-real-ip")
    + (b"client-cert", b"client-cert-chain", b"x-client-cert-subject", b"x-client-cert-fingerprint")
    + (b"x-gateway-inspect",)
)
#: never passed on, whoever says it: names that CGI and WSGI servers take for claims, since they know no difference
#: between "-" and "_", and what they take for the setting of a proxy (CVE-2016-5385)
_LOOKALIKES = frozenset(
    b"".join(spelled)
    for name in CLAIMS
    for spelled in product(*((b"-", b"_") if char == 45 else (bytes((char,)),) for char in name))
) - CLAIMS | {b"proxy"}
#: fields that nobody can take away by naming them in Connection
_PROTECTED = frozenset(
    (b"host", b"authorization", b"cookie", b"content-length", b"content-type", b"content-encoding", b"expect")
    + (b"via", b"cache-control", b"set-cookie", b"date", b"location")
)
#: fields that are looked at; all others are passed on to the letter
_REQUEST_SPECIAL = HOP_BY_HOP | CLAIMS | _LOOKALIKES | {b"host", b"content-length", b"expect"}
_RESPONSE_SPECIAL = HOP_BY_HOP | {b"content-length"}
#: fields of which a second one makes the message ambiguous
_ONCE = frozenset((b"host", b"content-length", b"transfer-encoding"))


@dataclass(slots=True)
class RequestFields:
    """What the field lines of one request mean.

    `host` is the routing key: lower case, without port. `forward` are the field lines for the backend, Host first,
    without hop-by-hop fields and claims. `length` is the body's size in bytes, 0 when there is none, -1 when chunked.
    `claims` holds what the client says in the fields of CLAIMS (values of repeated fields joined).
    `upgrade` is what it wants to switch to (RFC 9110 7.8).
    """

    host: bytes
    host_value: bytes
    forward: bytes
    length: int
    close: bool
    keep_alive: bool
    expects_continue: bool
    trailers: frozenset[bytes]
    claims: dict[bytes, bytes]
    upgrade: bytes = b""


@dataclass(slots=True)
class ResponseHead:
    """What the head of one response means.

    `lines` are the status line and field lines for the client, without hop-by-hop fields, `head` is the same with
    the empty line: what a client that stays gets.
    `length` is the Content-Length in bytes, -1 when chunked, -2 when the body ends with the connection.
    `close`: nothing can follow on this connection.
    `idle_s`: the server's own keep-alive limit in seconds, 0 when unsaid.
    `upgrade`: what it switches to, if it does.
    """

    status: int
    lines: bytes
    head: bytes
    length: int
    close: bool
    idle_s: int
    trailers: frozenset[bytes]
    upgrade: bytes = b""


CHUNKED = -1
UNTIL_CLOSE = -2
NO_NAMES: frozenset[bytes] = frozenset()
NO_CLAIMS: dict[bytes, bytes] = {}
_PERSISTENCE = frozenset((b"close", b"keep-alive"))


def split_fields(block: bytes) -> list[tuple[bytes, bytes]]:
    """Return (name, value) of every field line of a valid `block` in order, values without outer white space."""
    lines = (line.partition(b":") for line in block.split(b"\r\n") if line)
    return [(name, value.strip(b" \t")) for name, _, value in lines]


def is_hopeless(partial: bytes, start: int = 0) -> bool:
    """Say whether an incomplete head holds, from `start`, what no valid head holds (bare CR or LF, controls)."""
    return _HOPELESS.search(partial, start) is not None


def parse_request_fields(block: bytes, minor: bytes, most_fields: int) -> RequestFields:
    """Parse the field lines of a request (each ending in CRLF, without the empty line).

    `minor` is b"0" or b"1". Raises BadRequest, HeadTooLarge, ExpectationFailed.
    """
    if not _FIELD_BLOCK.fullmatch(block):
        raise BadRequest(_what_is_wrong(block))
    if block.count(b"\n") > most_fields:
        raise HeadTooLarge(f"The request has more than {most_fields} header fields.")
    special, kept, twice = _sort_out(block, _REQUEST_SPECIAL)
    if twice:
        raise BadRequest(f"The request has two {twice.decode('ascii').title()} fields.")
    host, length, coding = special.get(b"host"), special.get(b"content-length"), special.get(b"transfer-encoding")
    if host is None and minor == b"1":
        raise BadRequest("The request has no Host field.")
    body_length = 0
    if coding is not None:
        _check_request_coding(coding, length, minor)
        body_length = CHUNKED
        kept.append(b"Transfer-Encoding: chunked")
    elif length is not None:
        body_length = _length(length)
        kept.append(b"Content-Length: " + length)
    expect = special.get(b"expect")
    if expect is not None:
        if expect.lower() != b"100-continue":
            raise ExpectationFailed("The only expectation known here is 100-continue.")
        kept.append(b"Expect: " + expect)
    options = _options(special)
    trailers = _announced(special) - CLAIMS - _LOOKALIKES if coding is not None else NO_NAMES
    if trailers:
        kept.append(b"Trailer: " + b", ".join(sorted(trailers)))
    if len(options) > 1 or not options <= _PERSISTENCE:
        kept = _without(kept, options - CLAIMS)
    if host:
        kept.insert(0, b"Host: " + host)
    kept.append(b"")
    return RequestFields(
        routing_host(host) if host or minor == b"1" else b"",
        host or b"",
        b"\r\n".join(kept),
        body_length,
        b"close" in options,
        b"keep-alive" in options,
        expect is not None and minor == b"1",
        trailers,
        {name: special[name] for name in special.keys() & CLAIMS} if len(special) > 1 else NO_CLAIMS,
        special.get(b"upgrade", b"") if b"upgrade" in options and minor == b"1" else b"",
    )


def parse_response_head(head: bytes, most_fields: int) -> ResponseHead:
    """Parse status line and field lines of a response (without the empty line); raises ValueError with the reason."""
    line = _STATUS_LINE.match(head)
    if line is None:
        raise ValueError("invalid status line")
    minor, code, reason = line.groups(b"")
    block = head[line.end() :]
    if not _FIELD_BLOCK.fullmatch(block):
        raise ValueError("invalid header field")
    if block.count(b"\n") > most_fields:
        raise ValueError(f"more than {most_fields} header fields")
    special, kept, twice = _sort_out(block, _RESPONSE_SPECIAL)
    if twice:
        raise ValueError(f"two {twice.decode('ascii').title()} fields")
    status, size, length = int(code), special.get(b"content-length"), UNTIL_CLOSE
    if size is not None:
        if not _DIGITS.fullmatch(size):
            raise ValueError("invalid Content-Length")
        length = int(size)
        if status >= 200 and status != 204:
            kept.append(b"Content-Length: " + size)
    coding = special.get(b"transfer-encoding")
    if coding is not None:
        if coding.lower() != b"chunked" or size is not None or minor == b"0":
            raise ValueError("ambiguous framing")
        length = CHUNKED
    options = _options(special)
    if len(options) > 1 or not options <= _PERSISTENCE:
        kept = _without(kept, options)
    limit = _TIMEOUT.search(special.get(b"keep-alive", b""))
    kept.append(b"")
    lines = b"HTTP/1.1 %b %b\r\n%b" % (code, reason, b"\r\n".join(kept))
    is_last = b"close" in options or (minor == b"0" and b"keep-alive" not in options)
    may_misframe = status == 204 and length not in (0, UNTIL_CLOSE)  # a body that may not be, and yet may follow
    return ResponseHead(
        status,
        lines,
        lines + b"\r\n",
        length,
        is_last or may_misframe,
        int(limit[1]) if limit else 0,
        _announced(special),
        special.get(b"upgrade", b"") if status == 101 else b"",
    )


def _sort_out(block: bytes, names: frozenset[bytes]) -> tuple[dict[bytes, bytes], list[bytes], bytes]:
    """Separate the fields with special `names` from the lines that are passed on.

    Returns the values of the special ones (repeated ones joined as a list), the other lines without their CRLF, and
    the name of a field that must not be repeated but is, or b"".
    """
    special: dict[bytes, bytes] = {}
    kept: list[bytes] = []
    twice = b""
    for line in block[:-2].split(b"\r\n") if block else ():
        name, _, value = line.partition(b":")
        key = name.lower()
        if key not in names:
            kept.append(line)
        elif key not in special:
            special[key] = value.strip(b" \t")
        else:
            special[key] += b", " + value.strip(b" \t")
            if key in _ONCE:
                twice = key
    return special, kept, twice


def _options(special: dict[bytes, bytes]) -> frozenset[bytes]:
    """Return the options of Connection, lower case."""
    value = special.get(b"connection")
    return frozenset(_list(value)) if value else NO_NAMES


def _announced(special: dict[bytes, bytes]) -> frozenset[bytes]:
    """Return the names in Trailer that may be sent there (RFC 9110 6.5.1), lower case."""
    value = special.get(b"trailer")
    return frozenset(_list(value)) - _PROTECTED - HOP_BY_HOP if value else NO_NAMES


def absolute_target(target: bytes) -> tuple[bytes, bytes]:
    """Split an absolute-form target into (authority, origin-form target); raises BadRequest (RFC 9112 3.2.2)."""
    match = _ABSOLUTE.fullmatch(target)
    if match is None or not match[1]:
        raise BadRequest("The request target is neither a path nor an absolute URI.")
    rest = match[2]
    return match[1], rest if rest.startswith(b"/") else b"/" + rest


def with_host(fields: RequestFields, authority: bytes) -> RequestFields:
    """Return `fields` with the authority of an absolute-form target in place of Host (RFC 9112 3.2.2)."""
    host = routing_host(authority)
    _, _, rest = fields.forward.partition(b"\r\n") if fields.host_value else (b"", b"", fields.forward)
    return replace(fields, host=host, host_value=authority, forward=b"Host: %b\r\n%b" % (authority, rest))


@lru_cache(maxsize=4096)
def routing_host(value: bytes) -> bytes:
    """Return the host part of a Host value, lower case, without port and final dot; raises BadRequest."""
    match = _HOST.fullmatch(value)
    if match is None or len(value) > _HOST_BYTES:
        raise BadRequest("The Host field is not a valid host.")
    return match[1].lower().removesuffix(b".")


def _check_request_coding(coding: bytes, length: bytes | None, minor: bytes) -> None:
    if minor == b"0":
        raise BadRequest("HTTP/1.0 has no Transfer-Encoding.")
    if length is not None:
        raise BadRequest("The request has both Transfer-Encoding and Content-Length.")
    if coding.lower() != b"chunked":
        raise BadRequest("The only transfer coding known here is chunked.")


def _length(value: bytes) -> int:
    if not _DIGITS.fullmatch(value):
        raise BadRequest("The Content-Length is not a number.")
    return int(value)


def _list(value: bytes) -> list[bytes]:
    return [item for item in (part.strip(b" \t").lower() for part in value.split(b",")) if item]


def _without(lines: list[bytes], names: frozenset[bytes]) -> list[bytes]:
    """Take out the fields that Connection names, except those that are not the sender's to take away."""
    names -= _PROTECTED | HOP_BY_HOP
    return [line for line in lines if line.partition(b":")[0].lower() not in names]


def _what_is_wrong(block: bytes) -> str:
    """Name the first fault of a refused field block in words for the client."""
    for line in block.split(b"\r\n")[:-1]:
        if line[:1] in (b" ", b"\t"):
            return "A header field is folded over several lines."
        name, colon, _ = line.partition(b":")
        if not colon:
            return "A header line has no colon."
        if name.rstrip(b" \t") != name:
            return "A header field has white space before its colon."
        if not re.fullmatch(TOKEN, name):
            return "A header field has an invalid name."
        if not re.fullmatch(_VALUE, line[len(name) + 1 :]):
            return "A header field has an invalid character in its value."
    return "The header fields are malformed."

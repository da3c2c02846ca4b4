"""Heads of HTTP/1.1 messages (RFC 9112): strict grammar, framing, and what of a head may be passed on.

Strategy: one compiled regular expression accepts or refuses a whole block of field lines, a second one splits it, and
one pass over the fields decides framing, persistence and what is forwarded. Nothing is repaired: a message that two
implementations could read differently is refused. Results depend on the bytes alone, so callers may memoise them:
clients and servers repeat their field blocks to the letter, request after request.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from gproxy.core.errors import BadRequest, ExpectationFailed, HeadTooLarge

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_VALUE = rb"[\t !-~\x80-\xff]*"
#: method, target, minor version; the target holds visible ASCII without the fragment mark (RFC 9112 3)
REQUEST_LINE = re.compile(rb"(" + TOKEN + rb") ([!\"$-~]+) HTTP/1\.([01])")
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9]\d\d)(?: (" + _VALUE + rb"))?\r\n")
_FIELD_BLOCK = re.compile(rb"(?:" + TOKEN + rb":" + _VALUE + rb"\r\n)*")
_FIELD = re.compile(rb"([^:]+):[\t ]*([^\r]*?)[\t ]*\r\n")
#: what can never become a valid head, however it goes on: seen before the head is complete
_HOPELESS = re.compile(rb"(?<!\r)\n|\r[^\n]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
#: host of RFC 3986 3.2.2 without comma (two joined Host fields) and with an optional port
_HOST = re.compile(rb"([A-Za-z0-9\-._~%!$&'()*+;=]+|\[[0-9A-Fa-f:.]+\])(?::\d{0,5})?")
_ABSOLUTE = re.compile(rb"[Hh][Tt][Tt][Pp][Ss]?://([^/?]*)(.*)", re.DOTALL)
_DIGITS = re.compile(rb"\d{1,18}")
_TIMEOUT = re.compile(rb"(?:^|[,; ])timeout=(\d{1,6})", re.IGNORECASE)

#: fields that speak about one connection and are never forwarded (RFC 9110 7.6.1)
HOP_BY_HOP = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"te", b"upgrade", b"transfer-encoding")
    + (b"proxy-authenticate", b"proxy-authorization", b"trailer")
)
#: fields that the gateway says itself; what a client claims counts only from a trusted proxy
CLAIMS = frozenset(
    (
        b"x-forwarded-for",
        b"x-forwarded-proto",
        b"x-forwarded-host",
        b"forwarded",
        b"x-request-id",
        b"x-real-ip",
    )
)
#: fields that a client cannot take away by naming them in Connection
_PROTECTED = frozenset(
    (b"host", b"authorization", b"cookie", b"content-length", b"content-type", b"content-encoding", b"expect")
    + (b"via", b"cache-control", b"set-cookie", b"date", b"location")
)


@dataclass(frozen=True, slots=True)
class RequestFields:
    """What the field lines of one request mean.

    `host` is the routing key: lower case, without port. `forward` are the field lines for the backend, Host first,
    without hop-by-hop fields and claims. `length` is the body's size in bytes, 0 when there is none, -1 when chunked.
    `claims` holds what the client says in X-Forwarded-*, Forwarded and X-Request-Id (values of repeated fields joined).
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


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """What the head of one response means.

    `lines` are the status line and field lines for the client, without hop-by-hop fields, `head` is the same with
    the empty line: what a client that stays gets.
    `length` is the Content-Length in bytes, -1 when chunked, -2 when the body ends with the connection.
    `close`: the server closes afterwards. `idle_s`: the server's own keep-alive limit in seconds, 0 when unsaid.
    """

    status: int
    lines: bytes
    head: bytes
    length: int
    close: bool
    idle_s: int
    trailers: frozenset[bytes]


CHUNKED = -1
UNTIL_CLOSE = -2


def split_fields(block: bytes) -> list[tuple[bytes, bytes]]:
    """Return (name, value) of every field line of a valid `block` in order, values without outer white space."""
    return _FIELD.findall(block)


def is_hopeless(partial: bytes, start: int = 0) -> bool:
    """Say whether an incomplete head holds, from `start`, what no valid head holds (bare CR or LF, controls)."""
    return _HOPELESS.search(partial, start) is not None


def parse_request_fields(block: bytes, minor: bytes, most_fields: int) -> RequestFields:
    """Parse the field lines of a request (each ending in CRLF, without the empty line).

    `minor` is b"0" or b"1". Raises BadRequest, HeadTooLarge, ExpectationFailed.
    """
    if not _FIELD_BLOCK.fullmatch(block):
        raise BadRequest(_what_is_wrong(block))
    fields = _FIELD.findall(block)
    if len(fields) > most_fields:
        raise HeadTooLarge(f"The request has more than {most_fields} header fields.")
    host = length = coding = expect = None
    connection: list[bytes] = []
    claims: dict[bytes, bytes] = {}
    announced: list[bytes] = []
    forward = [b""]
    for name, value in fields:
        key = name.lower()
        if key == b"host":
            if host is not None:
                raise BadRequest("The request has two Host fields.")
            host = value
        elif key == b"content-length":
            if length is not None:
                raise BadRequest("The request has two Content-Length fields.")
            length = value
            forward.append(b"Content-Length: %b\r\n" % value)
        elif key == b"connection":
            connection += _list(value)
        elif key == b"transfer-encoding":
            if coding is not None:
                raise BadRequest("The request has two Transfer-Encoding fields.")
            coding = value
        elif key in CLAIMS:
            claims[key] = claims[key] + b", " + value if key in claims else value
        elif key == b"trailer":
            announced += _list(value)
        elif key not in HOP_BY_HOP:
            if key == b"expect":
                expect = value.lower() if expect in (None, b"100-continue") else expect  # one wrong is enough
            forward.append(b"%b: %b\r\n" % (name, value))
    if coding is not None:
        _check_request_coding(coding, length, minor)
        forward.append(b"Transfer-Encoding: chunked\r\n")
        if announced:
            forward.append(b"Trailer: %b\r\n" % b", ".join(announced))
    if host is None:
        if minor == b"1":
            raise BadRequest("The request has no Host field.")
        host = b""
    elif host:
        forward[0] = b"Host: %b\r\n" % host
    if expect not in (None, b"100-continue"):
        raise ExpectationFailed("The only expectation known here is 100-continue.")
    body_length = CHUNKED if coding is not None else 0 if length is None else _length(length)
    named = frozenset(connection) - _PROTECTED - CLAIMS - HOP_BY_HOP
    return RequestFields(
        host=routing_host(host) if host or minor == b"1" else b"",
        host_value=host,
        forward=_without(b"".join(forward), named),
        length=body_length,
        close=b"close" in connection,
        keep_alive=b"keep-alive" in connection,
        expects_continue=expect is not None and minor == b"1",
        trailers=frozenset(announced) - _PROTECTED - CLAIMS - HOP_BY_HOP,
        claims=claims,
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
    fields = _FIELD.findall(block)
    if len(fields) > most_fields:
        raise ValueError(f"more than {most_fields} header fields")
    status = int(code)
    length = coding = None
    connection: list[bytes] = []
    announced: list[bytes] = []
    idle_s = 0
    forward = [b"HTTP/1.1 %b %b\r\n" % (code, reason)]
    for name, value in fields:
        key = name.lower()
        if key == b"content-length":
            if length is not None:
                raise ValueError("two Content-Length fields")
            length = _response_length(value)
            if status >= 200 and status != 204:
                forward.append(b"%b: %b\r\n" % (name, value))
        elif key == b"connection":
            connection += _list(value)
        elif key == b"transfer-encoding":
            if coding is not None:
                raise ValueError("two Transfer-Encoding fields")
            coding = value.lower()
        elif key == b"trailer":
            announced += _list(value)
        elif key == b"keep-alive":
            limit = _TIMEOUT.search(value)
            idle_s = int(limit[1]) if limit else 0
        elif key not in HOP_BY_HOP:
            forward.append(b"%b: %b\r\n" % (name, value))
    if coding is not None and (coding != b"chunked" or length is not None or minor == b"0"):
        raise ValueError("ambiguous framing")
    named = frozenset(connection) - _PROTECTED - HOP_BY_HOP
    lines = _without(b"".join(forward), named)
    return ResponseHead(
        status=status,
        lines=lines,
        head=lines + b"\r\n",
        length=CHUNKED if coding is not None else UNTIL_CLOSE if length is None else length,
        close=b"close" in connection or (minor == b"0" and b"keep-alive" not in connection),
        idle_s=idle_s,
        trailers=frozenset(announced) - _PROTECTED - HOP_BY_HOP,
    )


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


def routing_host(value: bytes) -> bytes:
    """Return the host part of a Host value, lower case, without port and final dot; raises BadRequest."""
    match = _HOST.fullmatch(value)
    if match is None:
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


def _response_length(value: bytes) -> int:
    if not _DIGITS.fullmatch(value):
        raise ValueError("invalid Content-Length")
    return int(value)


def _list(value: bytes) -> list[bytes]:
    return [item for item in (part.strip(b" \t").lower() for part in value.split(b",")) if item]


def _without(block: bytes, names: frozenset[bytes]) -> bytes:
    if not names:
        return block
    kept = (line for line in block.splitlines(keepends=True) if line.partition(b":")[0].lower() not in names)
    return b"".join(kept)


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

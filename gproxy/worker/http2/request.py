"""From the header fields of an HTTP/2 request to what the story knows of one: the strict reading of HTTP/1.1 heads.

The fields are written as a block of HTTP/1.1 and read by the same parser, so that nothing gets through in one version
that is refused in the other. What frames an HTTP/1.1 message cannot be in them: h2 refuses it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from gproxy.core.errors import BadRequest, HeadTooLarge, TargetTooLong
from gproxy.core.http1 import REQUEST_LINE, RequestFields, parse_request_fields

if TYPE_CHECKING:
    from gproxy.worker.runtime import Runtime


def read(
    headers: Iterable[tuple[bytes, bytes]], has_body: bool, runtime: Runtime
) -> tuple[bytes, bytes, RequestFields]:
    """Return method, target and fields of a request; raises BadRequest, TargetTooLong, HeadTooLarge.

    `has_body`: more than the head comes. Without a Content-Length the body is read as chunks: see stream.py.
    """
    pseudo: dict[bytes, bytes] = {}
    lines: list[bytes] = []
    cookies: list[bytes] = []
    host = b""
    for name, value in headers:
        if name[:1] == b":":
            pseudo[name] = value
        elif name == b"cookie":
            cookies.append(value)  # may come in crumbs (RFC 9113 8.2.3)
        elif name == b"host":
            host = value
        elif b":" in name:
            raise BadRequest("A header field has an invalid name.")
        else:
            lines.append(b"%b: %b\r\n" % (name, value))
    method, target = pseudo.get(b":method", b""), pseudo.get(b":path", b"")
    authority = pseudo.get(b":authority", host)
    if host and host.lower() != authority.lower():
        raise BadRequest("The Host field and :authority disagree.")
    if cookies:
        lines.append(b"Cookie: %b\r\n" % b"; ".join(cookies))
    if has_body and not any(line.startswith(b"content-length:") for line in lines):
        lines.append(b"Transfer-Encoding: chunked\r\n")
    lines.insert(0, b"Host: %b\r\n" % authority)
    block = b"".join(lines)
    if not block.count(b"\r") == block.count(b"\n") == len(lines):
        raise BadRequest("A header field has an invalid character in its value.")
    fields = _checked(method, target, block, runtime)
    if fields.length > 0 and not has_body:  # h2 holds lengths only against what comes in frames of data
        raise BadRequest("The request ends before its body.")
    return method, target, fields


def _checked(method: bytes, target: bytes, block: bytes, runtime: Runtime) -> RequestFields:
    if not REQUEST_LINE.fullmatch(b"%b %b HTTP/1.1" % (method, target)):
        raise BadRequest("The request line is malformed.")
    if not target.startswith(b"/") and (target != b"*" or method != b"OPTIONS"):
        raise BadRequest("The request target is not a path.")
    if len(target) > runtime.target_bytes:
        raise TargetTooLong(f"The request target is longer than {runtime.target_bytes} bytes.")
    if len(block) > runtime.head_bytes:
        raise HeadTooLarge(f"The request head is larger than {runtime.head_bytes} bytes.")
    fields = runtime.known_blocks.get(block)
    if fields is None:
        fields = parse_request_fields(block, b"1", runtime.head_fields)
        runtime.remember_request_fields(block, fields)
    return fields

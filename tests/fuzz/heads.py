"""Laws of request heads and response heads."""

from __future__ import annotations

import re
from dataclasses import replace

import h11

from gproxy.core.errors import BadRequest, ExpectationFailed, HeadTooLarge
from gproxy.core.http1 import (
    CHUNKED,
    CLAIMS,
    HOP_BY_HOP,
    REQUEST_LINE,
    UNTIL_CLOSE,
    RequestFields,
    absolute_target,
    is_hopeless,
    parse_request_fields,
    parse_response_head,
    split_fields,
    with_host,
)
from tests.fuzz.peers import Llhttp, asked, body_of, read_body

_MOST_FIELDS = 100
_TABS = re.compile(rb"[\t ]+\r\n")
#: Bodies larger than this are not made up.
_MOST_BODY = 1 << 16


def request_heads(data: bytes) -> None:
    """What is taken for a request means the same to h11 and, as it is sent on, to whoever reads it next."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        if is_hopeless(data):
            assert _request(data + b"\r\nHost: a\r\n\r\n") is None, "what can become a head was given up"
        return
    read = _request(data[: end + 4])
    if read is None:
        return
    line, fields = read
    for seen in range(0, end + 4, 7):
        assert not is_hopeless(data[:seen]), "a part of a valid head was given up"
    method, target, minor = line
    _agrees_with_h11(data[: end + 4], fields, minor)
    _is_sent_on_unchanged(fields)
    if target[0] != b"/"[0] and target != b"*" and method != b"CONNECT":
        _is_absolute(target, fields)


def _request(head: bytes) -> tuple[tuple[bytes, bytes, bytes], RequestFields] | None:
    """Read a whole head as a worker does; None when it is refused."""
    first, _, block = head.removesuffix(b"\r\n").partition(b"\r\n")
    line = REQUEST_LINE.fullmatch(first)
    if line is None:
        return None
    try:
        return (line[1], line[2], line[3]), parse_request_fields(block, line[3], _MOST_FIELDS)
    except (BadRequest, ExpectationFailed, HeadTooLarge):
        return None


def _agrees_with_h11(head: bytes, fields: RequestFields, minor: bytes) -> None:
    peer = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    peer.receive_data(head)
    request = peer.next_event()
    assert isinstance(request, h11.Request)
    assert peer.they_are_waiting_for_100_continue is fields.expects_continue
    if fields.length <= _MOST_BODY:
        wire, payload = body_of(fields.length)
        peer.receive_data(wire + b"NEXT")
        assert read_body(peer) == payload
        assert peer.trailing_data[0] == b"NEXT"
    if minor == b"1" and peer.their_state is not h11.MIGHT_SWITCH_PROTOCOL:  # h11 never keeps those of HTTP/1.0
        assert fields.close is (peer.their_state is h11.MUST_CLOSE)


def _is_sent_on_unchanged(fields: RequestFields) -> None:
    sent = split_fields(fields.forward)
    names = {name.lower() for name, _ in sent}
    assert names.isdisjoint(CLAIMS)
    assert names.isdisjoint(HOP_BY_HOP - {b"transfer-encoding", b"trailer"})
    assert (b"transfer-encoding" in names) is (fields.length == CHUNKED)
    if not fields.host_value:
        return
    again = parse_request_fields(fields.forward, b"1", _MOST_FIELDS + 2)
    # Expect means something only in HTTP/1.1, and what the connection is to become was for this gateway.
    same = ("host", "host_value", "forward", "length", "trailers")
    assert [getattr(again, name) for name in same] == [getattr(fields, name) for name in same]
    assert again.claims == {}
    _agrees_with_h11(b"GET / HTTP/1.1\r\n%b\r\n" % fields.forward, replace(again, close=False), b"1")


def _is_absolute(target: bytes, fields: RequestFields) -> None:
    try:
        authority, path = absolute_target(target)
        moved = with_host(fields, authority)
    except BadRequest:
        return
    assert path.startswith(b"/")
    assert REQUEST_LINE.fullmatch(b"GET %b HTTP/1.1" % path)
    assert split_fields(moved.forward)[0] == (b"Host", authority)
    assert [name.lower() for name, _ in split_fields(moved.forward)].count(b"host") == 1


def response_heads(data: bytes) -> None:
    """What is taken for a response means the same to h11 and llhttp, as it came and as it is sent on."""
    end = data.find(b"\r\n\r\n") + 2
    if end < 2:
        return
    head = data[:end]
    try:
        parsed = parse_response_head(head, _MOST_FIELDS)
    except ValueError:
        return
    _agree(head + b"\r\n", parsed.status, parsed.length, parsed.close)
    sent_on = parse_response_head(parsed.lines, _MOST_FIELDS + 1)
    assert sent_on.status == parsed.status
    assert sent_on.length == (parsed.length if parsed.length >= 0 and _says_length(parsed.status) else UNTIL_CLOSE)
    assert not {name.lower() for name, _ in split_fields(parsed.lines.partition(b"\r\n")[2])} & HOP_BY_HOP
    _agree(parsed.head, parsed.status, sent_on.length, False)


def _says_length(status: int) -> bool:
    return status >= 200 and status != 204


def _agree(head: bytes, status: int, length: int, close: bool) -> None:
    """Have h11 and llhttp read it."""
    if length > _MOST_BODY:
        return
    # llhttp does not know "chunked" with a tab behind it; nobody reads what we have read in that form, though.
    peer, llhttp = asked(), Llhttp().take(_TABS.sub(b"\r\n", head))
    peer.receive_data(head)
    response = peer.next_event()
    assert isinstance(response, h11.Response | h11.InformationalResponse), response
    assert response.status_code == status
    assert llhttp.has_head
    assert not llhttp.failed or status == 101  # it says by failing that HTTP ends here
    assert llhttp.get_code() == status
    assert llhttp.end_to_end(frozenset()) == split_fields(head.partition(b"\r\n")[2][:-2])
    if status < 200:
        return
    if status in (204, 304):
        assert llhttp.is_whole
        return
    if length == UNTIL_CLOSE:
        peer.receive_data(b"abc")
        peer.receive_data(b"")
        assert read_body(peer) == b"abc"
        assert not llhttp.take(b"abc").is_whole
        return
    wire, payload = body_of(length)
    peer.receive_data(wire)
    assert read_body(peer) == payload
    if re.match(rb"HTTP/1\.1", head):
        assert close is (peer.their_state is h11.MUST_CLOSE)
    assert llhttp.take(wire).is_whole
    assert not llhttp.failed
    assert llhttp.payload == payload

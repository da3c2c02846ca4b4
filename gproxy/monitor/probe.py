"""One health check over the wire: a fresh connection, one request, and a transcript of what happened.

Connections are made as the workers make theirs, and never kept: whether a server still accepts one is part of the
question. geventhttpclient's llhttp parser says where the answer ends; its client would resend on its own.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import ssl
import time
from dataclasses import dataclass, field
from typing import Final

import gevent
from geventhttpclient._parser import HTTPParseError, HTTPResponseParser

from gproxy.core.backends import Endpoint
from gproxy.core.health_check import MOST_BODY_BYTES, SHOWN_BYTES, Check, Fault, HttpQuestion
from gproxy.worker.connector import connector_for

#: A head that is larger is no answer.
MOST_HEAD_BYTES: Final = 32_768
_RECV_BYTES: Final = 16_384


@dataclass(slots=True)
class Transcript:
    """What was asked and what came back. Times are in milliseconds since the beginning, None: it never came to that.

    `began_ms` is wall clock (since 1970). `head` is the answer's, `body` its first bytes. `fault` is one sentence
    that says what was wrong, "" when the server is well; `kind` is of what kind that is.
    """

    began_ms: int
    request: str = ""
    head: str = ""
    body: str = ""
    status: int = 0
    connected_ms: float | None = None
    answered_ms: float | None = None
    ended_ms: float = 0.0
    kind: Fault | None = None
    fault: str = ""
    _began: float = field(default_factory=time.monotonic, repr=False)

    @property
    def is_well(self) -> bool:
        """Tell whether the answer was the right one."""
        return self.kind is None

    def elapsed_ms(self) -> float:
        """Return the time since the beginning."""
        return round(1000 * (time.monotonic() - self._began), 3)

    def fail(self, kind: Fault, fault: str) -> None:
        """Note what was wrong."""
        self.kind, self.fault = kind, fault


class _Answer(HTTPResponseParser):
    """The final response of a connection; interim ones, and what comes behind its end, are passed over."""

    def __init__(self, is_head: bool) -> None:
        super().__init__()
        self._is_head = is_head
        self.status = 0
        self.is_complete = False
        self.body = bytearray()

    def end(self) -> None:
        """The connection was closed: that completes a body of unknown length."""
        with contextlib.suppress(HTTPParseError):
            self.feed(b"")

    def _on_message_begin(self) -> None:
        pass

    def _on_status(self, reason: str) -> None:
        pass

    def _on_header_field(self, name: str) -> None:
        pass

    def _on_header_value(self, value: str) -> None:
        pass

    def _on_headers_complete(self) -> bool:
        if not self.status and self.get_code() >= 200:
            self.status = self.get_code()
        return self._is_head  # true: no body follows

    def _on_body(self, data: bytearray) -> None:
        if not self.is_complete:
            self.body += data

    def _on_message_complete(self) -> None:
        self.is_complete = self.status > 0


def wall_ms() -> int:
    """Return the wall clock in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def probe(endpoint: Endpoint, check: Check) -> Transcript:
    """Ask a server once, within the check's time-out. Parks the greenlet; whatever the server does is no exception."""
    transcript = Transcript(began_ms=wall_ms())
    timeout = gevent.Timeout(check.pace.timeout_s)
    try:
        with timeout:
            _converse(endpoint, check.http, transcript)
    except gevent.Timeout as expired:
        if expired is not timeout:
            raise
        transcript.fail(Fault.TIMEOUT, f"{_awaited(transcript)} within {check.pace.timeout_s:g} s")
    except HTTPParseError as error:
        transcript.fail(Fault.INVALID, f"not a valid answer: {error.args[0]}")
    except (OSError, UnicodeError) as error:
        transcript.fail(*_explained(error, is_connected=transcript.connected_ms is not None))
    transcript.ended_ms = transcript.elapsed_ms()
    return transcript


def _awaited(transcript: Transcript) -> str:
    if transcript.connected_ms is None:
        return "no connection"
    return "no answer" if transcript.answered_ms is None else "no complete answer"


def _explained(error: OSError | UnicodeError, is_connected: bool) -> tuple[Fault, str]:
    """Return what an error of the socket means."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Fault.TLS, f"TLS: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return Fault.TLS, f"TLS: {error.reason or error}"
    if isinstance(error, socket.gaierror | UnicodeError):
        return Fault.CONNECT, f"the name cannot be resolved: {error}"
    said = (error.strerror or str(error)).lower()
    return (Fault.BROKEN, said) if is_connected else (Fault.CONNECT, f"cannot connect: {said}")


def _converse(endpoint: Endpoint, question: HttpQuestion | None, transcript: Transcript) -> None:
    """Connect, and ask the question if there is one."""
    if question is not None:
        transcript.request = _shown(question.request)
    pool = connector_for(endpoint)
    sock = pool.get_socket()
    try:
        if sock.getsockname() == sock.getpeername() != "":
            # To a port that nobody listens on, the kernel may connect a socket with itself.
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        transcript.connected_ms = transcript.elapsed_ms()
        if question is not None:
            sock.sendall(question.request)
            _receive(sock, question, transcript)
    finally:
        pool.release_socket(sock)


def _receive(sock: socket.socket, question: HttpQuestion, transcript: Transcript) -> None:
    """Read the answer to its end, or as much of it as is looked at, and judge it."""
    answer, head = _Answer(question.is_head), b""
    while not answer.is_complete and len(answer.body) < MOST_BODY_BYTES:
        data = sock.recv(_RECV_BYTES)
        if not data:
            answer.end()
            break
        if transcript.answered_ms is None:
            transcript.answered_ms = transcript.elapsed_ms()
        if not answer.status:
            head += data
        try:
            answer.feed(data)
        finally:
            _note(transcript, answer, head)
        if not answer.status and len(head) >= MOST_HEAD_BYTES:
            raise HTTPParseError(f"its head is larger than {MOST_HEAD_BYTES} bytes")
    if not answer.is_complete and len(answer.body) < MOST_BODY_BYTES:
        transcript.fail(Fault.BROKEN, "closed before the end of the answer" if head else "closed without an answer")
        return
    fault = question.fault(answer.status, bytes(answer.body[:MOST_BODY_BYTES]))
    if fault:
        transcript.fail(*fault)


def _note(transcript: Transcript, answer: _Answer, received: bytes) -> None:
    """Write down what has come of the answer so far."""
    while received.startswith(b"HTTP/1.1 1") and b"\r\n\r\n" in received:  # an interim response
        received = received.partition(b"\r\n\r\n")[2]
    transcript.status = answer.status
    transcript.head = _shown(received.partition(b"\r\n\r\n")[0])
    transcript.body = _shown(bytes(answer.body[:SHOWN_BYTES]))


def _shown(data: bytes) -> str:
    return data[:SHOWN_BYTES].decode("utf-8", "replace")

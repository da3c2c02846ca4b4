"""Asks a running node: its control endpoint, over TCP or a unix socket."""

import argparse
import http.client
import json
import socket
import time
from collections.abc import Mapping
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from gproxy import settings

TIMEOUT_S: Final = 10.0


class BadAddress(Exception):
    """This is no address of a control endpoint; the text is one line that says so."""


class NodeError(Exception):
    """The node did not answer; the text is one line that says why.

    `is_refusal`: it did, and the question was wrong.
    """

    def __init__(self, message: str, is_refusal: bool = False) -> None:
        super().__init__(message)
        self.is_refusal = is_refusal


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Asked(Protocol):
    """A node that can be asked, directly or through an admin."""

    def ask(self, path: str, within_s: float = ..., question: Mapping[str, Any] | None = ...) -> dict[str, Any]:
        """Return the document at a path, or the answer to a question. Raises NodeError."""


class Node:
    """A node by the address of its control endpoint: a bind of the INI, or a URL.

    Raises BadAddress for what is neither.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._path = address.removeprefix("unix:") if address.startswith("unix:") else ""
        parts = urlsplit(address if "://" in address else f"//{address}")
        try:
            self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 0
        except ValueError:
            self._port = 0
        if not self._path and (parts.scheme not in ("", "http") or not self._port):
            raise BadAddress(f"{address}: a control endpoint is host:port, http://host:port or unix:/path")

    def ask(self, path: str, within_s: float = TIMEOUT_S, question: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the document at a path, `/stats` for example, or the answer to a question, if it comes in time.

        Raises NodeError.
        """
        connection = (
            _UnixConnection(self._path, within_s)
            if self._path
            else http.client.HTTPConnection(self._host, self._port, timeout=within_s)
        )
        deadline = time.monotonic() + within_s
        try:
            if question is None:
                connection.request("GET", path)
            else:
                connection.request("POST", path, json.dumps(question), {"Content-Type": "application/json"})
            with connection.getresponse() as response:  # it may own the socket
                body = _whole(response, deadline)
            if response.status != http.HTTPStatus.OK:
                is_elsewhere = response.status == http.HTTPStatus.NOT_FOUND
                hint = "; is this the control endpoint of a node ([control] bind)?" if is_elsewhere else ""
                raise NodeError(
                    f"{self.address}{path} answered {response.status} {response.reason}{_why(body)}{hint}",
                    is_refusal=response.status == http.HTTPStatus.BAD_REQUEST,
                )
            document = json.loads(body)
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise NodeError(f"cannot ask the node at {self.address}: {reason}") from None
        finally:
            connection.close()
        return dict(document)


def node_of(arguments: argparse.Namespace) -> Asked:
    """Return the node that a command asks: the admin's, the named one, or that of the INI. Raises BadAddress."""
    asked: Asked | None = getattr(arguments, "asked", None)
    return asked or Node(arguments.control or settings.load(arguments.ini).control.bind)


def _whole(response: http.client.HTTPResponse, deadline: float) -> bytes:
    """Return the body. Raises TimeoutError for one that comes too slowly, piece by piece."""
    pieces = []
    while piece := response.read1(1 << 20):
        pieces.append(piece)
        if time.monotonic() > deadline:
            raise TimeoutError("timed out")
    return b"".join(pieces)


def _why(body: bytes) -> str:
    """Return what an answer says of the error, if it says so in its usual form."""
    try:
        return f": {json.loads(body)['error']}"
    except (ValueError, KeyError, TypeError):
        return ""

"""Asks a running node: its control endpoint, over TCP or a unix socket."""

import http.client
import json
import socket
from typing import Any, Final
from urllib.parse import urlsplit

TIMEOUT_S: Final = 10.0


class BadAddress(Exception):
    """This is no address of a control endpoint; the text is one line that says so."""


class NodeError(Exception):
    """The node did not answer; the text is one line that says why."""


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(TIMEOUT_S)
        self.sock.connect(self._path)


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

    def ask(self, path: str) -> dict[str, Any]:
        """Return the document at a path, `/stats` for example. Raises NodeError."""
        connection = _UnixConnection(self._path) if self._path else self._tcp()
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
            if response.status != http.HTTPStatus.OK:
                raise NodeError(f"{self.address}{path} answered {response.status} {response.reason}")
            document = json.loads(body)
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise NodeError(f"cannot ask the node at {self.address}: {reason}") from None
        finally:
            connection.close()
        return dict(document)

    def _tcp(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_S)

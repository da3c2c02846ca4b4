"""Asks an admin: its REST interface, with a token, over HTTP or HTTPS. Its problem documents become exceptions."""

import http.client
import json
import ssl
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from gproxy.core.problem import Problem
from gproxy.ctl.node import BadAddress, NodeError
from gproxy.store.edit import Rejected

#: Where the token is, unless a file is named.
TOKEN_VARIABLE: Final = "GPROXYCTL_TOKEN"
#: Longer than an admin waits for nodes.
TIMEOUT_S: Final = 90.0
_PREFIX: Final = "/api/v1"
_CONNECTIONS: Final = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}


class AdminError(Exception):
    """The admin did not do what was asked; the text is one line that says why."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class Admin:
    """The admin at a URL. `ca_file` has the certificates that an https one is checked against.

    Raises BadAddress for what is no URL of one.
    """

    def __init__(self, url: str, token: str, ca_file: str | None = None) -> None:
        self.url = url.rstrip("/")
        parts = urlsplit(self.url)
        try:
            self._host, self._port = parts.hostname, parts.port
        except ValueError:
            self._host = None
        if parts.scheme not in _CONNECTIONS or not self._host or parts.query or parts.username:
            raise BadAddress(f"{url}: an admin is http://host:port or https://host:port")
        self._scheme, self._path, self._token, self._ca_file = parts.scheme, parts.path, token, ca_file

    def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, object] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[Any, str]:
        """Return the JSON of an answer and its ETag ("" without). Raises AdminError, and Rejected with all problems.

        A query's value that is None is left out.
        """
        given = {name: value for name, value in (query or {}).items() if value is not None}
        target = f"{self._path}{_PREFIX}{path}" + (f"?{urlencode(given)}" if given else "")
        sent = {"Authorization": f"Bearer {self._token}", **(headers or {})}
        data = None
        if body is not None:
            data, sent["Content-Type"] = json.dumps(body), "application/json"
        connection = self._connection()
        try:
            connection.request(method, target, data, sent)
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "strerror", None) or error
            raise AdminError(f"cannot ask the admin at {self.url}: {reason}") from None
        finally:
            connection.close()
        try:
            told = json.loads(body)
        except ValueError:
            raise self._other() from None
        if response.status == http.HTTPStatus.UNAUTHORIZED and not self._token:
            raise AdminError(
                f"the admin at {self.url} wants a token, from --token-file or ${TOKEN_VARIABLE}: "
                "your account page there creates one"
            )
        if response.status >= http.HTTPStatus.BAD_REQUEST:
            raise self._failure(told)
        return told, response.getheader("ETag", "")

    def node(self, name: str | None) -> "AdminNode":
        """Return a node by its id, the only one for None. Raises AdminError."""
        known = [node["id"] for node in self.call("GET", "/nodes")[0]["nodes"]]
        if name is None and len(known) == 1:
            name = known[0]
        if name is None or name not in known:
            which = f"there is no node {name}" if name is not None else "choose a node with --node"
            raise AdminError(f"{which}; known nodes: {', '.join(known) or 'none'}")
        return AdminNode(self, name)

    def _failure(self, told: Any) -> Exception:
        """Return what a problem document means."""
        if not isinstance(told, Mapping) or "code" not in told:
            return self._other()
        problems = told.get("problems")
        if problems:
            return Rejected([Problem(problem["path"], problem["message"]) for problem in problems])
        return AdminError(str(told.get("detail", told)), str(told["code"]))

    def _other(self) -> AdminError:
        return AdminError(f"{self.url} answers, but is not an admin: --admin takes the address of gadmin")

    def _connection(self) -> http.client.HTTPConnection:
        if self._scheme == "http":
            return http.client.HTTPConnection(str(self._host), self._port, timeout=TIMEOUT_S)
        context = ssl.create_default_context(cafile=self._ca_file)
        return http.client.HTTPSConnection(str(self._host), self._port, timeout=TIMEOUT_S, context=context)


class AdminNode:
    """A node that is asked through an admin, for those who cannot reach its control endpoint."""

    def __init__(self, admin: Admin, name: str) -> None:
        self._admin = admin
        self._name = name

    def ask(self, path: str, within_s: float = TIMEOUT_S, question: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return what the node tells at a path, or answers to a question. Raises NodeError."""
        try:
            if question is not None:
                told, _ = self._admin.call("POST", path, {"node": self._name}, question)
            else:
                told, _ = self._admin.call("GET", f"/nodes/{quote(self._name, safe='')}{path.partition('?')[0]}")
        except AdminError as error:
            raise NodeError(str(error)) from None
        return dict(told)

"""What a health check asks of a server and which answer counts, compiled from the `health_check` of a document."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from gproxy.core import statuses
from gproxy.core.health import Pace
from gproxy.core.regex import Regex

#: How much of a body is read and searched.
MOST_BODY_BYTES: Final = 65_536
#: How much of a request, a head or a body is kept to be shown.
SHOWN_BYTES: Final = 1024
#: No client waits while a check looks at a body: an expression of usual size can see all of it.
_BODY_WORK: Final = 100 * MOST_BODY_BYTES
_USER_AGENT: Final = "User-Agent: gproxy-health-check"


class Fault(IntEnum):
    """The kinds of failure of a health check; users see the names in lower case."""

    CONNECT = 1  # refused, unreachable, or a name that nobody knows
    TLS = 2
    TIMEOUT = 3
    BROKEN = 4  # reset, or closed too early
    INVALID = 5  # not HTTP
    STATUS = 6
    BODY = 7


@dataclass(frozen=True, slots=True)
class HttpQuestion:
    """The request of an `http` check, complete as it is sent, and what the answer must be like."""

    request: bytes
    is_head: bool
    expect_status: str
    expect_body: str
    statuses: frozenset[int]
    is_body_right: Callable[[bytes], bool] | None

    def fault(self, status: int, body: bytes) -> tuple[Fault, str] | None:
        """Return what is wrong with an answer, its kind and a sentence; None when it is right."""
        if status not in self.statuses:
            return Fault.STATUS, f"status {status}, expected {self.expect_status}"
        if self.is_body_right is not None and not self.is_body_right(body):
            return Fault.BODY, f"the body does not match {self.expect_body!r}"
        return None


@dataclass(frozen=True, slots=True)
class Check:
    """How one server is checked; without `http` it is enough that it accepts a connection (and speaks TLS)."""

    pace: Pace
    http: HttpQuestion | None


def compile_check(document: Mapping[str, Any] | None, host_line: bytes) -> Check | None:
    """Return what a normalised `health_check` means, None when there is none or it is off.

    `host_line` is the Host field of the server, used unless the check has its own.
    """
    if document is None or document["type"] == "off":
        return None
    pace = Pace(document["interval_s"], document["timeout_s"], document["rise"], document["fall"])
    return Check(pace, _question(document, host_line) if document["type"] == "http" else None)


def body_test(expected: str) -> Callable[[bytes], bool] | None:
    """Return the test for `expect_body`: text that must occur, or `~` and an expression of RE2 that must be found.

    None for an empty one. Raises ValueError.
    """
    if not expected:
        return None
    if not expected.startswith("~"):
        text = expected.encode("utf-8")
        return lambda body: text in body
    expression = Regex.compile(expected[1:], _BODY_WORK)
    return lambda body: expression.search(body) is not None


def _question(document: Mapping[str, Any], host_line: bytes) -> HttpQuestion:
    method = document["method"]
    given = {name.lower() for name in document["headers"]}
    lines = [f"{method} {document['path']} HTTP/1.1"]
    if "host" not in given:
        lines.append(host_line.decode("ascii").rstrip("\r\n"))
    if "user-agent" not in given:
        lines.append(_USER_AGENT)
    lines += [f"{name}: {value}" for name, value in document["headers"].items()]
    if method in ("POST", "PUT", "PATCH"):  # they define a meaning for content: say that there is none
        lines.append("Content-Length: 0")
    lines += ["Connection: close", "", ""]
    return HttpQuestion(
        request="\r\n".join(lines).encode("utf-8"),
        is_head=method == "HEAD",
        expect_status=document["expect_status"],
        expect_body=document["expect_body"],
        statuses=statuses.parse(document["expect_status"]),
        is_body_right=body_test(document["expect_body"]),
    )

"""An answer of the gateway's own that is no failure: a redirect, a preflight, a stored or a made-up response."""

from __future__ import annotations


class Reply(Exception):
    """Ends the handling of a request with this response; raised by filters.

    `lines` are field lines, each ending in CRLF, without those that frame the message (Content-Length,
    Transfer-Encoding, Connection) and without Date; `body` is the whole body.
    """

    def __init__(self, status: int, lines: bytes, body: bytes) -> None:
        super().__init__(f"reply {status}")
        self.status = status
        self.lines = lines
        self.body = body

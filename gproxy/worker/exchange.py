"""One request and what becomes of it: the only object of ours that is made per request."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from gproxy.core.chunked import ChunkedDecoder, chunk, last_chunk
from gproxy.core.errors import BodyTooLarge
from gproxy.core.http1 import CHUNKED, RequestFields, split_fields
from gproxy.core.snapshot import Api, Server
from gproxy.worker.deadlines import NEVER
from gproxy.worker.forwarded import client_ip, upstream_fields

if TYPE_CHECKING:
    from gproxy.core.limiter import Limit
    from gproxy.shared.circuit import Trial
    from gproxy.worker.connection import Client
    from gproxy.worker.upload import Upload

#: fields of a request whose head could not be read
NO_FIELDS = RequestFields(b"", b"", b"", 0, True, False, False, frozenset(), {})


class Exchange:
    """State of one request in flight.

    `body` is what has arrived of the request's body, framed as it is sent on; `left` counts the bytes still to come,
    -1 for a chunked body whose `decoder` goes on. `forward` are the field lines for the server once a filter has
    edited them. `status` is 0 until a response was begun. `received` and `sent` count body bytes of the request and
    bytes of the response. `attempted` is since when `server` has been busy with it; `answered` is when a response head
    came whose body did not come with it, 0 otherwise. `deadline` ends the total time limit (all monotonic seconds).
    `trial` is set while the circuit breaker of `server` waits for the result. `attempts` counts them where there may
    be several. `code` and `reason` say why the gateway answered instead of a server.
    """

    __slots__ = (
        "answered",
        "api",
        "attempted",
        "attempts",
        "body",
        "client",
        "code",
        "deadline",
        "decoder",
        "fields",
        "forward",
        "keeps_alive",
        "left",
        "method",
        "minor",
        "reason",
        "received",
        "request_id",
        "sent",
        "server",
        "started",
        "status",
        "target",
        "trial",
        "upload",
    )

    def __init__(self, client: Client, method: bytes, target: bytes, minor: bytes, fields: RequestFields) -> None:
        self.client = client
        self.method = method
        self.target = target
        self.minor = minor
        self.fields = fields
        self.keeps_alive = not fields.close and (minor == b"1" or fields.keep_alive)
        self.started = self.attempted = monotonic()
        runtime = client.runtime
        self.request_id = runtime.id_prefix + b"%x" % next(runtime.id_numbers)
        self.body = b""
        self.left = 0
        self.received = 0
        self.sent = 0
        self.status = 0
        self.answered = 0.0
        self.attempts: int
        self.deadline = NEVER
        self.api: Api | None = None
        self.server: Server | None = None
        self.forward: bytes | None = None
        self.upload: Upload | None = None
        self.trial: Trial | None = None
        self.decoder: ChunkedDecoder | None = None
        self.code = ""
        self.reason = ""

    def take_body(self, limit: int) -> None:
        """Take what the client's buffer holds of the body; raises BadRequest, BodyTooLarge (`limit` bytes, 0: none)."""
        client, length = self.client, self.fields.length
        if length != CHUNKED:
            self.left = length
            client.owes_body = True
            if limit and length > limit:
                raise BodyTooLarge(f"The request body is larger than {limit} bytes.")
            self.body = client.buffer[:length]
            client.buffer = client.buffer[length:]
            self.received = len(self.body)
            self.left = length - self.received
            client.owes_body = self.left > 0
            return
        self.left = -1
        client.owes_body = True
        decoder = ChunkedDecoder()
        self.body = self.take_chunks(decoder, client.buffer, limit)
        client.buffer = decoder.rest
        if decoder.done:
            self.left = 0
            client.owes_body = False
        else:
            self.decoder = decoder

    def take_chunks(self, decoder: ChunkedDecoder, data: bytes, limit: int) -> bytes:
        """Decode wire bytes of a chunked body and return them framed anew, with the end if it came."""
        payload = decoder.feed(data)
        self.received += len(payload)
        if limit and self.received > limit:
            raise BodyTooLarge(f"The request body is larger than {limit} bytes.")
        framed = chunk(payload)
        return framed + last_chunk(decoder.trailers, self.fields.trailers) if decoder.done else framed

    def outgoing(self) -> bytes:
        """Return the field lines for the server: as filters left them, or as nobody edited them."""
        return upstream_fields(self) if self.forward is None else self.forward

    def field(self, name: bytes) -> bytes:
        """Return the first value of the request field `name` (lower case), b"" without one."""
        for key, value in split_fields(self.fields.forward):
            if key.lower() == name:
                return value
        return b""

    def client_ip(self) -> bytes:
        """Return the address of the client itself: behind trusted proxies the last one that is not theirs."""
        return client_ip(self, self.client.runtime.settings.gproxy.trusted_proxies).encode("latin-1")

    def count_against(self, limit: Limit, key: bytes | None) -> int:
        """Count the request against a rate limit of its API; returns 0, or in how many seconds to ask again."""
        assert self.api is not None
        return self.client.runtime.admission.count(self.api.row, limit, key)

    def until(self, seconds: float) -> float:
        """Return the deadline of a phase that may take `seconds` (0: no limit), never after the total deadline."""
        if not seconds:
            return self.deadline
        limit = monotonic() + seconds
        return min(self.deadline, limit)

    def remaining(self, seconds: float) -> float:
        """Return how many seconds a phase that may take `seconds` (0: no limit) has left, inf when unlimited."""
        limit = self.until(seconds)
        return limit - monotonic()

    def is_body_read(self) -> bool:
        """Say whether nothing of the request body is left on the connection."""
        return not self.left if self.upload is None else self.upload.done

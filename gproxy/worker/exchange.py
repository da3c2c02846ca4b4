"""One request and what becomes of it: the only object of ours that is made per request."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from gproxy.core.backends import Server
from gproxy.core.chunked import ChunkedDecoder, chunk, last_chunk
from gproxy.core.errors import BodyTooLarge, GatewayError
from gproxy.core.http1 import CHUNKED, RequestFields, ResponseHead
from gproxy.core.inspection import ASKS
from gproxy.core.snapshot import Api
from gproxy.worker.aside import aside
from gproxy.worker.body import read_whole
from gproxy.worker.compress import compressed
from gproxy.worker.deadlines import NEVER
from gproxy.worker.forwarded import upstream_fields
from gproxy.worker.inspection import inspected
from gproxy.worker.key_wait import newer_keys
from gproxy.worker.view import View

if TYPE_CHECKING:
    from gproxy.core.jwt_keys import KeySet
    from gproxy.core.key_source import KeySource
    from gproxy.core.limiter import Limit
    from gproxy.core.node import Node, Way
    from gproxy.core.upgrade import Upgrade
    from gproxy.shared.circuit import Trial
    from gproxy.worker.cache.fetch import Watch
    from gproxy.worker.connection import Client
    from gproxy.worker.node_part import NodePart
    from gproxy.worker.phases import Phases
    from gproxy.worker.tee import Tee
    from gproxy.worker.tracing import Trace
    from gproxy.worker.upload import Upload
    from gproxy.worker.upstream import Upstream

T = TypeVar("T")

#: answers that have no body whatever their head says (RFC 9110 6.4.1)
_BODILESS = frozenset((204, 304))
#: bodies larger than this are not copied to go out in one piece with their head
_LARGE_BYTES = 65536
#: fields of a request whose head could not be read
NO_FIELDS = RequestFields(b"", b"", b"", 0, True, False, False, frozenset(), {})


class Exchange(View):
    """State of one request in flight.

    `body` is what has arrived of the request's body, framed as it is sent on; `left` counts the bytes still to come,
    -1 for a chunked body whose `decoder` goes on. `forward` are the field lines for the server once a filter has
    edited them. `status` is 0 until a response was begun. `received` and `sent` count body bytes of the request and
    bytes of the response. `values` are those of the variables of the API's path, `rewritten` is the target for the
    server where the node rewrites it. `whole` is the body of the request without framing once somebody has asked for
    all of it. `attempted` is since when `server` has been busy with it; `answered` is when a response head
    came whose body did not come with it, 0 otherwise. `deadline` ends the total time limit (all monotonic seconds).
    `trial` is set while the circuit breaker of `server` waits for the result. `attempts` counts them where there may
    be several. `parts` are those of an aggregation, by the places of their nodes. `phases` are what it had to wait for,
    where it had to. At a node with rules, `way` is where one leads, `copied` are where copies go, and `tee` keeps what
    they need. `fetch` watches it for the store, where its API stores answers. `trace` is its place in a trace, where
    there are any. `code` and `reason` say why the gateway answered instead of a server, `refused_by` what of the
    configuration refused the request.
    """

    __slots__ = (
        "answered",
        "api",
        "attempted",
        "attempts",
        "body",
        "client",
        "code",
        "consumer",
        "copied",
        "deadline",
        "decoder",
        "fetch",
        "fields",
        "forward",
        "keeps_alive",
        "left",
        "method",
        "minor",
        "node",
        "parts",
        "phases",
        "reason",
        "received",
        "refused_by",
        "request_id",
        "rewritten",
        "sent",
        "server",
        "started",
        "status",
        "target",
        "tee",
        "trace",
        "trial",
        "upgrade",
        "upload",
        "values",
        "way",
        "whole",
    )

    #: What takes an answer in the place of `relay`, for exchanges whose client is no HTTP/1 connection.
    receive: Callable[[Upstream, ResponseHead, bytes], bool] | None = None

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
        self.body: bytes = b""
        self.left = 0
        self.received = 0
        self.sent = 0
        self.status = 0
        self.answered = 0.0
        self.attempts: int
        self.consumer: bytes
        self.values: tuple[bytes, ...]
        self.node: Node
        self.parts: Mapping[int, NodePart]
        self.phases: Phases
        self.refused_by: str
        self.rewritten: bytes
        self.tee: Tee | None
        self.trace: Trace
        self.way: Way | None
        self.copied: Sequence[Way]
        self.fetch: Watch
        self.deadline: float = NEVER
        self.api: Api | None = None
        self.server: Server | None = None
        self.forward: bytes | None = None
        self.upload: Upload | None = None
        self.trial: Trial | None = None
        self.upgrade: Upgrade | None = None
        self.decoder: ChunkedDecoder | None = None
        self.whole: bytes | None = None
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

    def respond(self, head: bytes, body: bytes) -> None:
        """Send a whole answer: `head` is status line and field lines, without those that frame it."""
        if self.api is not None and self.api.compression is not None:
            head, body = compressed(self, self.api.compression, head, body)
        if not self.keeps_alive:
            persistence = self.farewell()
        else:
            persistence = b"Connection: keep-alive\r\n" if self.minor == b"0" else b""
        if self.status >= 200 and self.status not in _BODILESS:
            persistence += b"Content-Length: %d\r\n" % len(body)
        response = head + persistence + b"\r\n"
        if self.method == b"HEAD" or self.status in _BODILESS:
            body = b""
        self.sent = len(response) + len(body)
        if len(body) > _LARGE_BYTES:
            self.client.send(response)
            self.client.send(body)
        else:
            self.client.send(response + body)

    def farewell(self) -> bytes:
        """Return the field lines of an answer that is the last one of its connection."""
        if ASKS in self.fields.claims:
            return inspected(self) + b"Connection: close\r\n"
        return b"Connection: close\r\n"

    def failed(self, error: GatewayError) -> None:
        """Note why the gateway answers instead of a server."""
        self.code, self.reason = error.code, error.reason or error.detail
        self.refused_by = error.refused_by

    def protocol(self) -> bytes:
        """Return what the client speaks, as logs have it."""
        return b"HTTP/2" if self.minor == b"2" else b"HTTP/1." + self.minor

    def whole_body(self) -> bytes:
        """Return the body of the request without framing, waiting for the rest of it; raises what take_body does."""
        if self.whole is None:
            self.whole = read_whole(self)
        return self.whole

    def keys(self, source: KeySource) -> KeySet | None:
        """Return the keys for tokens of a source; None when there have never been any."""
        return self.client.runtime.key_files.get(source)

    def newer_keys(self, source: KeySource) -> KeySet | None:
        """Have the keys of a source looked at again, and return them."""
        return newer_keys(self, source)

    def aside(self, work: Callable[[], T]) -> T:
        """Do work that takes long in a thread, and wait for it."""
        return aside(work)

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

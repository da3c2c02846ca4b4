"""The short way of a part or a mirrored copy: over an open connection to the server whose turn it is, and back.

As express.py for whole requests, in callbacks of the loop. What turns out differently goes on in a greenlet: no open
connection, a socket that takes no more, an answer that does not come at once or has to be decoded, a server that breaks
off, nobody who waits.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from gproxy.core.part_head import part_head
from gproxy.core.retry import IDEMPOTENT
from gproxy.shared import layout
from gproxy.worker.deadlines import NEVER
from gproxy.worker.express import fail_with, send_on

if TYPE_CHECKING:
    from gproxy.worker.attempt import Carrier
    from gproxy.worker.part import Part, Send
    from gproxy.worker.record import Recorder
    from gproxy.worker.runtime import Runtime
    from gproxy.worker.upstream import Upstream


class PartExpress:
    """Has parts answered; one per worker. `send` is the dispatcher's, for those that cannot go the short way at all."""

    def __init__(self, runtime: Runtime, recorder: Recorder, carrier: Carrier, send: Send) -> None:
        self._runtime = runtime
        self._recorder = recorder
        self._carrier = carrier
        self._send = send
        self._known, self._final = carrier.answers.known, carrier.answers.final
        self._request_for = carrier.request_for
        self._cells, self._reused = runtime.cells, runtime.base + layout.UPSTREAM_REUSED
        self._outbox = runtime.outbox

    def begin(self, part: Part) -> Callable[[], None] | None:
        """Send a part on its way; return what has to be done in a greenlet, None when it waits for its answer."""
        node, runtime = part.node, self._runtime
        if not node.is_direct or part.deadline <= part.started:
            return partial(self._run, part, self._send)
        cluster = node.cluster
        standing = runtime.standings.get(cluster) or runtime.standing(cluster)
        servers = cluster.primary or cluster.backup
        if runtime.health.passed_over:
            servers = runtime.health.passed_over.get(cluster, servers)
        server = standing.turns.pick(servers)
        if server is None:
            return partial(self._run, part, self._send)
        self._recorder.attempt(part, server)
        pool = runtime.pools.get(server) or runtime.pool(server)
        upstream = pool.take(part.method in IDEMPOTENT)
        if upstream is None:
            return partial(self._go_on, part, partial(self._carrier.carry, part, node, server))
        self._cells[self._reused] += 1
        part.client.waits_for = upstream
        request = self._request_for(part, node, server)
        deadline = part.started + (node.response_s or NEVER)
        if part.deadline < deadline:
            deadline = part.deadline
        upstream.deadline = deadline
        if deadline < upstream.due:
            upstream.deadlines.enter(upstream, deadline)
        upstream.waiting, upstream.taker = part, self
        self._outbox.ask(upstream, part, request)
        return None

    def finish(self, part: Part, upstream: Upstream, data: bytes) -> None:
        """Take an answer that has come at once."""
        end = data.find(b"\r\n\r\n") + 4
        head = self._known.get(data[:end]) or self._final(data[:end])
        seen = None if head is None else part_head(head.lines)
        if (
            head is None
            or seen is None
            or seen.coding
            or head.length != len(data) - end
            or head.length > part.most
            or head.close
            or head.status == 204
            or head.status == 304
        ):
            self._runtime.start(self._taken(part, upstream, lambda: data))
            return
        part.client.waits_for = None
        now_s = monotonic()
        upstream.pool.give(upstream, head.idle_s, now_s)
        part.head, part.status, part.sent = head, head.status, len(data)
        part.data = data[end:]
        try:
            part.judge(seen)
        except Exception as error:
            self._go_on(part, partial(fail_with, error))
            return
        self._recorder.part_whole(part, now_s)
        part.ended(now_s)

    def send_on(self, part: Part, upstream: Upstream, rest: memoryview) -> None:
        """Let a greenlet send what the server has not taken at once."""
        self._runtime.start(self._taken(part, upstream, partial(send_on, part, upstream, rest)))

    def fail(self, part: Part, error: Exception) -> None:
        """Let the part find out in a greenlet that there will be no answer."""
        upstream = part.client.waits_for
        self._runtime.start(self._taken(part, upstream, partial(fail_with, error)))  # type: ignore[arg-type]

    def _taken(self, part: Part, upstream: Upstream, receive: Callable[[], bytes]) -> Callable[[], None]:
        """Return what takes the answer, of which `receive` gets the first bytes."""
        return partial(self._go_on, part, partial(self._carrier.finish, part, upstream, receive, None))

    def _go_on(self, part: Part, step: Callable[[], None]) -> None:
        self._run(part, lambda part, node: step())

    def _run(self, part: Part, send: Send) -> None:
        part.run(send, self._recorder)
        part.ended(monotonic())

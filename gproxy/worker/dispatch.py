"""Sends an exchange to a server and brings the response back.

One attempt, and one safe resend: a reused connection may have been closed by the server in the very moment it was
taken. When no byte of an answer came, and the method is idempotent or nothing was sent, a fresh connection is tried
once (RFC 9110 9.2.2, RFC 9112 9.3.1). That is not the retry feature, and a sent POST never goes out twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gproxy.core.errors import BadUpstream, NoServer
from gproxy.core.http1 import ResponseHead, parse_response_head
from gproxy.shared import layout
from gproxy.worker.connection import ClientGone
from gproxy.worker.relay import relay
from gproxy.worker.upload import Upload
from gproxy.worker.upstream import Pool, Upstream, UpstreamBroken

if TYPE_CHECKING:
    from gproxy.core.snapshot import Api, Server
    from gproxy.worker.exchange import Exchange
    from gproxy.worker.record import Recorder
    from gproxy.worker.runtime import Runtime

#: methods that may be sent again when nobody knows whether they arrived (RFC 9110 9.2.2)
IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"))
#: interim responses (1xx) that one request may bring; a server that sends more is broken
_MOST_INTERIM = 20
#: response heads that were parsed before, with a bound on memory: at most this many, each at most this long
_KNOWN_HEADS, _KNOWN_BYTES = 1024, 2048
_NO_ANSWER = "The server closed the connection without an answer."


class Dispatcher:
    """Chooses a server and carries one exchange to it; one per worker."""

    def __init__(self, runtime: Runtime, recorder: Recorder) -> None:
        self._runtime = runtime
        self._recorder = recorder
        self._heads: dict[bytes, ResponseHead] = {}

    def dispatch(self, exchange: Exchange, api: Api) -> None:
        """Proxy `exchange` through one server of the API's cluster.

        Raises GatewayError while nothing was sent to the client, ResponseBroken afterwards, ClientGone at any time.
        """
        runtime, cluster = self._runtime, api.cluster
        balancer = runtime.balancers.get(cluster) or runtime.balancer(cluster)
        servers = cluster.primary or cluster.backup
        if runtime.health.passed_over:
            servers = runtime.health.passed_over.get(cluster, servers)
        server = balancer.pick(servers)
        if server is None:
            raise NoServer("No server is available for this request.", runtime.health.reason(cluster))
        self._recorder.attempt(exchange, server)
        pool = runtime.pools.get(server) or runtime.pool(server)
        request = _request(exchange, api, server)
        upstream = pool.take()
        if upstream is not None:
            runtime.count(layout.UPSTREAM_REUSED)
            try:
                self._carry(exchange, upstream, request, api)
                return
            except UpstreamBroken as broken:
                if not _may_resend(exchange, broken):
                    raise BadUpstream(_NO_ANSWER, str(broken)) from None
            runtime.count(layout.RESENDS)
        upstream = self._connect(exchange, pool, api)
        try:
            self._carry(exchange, upstream, request, api)
        except UpstreamBroken as broken:
            raise BadUpstream(_NO_ANSWER, str(broken)) from None

    def _connect(self, exchange: Exchange, pool: Pool, api: Api) -> Upstream:
        self._runtime.count(layout.UPSTREAM_CONNECTS)
        upstream = pool.connect(exchange.remaining(api.connect_s))
        if exchange.client.gone:
            upstream.close()
            raise ClientGone("closed by the client")
        return upstream

    def _carry(self, exchange: Exchange, upstream: Upstream, request: bytes, api: Api) -> None:
        """Send the request and relay the response; the connection goes back to its pool or is closed.

        Raises UpstreamBroken when the connection failed before a byte of the answer came.
        """
        client = exchange.client
        client.waits_for = upstream
        reusable, idle_s = False, 0
        try:
            upstream.send(request)
            if exchange.left:
                exchange.upload = Upload(exchange, upstream, api.response_s)
            else:
                upstream.deadline = deadline = exchange.until(api.response_s)
                if deadline < upstream.due:
                    upstream.deadlines.enter(upstream, deadline)
            data = upstream.recv()
            end = data.find(b"\r\n\r\n") + 4
            head = self._heads.get(data[:end])
            if head is None:
                head, data, end = self._receive_head(exchange, upstream, data)
            idle_s = head.idle_s
            reusable = relay(exchange, upstream, head, data[end:])
        finally:
            client.waits_for = None
            if exchange.upload is not None and not exchange.upload.done:
                exchange.upload.abandon()
                exchange.keeps_alive = reusable = False
            if reusable:
                upstream.pool.give(upstream, idle_s)
            elif not upstream.idle_since:
                upstream.close()

    def _receive_head(self, exchange: Exchange, upstream: Upstream, data: bytes) -> tuple[ResponseHead, bytes, int]:
        """Read on until the final response head is there; pass interim ones on.

        Returns the head, the bytes received, and where in them the body begins. Raises UpstreamBroken, BadUpstream.
        """
        if not data:
            raise UpstreamBroken("closed before an answer")
        for _ in range(_MOST_INTERIM):
            end = data.find(b"\r\n\r\n") + 4
            if end < 4:
                data = self._complete_head(upstream, data)
                end = data.find(b"\r\n\r\n") + 4
            head = self._parse(data[:end])
            if head.status >= 200:
                return head, data, end
            if head.status == 101:
                raise BadUpstream("The server switched protocols unasked.", "unexpected status 101")
            if exchange.minor == b"1":
                exchange.client.send(head.lines + b"\r\n")
            data = data[end:] or self._more(upstream)
        raise BadUpstream("The server sent too many interim responses.", "too many interim responses")

    def _complete_head(self, upstream: Upstream, data: bytes) -> bytes:
        most = self._runtime.head_bytes
        while b"\r\n\r\n" not in data:
            if len(data) > most:
                raise BadUpstream("The server sent an invalid response.", f"response head larger than {most} bytes")
            data += self._more(upstream)
        return data

    def _more(self, upstream: Upstream) -> bytes:
        try:
            data = upstream.recv()
        except UpstreamBroken as broken:
            raise BadUpstream("The server broke off its response.", f"in the response head: {broken}") from None
        if not data:
            raise BadUpstream("The server broke off its response.", "closed within the response head")
        return data

    def _parse(self, head: bytes) -> ResponseHead:
        """Parse a head with its empty line, and remember what a final one means."""
        try:
            parsed = parse_response_head(head[:-2], self._runtime.head_fields)
        except ValueError as error:
            raise BadUpstream("The server sent an invalid response.", f"response head: {error}") from None
        if len(head) <= _KNOWN_BYTES and parsed.status >= 200:
            if len(self._heads) >= _KNOWN_HEADS:
                self._heads.clear()
            self._heads[head] = parsed
        return parsed


def _request(exchange: Exchange, api: Api, server: Server) -> bytes:
    """Return the head for the server, and of the body what is at hand."""
    fields = exchange.outgoing()
    if not api.preserve_host or not exchange.fields.host_value:
        fields = server.host_line + fields[fields.find(b"\r\n") + 2 if exchange.fields.host_value else 0 :]
    return b"%b %b HTTP/1.1\r\n%b\r\n%b" % (exchange.method, exchange.target, fields, exchange.body)


def _may_resend(exchange: Exchange, broken: UpstreamBroken) -> bool:
    """Nothing was sent, or the method is idempotent; and the body is still at hand from its first byte."""
    return exchange.upload is None and (broken.unsent or exchange.method in IDEMPOTENT)

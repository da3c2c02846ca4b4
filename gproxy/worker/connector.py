"""New upstream connections, made by geventhttpclient: resolving, one try per address, TLS.

geventhttpclient's pools resend a request on their own only in its HTTPClient, which is not used here; their idle
queue checks sockets with select(), which fails beyond descriptor 1024: `pool.py` keeps idle connections instead.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

import gevent
import gevent.ssl
from gevent.event import AsyncResult
from geventhttpclient.connectionpool import ConnectionPool, SSLConnectionPool

from gproxy.core.backends import Endpoint
from gproxy.worker.link import Wire, tune
from gproxy.worker.tls import TlsWire, client_context

#: the deadline is the caller's, over all addresses and the handshake together
_NO_LIMIT_S = 86400.0


class Connector(ConnectionPool):
    """Connects to one endpoint without TLS."""

    endpoint: Endpoint

    def __init__(self, endpoint: Endpoint, **options: Any) -> None:
        self.endpoint = endpoint
        name = endpoint.tls.server_name if endpoint.tls and endpoint.tls.server_name else endpoint.host
        super().__init__(
            endpoint.host,
            endpoint.port,
            name or "localhost",
            endpoint.port,
            connection_timeout=_NO_LIMIT_S,
            **options,
        )
        self._lookup: AsyncResult[list[Any]] | None = None

    def connect(self) -> Wire:
        """Return a connected non-blocking socket; parks the greenlet. Raises OSError."""
        sock = self._create_socket()
        wire = socket.socket(fileno=sock.detach())
        tune(wire)
        return wire

    def _resolve(self) -> list[Any]:
        endpoint = self.endpoint
        if endpoint.path:
            return [(socket.AF_UNIX, socket.SOCK_STREAM, 0, "", endpoint.path)]
        try:
            version = ipaddress.ip_address(endpoint.host).version
        except ValueError:
            return self._looked_up()
        family = socket.AF_INET6 if version == 6 else socket.AF_INET
        return [(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (endpoint.host, endpoint.port))]

    def _looked_up(self) -> list[Any]:
        """Return the addresses of the name, by one look-up for all who wait for it.

        A look-up holds a thread until the name server has answered or has had its time, and there are few threads: a
        name that nobody answers for takes one of them, however many requests want it.
        """
        lookup = self._lookup
        if lookup is None:
            lookup = self._lookup = AsyncResult()
            gevent.spawn(self._look_up, lookup)
        return lookup.get() or []

    def _look_up(self, lookup: AsyncResult[list[Any]]) -> None:
        try:
            lookup.set(super()._resolve())
        except Exception as error:
            lookup.set_exception(error)
        finally:
            self._lookup = None


class TlsConnector(Connector, SSLConnectionPool):
    """Connects to one endpoint with TLS; construction raises OSError when certificate files cannot be used."""

    def __init__(self, endpoint: Endpoint) -> None:
        tls = endpoint.tls
        assert tls is not None
        super().__init__(
            endpoint,
            insecure=not tls.verify,
            ssl_context_factory=lambda cafile: client_context(tls),
        )

    def connect(self) -> Wire:
        """Return a connected non-blocking TLS connection, its handshake done. Raises OSError."""
        sock = self._create_socket()
        assert isinstance(sock, gevent.ssl.SSLSocket)
        sock.settimeout(0)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return TlsWire(sock, sock._sslobj)  # type: ignore[attr-defined]

    def _connect_socket(self, sock: Any, address: Any) -> gevent.ssl.SSLSocket:
        sock.connect(address)
        wrapped = self.ssl_context.wrap_socket(sock, server_hostname=self._request_host, do_handshake_on_connect=False)
        try:
            wrapped.do_handshake()
        except BaseException:  # the caller's deadline too, after which nobody else would close it
            wrapped.close()
            raise
        return wrapped


def connector_for(endpoint: Endpoint) -> Connector:
    """Return the connector that the endpoint's scheme asks for."""
    return TlsConnector(endpoint) if endpoint.tls is not None else Connector(endpoint)

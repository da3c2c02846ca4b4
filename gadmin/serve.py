"""Serving the application: waitress, with threads, over TCP, TLS or a unix socket.

Waitress and not a gevent server: the store's client brings threads of its own. Its loop reads requests whole before a
thread works on them, so slow clients hold up nobody; TLS is added by `tls`.
"""

import signal
import ssl
from dataclasses import dataclass
from types import FrameType
from typing import Any, Final

from flask import Flask
from waitress.server import create_server

from gadmin.settings import GadminSection
from gadmin.tls import TlsChannel
from gproxy import logs
from gproxy.master.listen import Listener, ListenError, open_listener

#: A connection that does nothing is closed after so long: pages ask every second.
IDLE_S: Final = 60
CONNECTIONS: Final = 1000
_FORWARDED: Final = "x-forwarded-for x-forwarded-proto x-forwarded-host"


class ServeError(Exception):
    """It cannot be served; the text says why."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that listens; `address` is the URL of it."""

    listener: Listener
    wsgi: Any
    address: str


def listening(app: Flask, section: GadminSection) -> Server:
    """Listen; connections wait until `run`. Raises ServeError."""
    try:
        context = _context(section)
        listener = open_listener(section.bind)
    except (ListenError, OSError) as error:
        raise ServeError(str(error)) from None
    scheme = "http" if context is None else "https"
    options: dict[str, Any] = {}
    most_bytes = app.config["MAX_CONTENT_LENGTH"]
    if most_bytes is not None:
        # Bodies are kept on disk before anybody asks who sends them. The application has better words for one that is
        # a little too large.
        options["max_request_body_size"] = 2 * most_bytes
    if section.trusted_proxy:
        options |= {"trusted_proxy": section.trusted_proxy, "trusted_proxy_headers": _FORWARDED}
    wsgi: Any = create_server(
        app,
        sockets=[listener.socket],
        threads=section.threads,
        url_scheme=scheme,
        ident=None,
        channel_timeout=IDLE_S,
        connection_limit=CONNECTIONS,
        clear_untrusted_proxy_headers=True,
        asyncore_use_poll=True,
        **options,
    )
    if context is not None:
        wsgi.channel_class = TlsChannel.of(context)
    address = listener.address if section.bind.startswith("unix:") else f"{scheme}://{listener.address}"
    return Server(listener, wsgi, address)


def run(server: Server) -> None:
    """Serve until TERM, INT or QUIT; requests that are being worked on are finished. USR1 reopens the log."""

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit

    signal.signal(signal.SIGUSR1, lambda *_: logs.reopen())
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, leave)
    try:
        server.wsgi.run()
    finally:
        server.wsgi.close()
        server.listener.close()


def _context(section: GadminSection) -> ssl.SSLContext | None:
    """Return the TLS of the settings, None without. Raises ServeError."""
    if section.cert_file is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(section.cert_file, section.key_file)
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror or str(error)
        raise ServeError(f"[gadmin] cert_file {section.cert_file}, key_file {section.key_file}: {reason}") from None
    return context

"""A worker without its process: the real runtime, acceptor and wheel on the test's own loop."""

from __future__ import annotations

import os
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gproxy.certificates.keeper import Keeper
from gproxy.core.backends import Timeouts
from gproxy.core.http1 import parse_request_fields
from gproxy.core.snapshot import Snapshot, SnapshotBuilder
from gproxy.entrances import entrances
from gproxy.filters import Factory, hooks_for
from gproxy.role import Context, TlsShare
from gproxy.settings import Settings, load
from gproxy.shared import layout
from gproxy.shared.cache import CacheMemory
from gproxy.shared.table import Table
from gproxy.shared.vault import Vault
from gproxy.worker.connection import Client
from gproxy.worker.deadlines import TICK_S
from gproxy.worker.exchange import Exchange
from gproxy.worker.forwarded import origin
from gproxy.worker.link import hub
from gproxy.worker.runtime import Runtime
from gproxy.worker.server import Acceptor
from tests.core.snapshot_lines import Documents, lines
from tests.worker.peer import Backend, Peer, eventually

SLOTS = 4


def settings_with(folder: Path, sections: Mapping[str, Mapping[str, object]]) -> Settings:
    """Return the default settings with these values over them."""
    empty = folder / "empty.ini"
    empty.touch()
    texts = {section: {key: str(value) for key, value in values.items()} for section, values in sections.items()}
    return load(empty, {"gproxy": {"run_dir": str(folder)}, **texts})


def snapshot_of(revision: int, content: list[bytes], settings: Settings, extra: Sequence[Factory] = ()) -> Snapshot:
    """Build what a worker makes of these lines; `extra` are filters of the user's own."""
    timeouts = settings.timeouts
    defaults = Timeouts(timeouts.connect_s, timeouts.response_s, timeouts.total_s)
    builder = SnapshotBuilder(revision, defaults, lambda document: hooks_for(document, extra))
    for line in content:
        builder.add(line)
    return builder.build()


def in_loop(task: Callable[[], object]) -> None:
    """Run `task` as a callback of the loop, as a watcher would, and wait for it."""
    done: list[object] = []
    hub.loop.run_callback(lambda: done.append(task()))
    eventually(lambda: done)


class Stage:
    """One worker in slot 0 behind the first public address. `sections` are INI sections over the defaults."""

    def __init__(self, folder: Path, **sections: Mapping[str, object]) -> None:
        self.settings = settings_with(folder, sections)
        self.table = Table.create(SLOTS, rows=64)
        self.table.claim(0)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setblocking(False)
        self.vault = Vault.create()
        tls = None
        if self.settings.tls.bind:
            Keeper(self.settings.tls, self.vault, time.time()).look(time.time())
            tls = TlsShare(self.vault, (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER),), time.monotonic())
        self.cache = CacheMemory.create(self.settings.cache.bytes) if self.settings.cache.bytes else None
        self.context = Context(self.settings, self.table, 0, (self.listener,), os.getppid(), tls, cache=self.cache)
        self.runtime = Runtime(self.context)
        self.acceptor = Acceptor(self.listener, self.runtime, entrances(self.settings)[0])
        self._tick = hub.loop.timer(TICK_S, TICK_S)
        self._tick.start(self.runtime.deadlines.sweep)
        self._peers: list[Peer] = []

    def close(self) -> None:
        """End everything that still is."""
        if self.listener.fileno() >= 0:
            in_loop(self.acceptor.stop)
        for peer in self._peers:
            peer.close()
        for client in list(self.runtime.clients):
            client.close()
        self.use()
        self._tick.stop()
        self._tick.close()
        self.vault.close()
        if self.cache is not None:
            self.cache.close()
        self.runtime.leave()
        os.close(self.table.fd)  # the memory itself goes with the last view of it

    def use(
        self, servers: Documents = (), clusters: Documents = (), apis: Documents = (), routings: Documents = ()
    ) -> None:
        """Serve this configuration from now on."""
        extra = [own.for_api for own in self.runtime.extra]
        self.runtime.use(snapshot_of(1, lines(servers, clusters, apis, routings), self.settings, extra))

    def proxy_to(self, *backends: Backend | str, **api: Any) -> None:
        """Send everything to these backends (or addresses); `api` are fields of the API's document."""
        addresses = [backend if isinstance(backend, str) else backend.address for backend in backends]
        servers = [{"name": f"s{number}", "address": address} for number, address in enumerate(addresses)]
        cluster = {"name": "c", "servers": [server["name"] for server in servers]}
        self.use(servers, [cluster], [{"name": "all", "path": "/*", "nodes": [{"cluster": "c"}]} | api])

    def connect(self) -> Peer:
        """Open a client connection; it ends with the stage."""
        peer = Peer.connect(self.listener.getsockname())
        self._peers.append(peer)
        return peer

    def exchange(
        self,
        block: bytes = b"Host: a\r\n",
        method: bytes = b"GET",
        target: bytes = b"/",
        minor: bytes = b"1",
        ip: str = "127.0.0.1",
    ) -> Exchange:
        """Return a request that has arrived from `ip`, with nobody at the other end."""
        ours, theirs = socket.socketpair()
        self._peers.append(Peer(theirs))
        ours.setblocking(False)
        client = Client(ours, origin(ip, self.settings.gproxy.trusted_proxies), self.runtime)
        client.busy = True
        self.runtime.admit(client)
        return Exchange(client, method, target, minor, parse_request_fields(block, minor, 100))

    def cell(self, offset: int) -> int:
        """Return a cell of the worker's slot, `layout.STATUS_2XX` for example."""
        return self.runtime.cells[self.runtime.base + offset]

    def requests(self) -> int:
        """Return how many requests are over: each ends in one of the outcomes."""
        return sum(self.cell(outcome) for outcome in layout.OUTCOMES)

    def is_quiet(self) -> bool:
        """Say whether no request is in flight."""
        return not self.cell(layout.ACTIVE)

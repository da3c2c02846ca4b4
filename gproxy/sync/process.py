"""The sync process: follows the store, publishes what is valid, outlives every outage."""

import contextlib
import logging
import os
import signal
import time
from collections import deque
from types import FrameType
from typing import Final

from gproxy import logs
from gproxy.role import Context
from gproxy.shared import layout
from gproxy.shared.rings import RingWriter
from gproxy.shared.table import Table, now_ms
from gproxy.store.access import Access
from gproxy.store.base import StoreError
from gproxy.store.open import canonical
from gproxy.store.snapshot_file import FILE_NAME
from gproxy.sync.adopt import Adopter
from gproxy.sync.certificates import Certificates
from gproxy.sync.drain import DrainWatch
from gproxy.sync.fleet import Fleet
from gproxy.sync.fleet_memory import FleetMemory
from gproxy.sync.lookout import Lookout
from gproxy.sync.publish import Publisher
from gproxy.sync.register import Registrar
from gproxy.sync.sources import Source

log = logging.getLogger(__name__)

#: The longest wait for the store at a time: how long a signal, or the master's death, may go unnoticed.
TURN_S: Final = 0.25
#: While a new snapshot is on its way to the workers: somebody may wait for it.
SHORT_TURN_S: Final = 0.02
#: For so long at most: a worker that cannot load it will not do so while it is being looked at.
LOADING_MS: Final = 10_000

STOP: Final = frozenset({signal.SIGTERM, signal.SIGQUIT})


def run(context: Context) -> int:
    """Be the sync process until told to stop or the master is gone; returns the exit code."""
    received = _listen_for_signals()
    settings = context.settings
    cells = context.table.cells
    name = canonical(settings.store.url)
    lookout = Lookout(
        RingWriter(context.table, context.table.slots + layout.RING_SYNC), cells[layout.SYNC_STATE], now_ms()
    )
    publisher = Publisher(settings.gproxy.run_dir / FILE_NAME, name, context.table)
    # A node that has never run makes its embedded store; one that has must not take a lost store for an empty one.
    source = Source(settings.store.url, not publisher.has_last_good, Access.of(settings.store), Adopter(context.table))
    registrar = Registrar(context)
    drain = DrainWatch(context.table, registrar.id)
    certificates = Certificates(context)
    fleet = Fleet(context.table, registrar.id, FleetMemory(settings.gproxy.run_dir))
    try:
        while _goes_on(received, context.master_pid):
            cells[layout.SYNC_HEARTBEAT] = now_ms()
            state = source.poll(TURN_S if is_everywhere(context.table) else SHORT_TURN_S)
            if source.registry is not None:
                with contextlib.suppress(StoreError):  # the source meets the same trouble, and says so
                    drain.look(source.registry, time.monotonic())  # before anything to serve is published
            if state is not None:
                publisher.offer(state, time.monotonic())
            else:
                publisher.flush(time.monotonic())
            publisher.announce_last_good()
            certificates.look(time.monotonic())
            if source.is_following:
                cells[layout.STORE_SEEN_MS] = time.time_ns() // 1_000_000
            cells[layout.SYNC_STATE] = _state(source, publisher)
            lookout.note(source.is_following, now_ms())
            _tend(source, fleet, registrar, publisher)
    finally:
        if source.registry is not None:
            registrar.leave(source.registry)
        source.close()
    return 0


def _tend(source: Source, fleet: Fleet, registrar: Registrar, publisher: Publisher) -> None:
    """Tell the other nodes about this one, and act on what they tell."""
    now_s = time.monotonic()
    fleet.use(publisher.lines)
    facts = fleet.facts(now_s)
    registry = source.registry
    if registry is not None:
        registrar.tell(registry, now_s, facts)
        with contextlib.suppress(StoreError):  # the source meets the same trouble, and says so
            fleet.look(registry, now_s, source.has_news_of_nodes())
    fleet.agree(now_s)


def is_everywhere(table: Table) -> bool:
    """Tell whether all workers that take requests run what is published, or will not do so soon."""
    cells = table.cells
    bases = (table.base(slot) for slot in range(cells[layout.SLOTS_USED]))
    accepting = (base for base in bases if cells[base + layout.STATE] == layout.STATE_ACCEPTING)
    if time.time_ns() // 1_000_000 - cells[layout.PUBLISHED_MS] > LOADING_MS:
        return True
    return all(cells[base + layout.VERSION] == cells[layout.PUBLISHED] for base in accepting)


def _state(source: Source, publisher: Publisher) -> int:
    if source.is_following:
        return layout.SYNC_FOLLOWING
    return layout.SYNC_STORE_LOST if publisher.has_announced else layout.SYNC_NOTHING


def _listen_for_signals() -> deque[int]:
    """Enqueue signals instead of acting on them."""
    received: deque[int] = deque()

    def enqueue(number: int, frame: FrameType | None) -> None:
        received.append(number)

    for number in (*STOP, signal.SIGUSR1):
        signal.signal(number, enqueue)
    return received


def _goes_on(received: deque[int], master_pid: int) -> bool:
    """Act on the signals received; tell whether to go on."""
    while received:
        number = received.popleft()
        if number in STOP:
            return False
        logs.reopen()
    return os.getppid() == master_pid

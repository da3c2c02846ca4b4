"""The circuit breakers of one worker: whom requests may go to, and what became of them.

The circuits themselves are shared by all workers of the node (shared/circuits.py). Here they meet requests and
clusters: a request that was let through carries a trial until its result is known, and a cluster of which more is
ejected than its breaker allows panics: then all its servers are used.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from math import ceil
from time import monotonic
from typing import TYPE_CHECKING, Any
from zlib import crc32

from gproxy.core.backends import Cluster, Server
from gproxy.core.breaker import FIGURES, Breaker, State
from gproxy.core.errors import BadUpstream, CircuitOpen, UpstreamTimeout
from gproxy.core.events import Event, Kind, PanicCause, PanicState, Thing
from gproxy.core.router import Route
from gproxy.core.snapshot import Api, Snapshot
from gproxy.shared import layout
from gproxy.shared.circuit import SharedCircuit, Trial
from gproxy.shared.circuits import Circuits, Move, is_ejected, now_us
from gproxy.shared.fleet import FleetCells
from gproxy.shared.rings import RingWriter
from gproxy.shared.table import Table
from gproxy.worker.attempt import Unwanted
from gproxy.worker.relay import ResponseBroken

if TYPE_CHECKING:
    from gproxy.worker.exchange import Exchange

log = logging.getLogger(__name__)

#: what an attempt that is the server's fault raises
_SERVER_FAILED = (BadUpstream, UpstreamTimeout, ResponseBroken)
_GIVEN_A_REST = "This service has failed too often and is given a rest."
_STATE_NAMES = {state: state.name.lower() for state in State}
_LABELS = {Thing.SERVER: "server", Thing.API: "api", Thing.NODE: "row"}


class GuardedCluster:
    """The circuits of a cluster's servers, and whether it panics: looked at again when some circuit has moved."""

    __slots__ = ("_can_panic", "_cluster", "_fleet", "_glance", "_panics", "_registry", "circuits")

    def __init__(self, registry: Circuits, fleet: FleetCells, cluster: Cluster) -> None:
        self.circuits: dict[Server, SharedCircuit] = {}
        self._panics = False
        self._registry = registry
        self._fleet = fleet
        self._cluster = cluster
        self._glance = (-1, -1)
        for server in cluster.members:
            breaker = server.breaker or cluster.breaker
            if breaker is not None:
                self.circuits[server] = registry.circuit(server.row, breaker)
        #: whether there is a share of ejected servers that is too much
        self._can_panic = any(rule.max_ejected_percent < 100 for rule in self._rules())

    def panics(self) -> bool:
        """Say whether too many servers are ejected: found out again if that may have changed."""
        if not self._can_panic:
            return False
        glance = self._registry.refresh(), self._fleet.changes
        if glance != self._glance:
            self._glance = glance
            self._panics = self.is_too_much(self.ejected())
        return self._panics

    def servers(self) -> Sequence[Server]:
        """Return those that take the cluster's traffic as long as all is well."""
        return self._cluster.primary or self._cluster.backup

    def ejected(self) -> int:
        """Return how many of `servers` are not in full service."""
        circuits = [self.circuits[server] for server in self.servers() if server in self.circuits]
        return sum(is_ejected(circuit.look()) or self.is_open_elsewhere(circuit) for circuit in circuits)

    def is_open_elsewhere(self, circuit: SharedCircuit) -> bool:
        """Say whether a server is given a rest because enough other nodes do so."""
        return circuit.breaker.is_shared and self._fleet.is_open(circuit.row, now_us())

    def is_too_much(self, ejected: int) -> bool:
        """Say whether so many ejected servers are more than the cluster's breaker, or else any server's, allows."""
        return any(rule.ejects_too_many(ejected, len(self.servers())) for rule in self._rules())

    def wait_us(self, at_us: int) -> int:
        """Return how long it takes until an open circuit lets a probe through, 0 when none is open."""
        opened = [circuit for circuit in self.circuits.values() if circuit.look().state is State.OPEN]
        until = [circuit.half_opens_us() for circuit in opened]
        until += [self._fleet.open_until_us(row) for row in self._rows_open_elsewhere()]
        return max(0, min(until, default=at_us) - at_us)

    def _rows_open_elsewhere(self) -> list[int]:
        return [circuit.row for circuit in self.circuits.values() if self.is_open_elsewhere(circuit)]

    def _rules(self) -> list[Breaker]:
        breaker = self._cluster.breaker
        return [breaker] if breaker is not None else [s.breaker for s in self._cluster.members if s.breaker is not None]


class Guard:
    """Lets requests through to APIs and servers, or not, and hears how they ended."""

    def __init__(self, table: Table, slot: int) -> None:
        self._table = table
        self._cells, self._rejected = table.cells, table.row_base(slot, 0) + layout.ROW_REJECTED
        self._circuits = Circuits(table, slot, self._tell)
        self._fleet = FleetCells(table)
        self._ring = RingWriter(table, slot)
        self._snapshot: Snapshot | None = None
        self._clusters: dict[Cluster, GuardedCluster] = {}
        self._apis: dict[Api, SharedCircuit] = {}
        self._names: dict[int, tuple[Thing, str]] = {}

    def use(self, snapshot: Snapshot) -> None:
        """Guard what is in this snapshot from now on."""
        self._snapshot = snapshot
        self._clusters.clear()
        self._apis.clear()
        self._names.clear()
        self._circuits.use(_rules(snapshot))

    # -- before: may it pass? ----------------------------------------------------------------------------------

    def enter(self, api: Api, breaker: Breaker) -> Trial:
        """Let a request through to an API that has a breaker; raises CircuitOpen."""
        circuit = self._apis.get(api)
        if circuit is None:
            circuit = self._apis[api] = self._circuits.circuit(api.row, breaker)
        trial = circuit.enter_closed()
        if trial is not None:
            return trial
        at_us = now_us()
        trial = circuit.enter(at_us, _probe_us(api, breaker))
        if trial is None:
            wait_us = circuit.half_opens_us() - at_us if circuit.state is State.OPEN else 0
            raise self._refusal(api, f"the circuit of API {api.name} is open", wait_us)
        return trial

    def may(self, exchange: Exchange, cluster: Cluster, server: Server) -> bool:
        """Say whether a request may go to a server of a guarded cluster: if so the exchange has its `trial`.

        The last to be asked: what is let through counts as an arrival. There is no trial for a server without a
        breaker, and for what an open circuit gets because its cluster panics.
        """
        guarded = self._clusters.get(cluster)
        if guarded is None:
            guarded = self._clusters[cluster] = GuardedCluster(self._circuits, self._fleet, cluster)
        circuit = guarded.circuits.get(server)
        if circuit is None:
            exchange.trial = None
            return True
        if circuit.breaker.is_shared and guarded.is_open_elsewhere(circuit):
            exchange.trial = None
            return guarded.panics()
        exchange.trial = trial = circuit.enter_closed()
        if trial is not None:
            return True
        api = exchange.api
        assert api is not None
        exchange.trial = trial = circuit.enter(now_us(), _probe_us(api, circuit.breaker))
        return trial is not None or guarded.panics()

    def refusal(self, exchange: Exchange, cluster: Cluster) -> CircuitOpen:
        """Return the answer to a request that no server of a guarded cluster may have."""
        wait_us = self._clusters[cluster].wait_us(now_us())
        assert exchange.api is not None
        return self._refusal(exchange.api, f"every circuit of cluster {cluster.name} is open", wait_us)

    def _refusal(self, api: Api, reason: str, wait_us: int) -> CircuitOpen:
        self._cells[self._rejected + api.row * layout.ROW_CELLS] += 1
        return CircuitOpen(_GIVEN_A_REST, reason, max(1, ceil(wait_us / 1e6)))

    # -- afterwards: how did it end? ---------------------------------------------------------------------------

    def watch_api(
        self, exchange: Exchange, api: Api, breaker: Breaker, forward: Callable[[Exchange, Api], None]
    ) -> None:
        """Forward a request to an API that has a breaker, and report what its client gets; raises CircuitOpen."""
        trial = self.enter(api, breaker)
        report = _abandon
        try:
            forward(exchange, api)
            report = _fail if trial.is_failure(exchange.status) else _succeed
        except _SERVER_FAILED:
            report = _fail
            raise
        finally:
            report(trial, exchange, exchange.started)

    def watch(self, exchange: Exchange, attempt: Callable[..., None], *arguments: Any) -> None:
        """Make an attempt whose `trial` waits for its result, unless the status of the answer was one already."""
        report = _abandon
        try:
            attempt(*arguments)
            report = _succeed
        except Unwanted:
            report = _succeed
            raise
        except _SERVER_FAILED:
            report = _fail
            raise
        finally:
            trial, exchange.trial = exchange.trial, None
            if trial is not None:
                report(trial, exchange, exchange.attempted)

    def answered(self, exchange: Exchange, trial: Trial, status: int) -> None:
        """The response head of a trial is there: a failure is one at once, for a success the body must be good too."""
        if trial.is_failure(status):
            exchange.trial = None
            _fail(trial, exchange, exchange.attempted)
        elif status == 101:  # a tunnel: it may stay open for hours
            exchange.trial = None
            _succeed(trial, exchange, exchange.attempted)

    def ended(self, exchange: Exchange, trial: Trial, now_s: float) -> None:
        """The whole answer to a trial has come at once, just now."""
        exchange.trial = None
        circuit, took_us, now_us = trial.circuit, (now_s - exchange.attempted) * 1e6, now_s * 1e6
        if exchange.status in circuit.breaker.failure_statuses:
            circuit.failed(trial, int(took_us), int(now_us))
        elif not circuit.succeeded_in_passing(trial, took_us, now_us):
            circuit.succeeded(trial, int(took_us), int(now_us))

    # -- news --------------------------------------------------------------------------------------------------

    def _tell(self, move: Move) -> None:
        """Say that a circuit has moved, and what follows from it for the clusters of a server."""
        thing, name = self._name(move.row)
        figures = {word: figure for word, figure in zip(FIGURES[move.cause], move.figures, strict=True) if word}
        was, cause = _STATE_NAMES[move.before.state], move.cause.name.lower()
        about = {_LABELS[thing]: name, "was": was, "cause": cause, **figures}
        log.warning("circuit %s", _STATE_NAMES[move.after.state], extra=about)
        states = move.before.state, move.after.state
        generation = self._cells[self._table.generation_cell(move.row)]
        self._ring.tell(
            Event(Kind.CIRCUIT, move.cause, thing, move.row, *states, move.figures, generation, move.after.epoch)
        )
        if self._snapshot is not None and thing is Thing.SERVER:
            for cluster in self._snapshot.clusters_of.get(move.row, ()):
                self._tell_panic(cluster, move)

    def _tell_panic(self, cluster: Cluster, move: Move) -> None:
        """Say that a cluster begins or ends to panic because of the move of one server's circuit."""
        more = is_ejected(move.after) - is_ejected(move.before)
        guarded = self._clusters.get(cluster)
        if guarded is None or not more:
            return
        ejected = guarded.ejected()
        panics = guarded.is_too_much(ejected)
        if panics == guarded.is_too_much(ejected - more):
            return
        text = "panic: too many circuits are open, all servers are used" if panics else "the panic is over"
        figures = ejected, len(guarded.servers()), 0
        log.warning(text, extra={"cluster": cluster.name, "ejected": figures[0], "servers": figures[1]})
        cause = PanicCause.EJECTED if panics else PanicCause.RECOVERED
        states = (PanicState.CALM, PanicState.PANIC) if panics else (PanicState.PANIC, PanicState.CALM)
        generation = self._cells[self._table.generation_cell(cluster.row)]
        epoch = crc32(b"%d %d" % (move.row, move.after.epoch)) or 1  # who tells of the same move tells of one panic
        self._ring.tell(Event(Kind.PANIC, cause, Thing.CLUSTER, cluster.row, *states, figures, generation, epoch))

    def _name(self, row: int) -> tuple[Thing, str]:
        """Return what a row belongs to."""
        if not self._names and self._snapshot is not None:
            for value in self._snapshot.compiled.values():
                if isinstance(value, Server):
                    self._names[value.row] = (Thing.SERVER, value.name)
                elif isinstance(value, Route):
                    self._names[value.target.row] = (Thing.API, value.target.name)
        return self._names.get(row, (Thing.NODE, str(row)))


def _rules(snapshot: Snapshot) -> dict[int, Breaker]:
    """Return the breakers of a snapshot by the rows of their servers and APIs."""
    rules: dict[int, Breaker] = {}
    for value in snapshot.compiled.values():
        if isinstance(value, Route) and value.target.breaker is not None:
            rules[value.target.row] = value.target.breaker
        elif isinstance(value, Cluster) and value.is_guarded:
            for server in value.members:
                breaker = server.breaker or value.breaker
                if breaker is not None:
                    rules[server.row] = breaker
    return rules


def _probe_us(api: Api, breaker: Breaker) -> int:
    """Return how long a probe keeps its place: as long as an answer may take, else as long as a circuit is open."""
    limits_s = [node.connect_s + node.response_s if node.response_s else api.total_s for node in api.nodes]
    return int(max(limits_s, default=0) * 1e6) or breaker.open_us


def _took_us(exchange: Exchange, since_s: float) -> int:
    """Return how long an answer took, 0 when the client was still sending: that is no delay of the server's."""
    return 0 if exchange.upload is not None else int(((exchange.answered or monotonic()) - since_s) * 1e6)


def _succeed(trial: Trial, exchange: Exchange, since_s: float) -> None:
    trial.succeeded(_took_us(exchange, since_s), now_us())


def _fail(trial: Trial, exchange: Exchange, since_s: float) -> None:
    trial.failed(_took_us(exchange, since_s), now_us())


def _abandon(trial: Trial, exchange: Exchange, since_s: float) -> None:
    trial.abandoned()

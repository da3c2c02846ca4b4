"""What would become of a request, and why: told by the parts that serve, asked without sending anything.

Routing, templates and filters are those of a worker: the same snapshot, built from the same file by the same code.
Only what has an effect is looked at instead of done: rate limits do not count, no server is asked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from time import time
from typing import Any, Final

from gevent.hub import get_hub

from gproxy.core.backends import Cluster, Server, Timeouts
from gproxy.core.cache_rule import CacheRule
from gproxy.core.cors import find_preflighted
from gproxy.core.errors import GatewayError, NoConfiguration, NoRoute
from gproxy.core.explain import Candidate, candidates
from gproxy.core.node import Node
from gproxy.core.path import plain
from gproxy.core.reply import Reply
from gproxy.core.router import Route
from gproxy.core.rule import Rule, Verdict
from gproxy.core.snapshot import Api, Snapshot, SnapshotBuilder
from gproxy.filters import hooks_for
from gproxy.monitor import stored
from gproxy.monitor.asked import Asked
from gproxy.monitor.server_state import ServerStates
from gproxy.settings import Settings
from gproxy.shared import layout
from gproxy.shared.cache import CacheMemory
from gproxy.shared.limits import Limits
from gproxy.shared.table import Table
from gproxy.store import snapshot_file

#: Routes that are told: all that match, and so many of the others, those first of which most fits.
_MOST_OTHERS: Final = 20


class Explainer:
    """Explains for the node of `table`, from the snapshot file at `path`."""

    def __init__(self, table: Table, settings: Settings, path: Path, memory: CacheMemory | None = None) -> None:
        self._table = table
        self._settings = settings
        self._path = path
        self._limits = Limits(table, 0)  # only looks
        self._memory = memory
        self._version = 0
        self._snapshot: Snapshot | None = None

    def explain(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """Return the document for a question, see Asked.of; raises BadQuestion."""
        told: dict[str, Any] = {"revision": None, "request": None, "candidates": [], "api": None, "answer": None}
        try:
            asked = Asked.of(question, self._settings, self._limits)
            told["request"] = _request(asked)
            snapshot = self._newest()
            told["revision"] = snapshot.revision
            told |= get_hub().threadpool.apply(self._routed, (asked, snapshot))
            if asked.api is None:
                raise NoRoute("No API matches this request.")
            told |= self._handled(asked, asked.api, snapshot)
        except GatewayError as error:
            told["answer"] = _refused(error)
        return told

    def _newest(self) -> Snapshot:
        """Return the published snapshot, built anew when it has changed; raises NoConfiguration."""
        version = self._table.cells[layout.PUBLISHED]
        if version != self._version or self._snapshot is None:
            try:
                self._snapshot = get_hub().threadpool.apply(self._build)
            except (snapshot_file.SnapshotError, ValueError, KeyError) as error:
                raise NoConfiguration(f"The published configuration cannot be used: {error}.") from None
            self._version = version
        return self._snapshot

    def _build(self) -> Snapshot:
        stored = snapshot_file.read(self._path)
        timeouts = self._settings.timeouts
        defaults = Timeouts(timeouts.connect_s, timeouts.response_s, timeouts.total_s)
        builder = SnapshotBuilder(stored.revision, defaults, hooks_for, self._snapshot)
        for line in stored.lines:
            builder.add(line)
        return builder.build()

    def _routed(self, asked: Asked, snapshot: Snapshot) -> dict[str, Any]:
        """Route the request as a worker does, and tell the candidates."""
        path = asked.target.partition(b"?")[0]
        routes = [value for value in snapshot.compiled.values() if isinstance(value, Route)]
        try:
            found = find_preflighted(snapshot.router, asked, path)
            found = found or snapshot.router.find(asked.host(), asked.method, path)
            listed = candidates(routes, asked.host(), asked.method, path)
        except ValueError as error:
            return {"candidates": [], "path_problem": str(error)}
        if found is not None:
            asked.api, asked.values = found.target, found.values
        shown = [one for one in listed if one.matches]
        others = listed[len(shown) :]
        shown += others[:_MOST_OTHERS]
        return {"candidates": [_candidate(one) for one in shown], "candidates_left_out": len(listed) - len(shown)}

    def _handled(self, asked: Asked, api: Api, snapshot: Snapshot) -> dict[str, Any]:
        """Tell what its API makes of the request."""
        states = ServerStates(self._table, snapshot)
        told: dict[str, Any] = {
            "api": {"name": api.name, "path": api.path.text, **states.api(api)},
            "variables": {
                name: plain(value).decode("utf-8", "replace")
                for name, value in zip(api.path.names, asked.values, strict=True)
            },
            "filters": [],
            "nodes": [],
        }
        for verdict in _verdicts(asked, api):
            told["filters"].append(verdict)
            if verdict["answer"] is not None:
                return told | {"answer": verdict["answer"]}
        told["own_filters"] = list(self._settings.filters.extra)
        told["nodes"] = [self._node(asked, node, states) | _part(api, at) for at, node in enumerate(api.nodes)]
        if api.cache is not None:
            told["cache"] = self._stored(asked, api, api.cache, told["nodes"][0])
        problems = (node["problem"] for node in told["nodes"] if node.get("required", True))
        problem = next((problem for problem in problems if problem is not None), None)
        kept = told.get("cache", {})
        answer = {"kind": "stored", "status": kept["status"]} if kept.get("verdict") == "hit" else None
        return told | {"answer": problem or answer or {"kind": "proxied"}, "headers": asked.sent_headers()}

    def _stored(self, asked: Asked, api: Api, rule: CacheRule, node: Mapping[str, Any]) -> dict[str, Any]:
        """Tell what the store has to do with the answer of an API; `node` is what is told of its (first) node."""
        is_whole = api.merge is not None
        cluster = api.nodes[0].cluster.name if is_whole else node["cluster"]
        target = asked.target if is_whole else node["target"].encode("latin-1")
        return stored.verdict(self._memory, asked, rule, cluster, target, asked.fields.forward)

    def _node(self, asked: Asked, node: Node, states: ServerStates) -> dict[str, Any]:
        """Tell what is sent where, and what is stored of it."""
        told = _node(asked, node, states)
        if node.cache is None:
            return told
        target, block = told["target"].encode("latin-1"), asked.outgoing()
        return told | {"cache": stored.verdict(self._memory, asked, node.cache, told["cluster"], target, block)}


def _request(asked: Asked) -> dict[str, Any]:
    path, _, query = asked.target.partition(b"?")
    return {
        "method": asked.method.decode("latin-1"),
        "host": asked.host().decode("latin-1"),
        "path": path.decode("latin-1"),
        "query": query.decode("latin-1"),
        "client_ip": asked.client_ip().decode("latin-1"),
    }


def _refused(error: GatewayError) -> dict[str, Any]:
    return {
        "kind": "refused",
        "status": error.status,
        "code": error.code,
        "detail": error.detail,
        "reason": error.reason or None,
    }


def _candidate(one: Candidate) -> dict[str, Any]:
    route = one.route
    return {
        "api": route.name,
        "path": route.path.text,
        "hosts": list(route.hosts),
        "methods": sorted(method.decode("ascii") for method in route.methods),
        "priority": route.priority,
        "matches": one.matches,
        "chosen": one.is_chosen,
        "reason": one.reason,
    }


def _verdicts(asked: Asked, api: Api) -> Iterator[dict[str, Any]]:
    """Ask the filters in their order what they would do."""
    for before in api.before:
        answer: dict[str, Any] | None = None
        try:
            before(asked)
        except GatewayError as error:
            answer = _refused(error)
        except Reply as reply:
            lines = reply.lines.decode("latin-1").splitlines()
            answer = {"kind": "replied", "status": reply.status, "headers": lines}
        yield {"filter": _filter_name(before), "verdict": "passes" if answer is None else "answers", "answer": answer}


def _filter_name(hook: Callable[..., object]) -> str:
    owner = getattr(hook, "__self__", hook)
    return type(owner).__module__.rpartition(".")[2]


def _rules(asked: Asked, node: Node) -> tuple[list[dict[str, Any]], Node]:
    """Tell what each routing rule says, and return the node as which the request goes on."""
    dealt: list[Rule] = []

    def deal(rule: Rule) -> bool:
        dealt.append(rule)
        return False

    told, taken, now_s = [], node, time()
    for way in node.ways:
        rule, verdict = way.rule, way.rule.verdict(asked, now_s, deal)
        reason = f"applies to {rule.percent:g} % of such requests" if rule in dealt else verdict.value
        if rule.mirror is not None:
            reason = f"{reason}, and copies" if verdict is Verdict.APPLIES or rule in dealt else reason
        elif verdict is Verdict.APPLIES and taken is not node:
            reason = "applies, but comes later in the order"
        elif verdict is Verdict.APPLIES:
            taken = way.node
        told.append({"rule": rule.name, "cluster": rule.cluster.name, "taken": taken is way.node, "reason": reason})
    return told, taken


def _method(asked: Asked, node: Node) -> bytes:
    if node.method is None and node.attr:
        return b"GET" if asked.method == b"HEAD" else asked.method
    return node.method or asked.method


def _part(api: Api, index: int) -> dict[str, Any]:
    """Tell what the answer of a node is to the whole, where nodes make one answer together."""
    if api.merge is None:
        return {}
    rule = api.merge.parts[index]
    batch = next(number for number, batch in enumerate(api.merge.batches) if index in batch)
    told: dict[str, Any] = {"attr": rule.name, "batch": batch, "required": rule.is_needed}
    return told | ({"default": json.loads(rule.stand_in)} if rule.has_default else {})


def _node(asked: Asked, node: Node, states: ServerStates) -> dict[str, Any]:
    """Tell what is sent where. Values of earlier parts stand in the target by their names."""
    problem = None
    target = asked.target
    rules, node = _rules(asked, node)
    asked.node = node
    try:
        if node.rewrite is not None:
            target = asked.with_parts(node.rewrite.target(asked))
    except GatewayError as error:
        problem = _refused(error)
    cluster: Cluster = node.cluster
    servers: list[Server] = list(cluster.members)
    return {
        "rules": rules,
        "cluster": cluster.name,
        "method": _method(asked, node).decode("latin-1"),
        "target": target.decode("latin-1"),
        "rewrite": node.rewrite.text if node.rewrite is not None else None,
        "policy": cluster.policy,
        "timeouts": {"connect_s": node.connect_s, "response_s": node.response_s, "total_s": node.total_s},
        "retry_attempts": node.retry.attempts if node.retry is not None else 1,
        "servers": [states.server(cluster, server) for server in servers],
        "problem": problem,
    }

"""From the documents of fagongzi/gateway (2016) to ours, with a remark wherever the same words do not mean the same.

Nothing is guessed in silence: a field that has no counterpart is a remark, too.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from gproxy.ctl.seed_export import SeedExport
from gproxy.ctl.seed_rules import BadRules, parse_rules

_NO_NAME: Final = re.compile(r"[^A-Za-z0-9._:-]+")
#: The order of the seed: aggregations, then routings, then clusters. APIs of clusters come last.
_CLUSTER_PRIORITY: Final = -100


@dataclass(slots=True)
class Imported:
    """An object in our words, and what to know about it."""

    kind: str
    name: str
    document: Mapping[str, Any]
    remarks: list[str] = field(default_factory=list)


def imported(export: SeedExport) -> list[Imported]:
    """Return every object of an export in our words."""
    found = [_server(address, document) for address, document in export.servers.items()]
    for name, document in export.clusters.items():
        found.extend(_cluster(name, document, export))
    found.extend(_aggregation(url, document) for url, document in export.aggregations.items())
    found.extend(_routing(name, document, export.expires.get(name, "")) for name, document in export.routings.items())
    return list(_told_apart(found))


def _told_apart(found: list[Imported]) -> Iterator[Imported]:
    """Yield the objects, with a number in the names of those that would have the same one."""
    seen: dict[tuple[str, str], int] = {}
    for one in found:
        times = seen[one.kind, one.name] = seen.get((one.kind, one.name), 0) + 1
        if times > 1:
            name = f"{one.name}-{times}"
            one = Imported(
                one.kind, name, {**one.document, "name": name}, [*one.remarks, f"there is another {one.name}"]
            )
        yield one


def _server(key: str, seed: Mapping[str, Any]) -> Imported:
    address = seed.get("addr", key)
    server: dict[str, Any] = {"name": _name(address), "address": address}
    made = Imported("server", server["name"], server)
    if seed.get("schema", "http") != "http":
        server["scheme"] = seed["schema"]
    if seed.get("checkPath"):
        check = {"path": seed["checkPath"], "expect_body": "OK", "timeout_s": seed.get("checkTimeout") or 3}
        server["health_check"] = {**check, "interval_s": seed.get("checkDuration") or 5}
        made.remarks.append(
            "health check: the first check had to succeed before the server was used; here it is used until a check "
            "fails 3 times (fall)"
        )
    if seed.get("maxQPS"):
        server["max_qps"] = seed["maxQPS"]
        made.remarks.append("maxQPS: was counted over the second before, and answered 503; here it is exact, and 429")
    else:
        made.remarks.append("maxQPS 0: rejected every request there; here it is no limit")
    _breaker(seed, server, made.remarks)
    if seed.get("status", 1) == 0 and not seed.get("checkPath"):
        made.remarks.append("status 0: was down until a check succeeded, but had no check; here it is used")
    return made


def _breaker(seed: Mapping[str, Any], server: dict[str, Any], remarks: list[str]) -> None:
    if not (seed.get("closeCount") or seed.get("halfToOpen")):
        if seed.get("halfTrafficRate"):
            remarks.append("halfTrafficRate: without closeCount and halfToOpen it is not taken over")
        return
    server["circuit_breaker"] = {
        "consecutive_failures": seed.get("closeCount", 0) + 1,
        "open_s": seed.get("halfToOpen") or 1,
        "half_open_percent": seed.get("halfTrafficRate") or 1,
        "half_open_successes": 1,
    }
    remarks.append(
        "circuit breaker: the names were the other way round. What was Close, and rejected, is open here; what was "
        "Open, and let everything through, is closed"
    )
    remarks.append(
        f"closeCount {seed.get('closeCount', 0)}: tripped when it was exceeded, so consecutive_failures is one more; "
        "open times double here when probes fail (max_open_s)"
    )
    if not seed.get("halfTrafficRate"):
        remarks.append("halfTrafficRate 0: let nothing through, for ever; here it is 1 percent")


def _cluster(key: str, seed: Mapping[str, Any], export: SeedExport) -> Iterator[Imported]:
    name = seed.get("name", key)
    servers = [server for server, cluster in export.binds if cluster == name]
    servers += [server for server in seed.get("bindServers") or () if server not in servers]
    for address, server in export.servers.items():
        if name in (server.get("bindClusters") or ()) and address not in servers:
            servers.append(address)
    own = _name(name)
    made = Imported("cluster", own, {"name": own, "servers": [_name(server) for server in dict.fromkeys(servers)]})
    if not servers:
        made.remarks.append("no server is bound to it")
    if seed.get("lbName", "ROUNDROBIN").upper() != "ROUNDROBIN":
        made.remarks.append(f"lbName {seed['lbName']}: is round_robin here; the seed had nothing else")
    yield made
    if seed.get("pattern"):
        api = {
            "name": f"cluster-{own}",
            "path": f"~{seed['pattern']}",
            "priority": _CLUSTER_PRIORITY,
            "nodes": [{"cluster": own}],
        }
        yield Imported("api", f"cluster-{own}", api, [_OVERLAP])


_OVERLAP: Final = (
    "where patterns overlap the seed decided by chance; here priority, form and name decide, always in the same way"
)


def _aggregation(key: str, seed: Mapping[str, Any]) -> Imported:
    url = seed.get("url", key)
    nodes = seed.get("nodes") or []
    api: dict[str, Any] = {
        "name": f"aggregation-{_name(url)}",
        "path": f"~{url}",
        "nodes": [_node(n, nodes) for n in nodes],
    }
    made = Imported("api", api["name"], api, [_OVERLAP])
    made.remarks.append("url: was matched against path and query; here against the path alone")
    if len(nodes) > 1:
        api["merge"] = {"on_failure": "fail"}
        made.remarks.append("a 5xx of a node was merged into a 200; here it fails the whole, with its status")
        made.remarks.append("bodies were pasted as they were; here one that is not JSON is embedded as a string")
    made.remarks.append("nodes got the method of the client; here it is the same unless a node has `method`")
    return made


def _node(seed: Mapping[str, Any], all_nodes: list[Any]) -> dict[str, Any]:
    node: dict[str, Any] = {"cluster": _name(seed.get("clusterName", ""))}
    if len(all_nodes) > 1:
        node["attr"] = seed.get("attrName", "")
    target = seed.get("rewrite") or seed.get("url")
    if target:
        node["rewrite"] = re.sub(r"\$(\d)", r"{\1}", target)  # groups of the pattern
    return node


def _routing(key: str, seed: Mapping[str, Any], expires_at: str) -> Imported:
    routing: dict[str, Any] = {"name": _name(seed.get("id", key)), "cluster": _name(seed.get("clusterName", ""))}
    made = Imported("routing", routing["name"], routing)
    if seed.get("url"):
        routing["path"] = f"~{seed['url']}"
    try:
        rules = parse_rules(seed.get("cfg", ""))
    except BadRules as error:
        made.remarks.append(f"cfg cannot be read: {error}; the routing has no conditions now")
        return made
    made.remarks.extend(rules.remarks)
    if rules.all or rules.any:
        routing["when"] = {name: items for name, items in (("all", rules.all), ("any", rules.any)) if items}
    if expires_at:
        routing["expires_at"] = expires_at
    elif rules.deadline_s:
        made.remarks.append(f"deadline {rules.deadline_s}: the export does not say when that began: no expires_at")
    made.remarks.append("it steers requests that an API takes; the seed sent them to the cluster without one")
    return made


def _name(text: str) -> str:
    """Return a name that is allowed here; one that is already stays as it is."""
    return _NO_NAME.sub("-", text).strip("-.")[:100] or "unnamed"

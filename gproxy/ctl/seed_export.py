"""Reading what fagongzi/gateway of 2016 kept in etcd, from an export as JSON in any of the usual shapes.

- what etcd 2 answers to `GET /v2/keys/gateway?recursive=true`: nodes within nodes, values that are texts;
- what `etcdctl get --prefix ... -w json` prints for etcd 3: a list of `kvs` with keys and values in base64;
- an object of keys and values, `{"/gateway/servers/10.0.0.1:80": {...}}`, values as texts or as they are.
"""

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote_plus

from gproxy.ctl.files import FileError

#: The folders below the prefix, whatever that was; a key counts by the first of these that it has.
FOLDERS: Final = ("servers", "clusters", "binds", "aggregations", "routings")


@dataclass(slots=True)
class SeedExport:
    """The documents of each folder by their keys; `binds` are (server, cluster), `expires` moments by routing."""

    servers: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    clusters: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    aggregations: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    routings: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    binds: list[tuple[str, str]] = field(default_factory=list)
    expires: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Pair:
    key: str
    value: Any
    expires_at: str = ""


def read_export(content: Any) -> SeedExport:
    """Return what is in an export. Raises FileError when it is none."""
    if not isinstance(content, Mapping):
        raise FileError("an export is a JSON object, of etcd 2 or 3 or of keys and values")
    try:
        pairs = list(_pairs(content))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise FileError("this is no export of etcd 2 or 3, and no object of keys and values") from None
    found = SeedExport()
    for pair in pairs:
        _take(found, pair)
    if not (found.servers or found.clusters or found.aggregations or found.routings):
        raise FileError(f"nothing of the gateway is in it: its keys have one of {', '.join(FOLDERS)} in them")
    return found


def _pairs(content: Mapping[str, Any]) -> Iterator[_Pair]:
    if "node" in content:
        yield from _nodes(content["node"])
    elif "kvs" in content:
        for item in content["kvs"]:
            yield _Pair(_decoded(item["key"]), _decoded(item.get("value", "")))
    else:
        yield from (_Pair(key, value) for key, value in content.items())


def _nodes(node: Mapping[str, Any]) -> Iterator[_Pair]:
    for child in node.get("nodes") or ():
        yield from _nodes(child)
    if not node.get("dir") and "key" in node:
        yield _Pair(node["key"], node.get("value", ""), str(node.get("expiration") or ""))


def _decoded(text: str) -> str:
    return base64.b64decode(text).decode("utf-8")


def _take(found: SeedExport, pair: _Pair) -> None:
    """Put a pair into the folder that its key is in; others, such as those of proxies, say nothing about routing."""
    parts = pair.key.strip("/").split("/")
    folder = next((part for part in parts if part in FOLDERS), None)
    if folder is None or "delete" in parts[: parts.index(folder)]:
        return
    name = "/".join(parts[parts.index(folder) + 1 :])
    if not name:
        return
    if folder == "binds":
        # The seed split at the first dash, also within a host name: the name of the cluster is behind the port.
        head, _, tail = name.partition(":")
        port, _, cluster = tail.partition("-")
        found.binds.append((f"{head}:{port}", cluster))
        return
    try:
        document = json.loads(pair.value) if isinstance(pair.value, str) else pair.value
    except ValueError:
        raise FileError(f"{pair.key}: its value is not JSON") from None
    if not isinstance(document, Mapping):
        raise FileError(f"{pair.key}: its value is not a JSON object")
    getattr(found, folder)[unquote_plus(name)] = document
    if pair.expires_at:
        found.expires[name] = pair.expires_at

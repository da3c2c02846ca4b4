"""`gproxyctl nodes`, `drain`, `undrain`, and `--wait`: who follows the store, and whether all run a revision."""

import argparse
import sys
import time
from collections.abc import Container
from typing import Final

from gproxy.ctl import files
from gproxy.store import draining
from gproxy.store.applied import wait_applied
from gproxy.store.base import Store
from gproxy.store.nodes import Node, now_ms
from gproxy.store.open import open_store

#: What became of a wish.
DRAINS: Final = "{0} drains until `gproxyctl undrain {0}`"
SERVES: Final = "{} takes traffic again"


class NotApplied(Exception):
    """Something was written, but is not in effect everywhere yet; the text has a line per straggler."""


def nodes(arguments: argparse.Namespace, url: str) -> None:
    """Show the nodes that follow the store, and what their workers run."""
    with open_store(url, access=arguments.access) as store:
        found, drained = store.registry.nodes(), store.registry.drains()
    if arguments.format:
        told = [{**node.told(), "drained": node.id in drained} for node in found]
        print(files.render({"nodes": told}, arguments.format), end="")
    elif found:
        print("\n".join(table(found, now_ms(), drained)))
    else:
        print("no node is registered", file=sys.stderr)


def drain(arguments: argparse.Namespace, url: str) -> None:
    """Let a node take no more traffic."""
    with open_store(url, access=arguments.access) as store:
        draining.wish(store.registry, arguments.of_node, arguments.author)
    print(DRAINS.format(arguments.of_node))


def undrain(arguments: argparse.Namespace, url: str) -> None:
    """Let a node take traffic again."""
    with open_store(url, access=arguments.access) as store:
        draining.withdraw(store.registry, arguments.of_node)
    print(SERVES.format(arguments.of_node))


def table(found: list[Node], at_ms: int, drained: Container[str] = ()) -> list[str]:
    """Return the nodes as lines, one each below the titles, in columns as wide as they need to be."""
    rows = [("NODE", "CONTROL", "VERSION", "REVISION", "WORKERS", "UP", "SEEN")]
    for node in found:
        up, seen = (at_ms - node.started_ms) // 1000, max(0, at_ms - node.written_ms) // 1000
        workers = f"{_workers(node)}, drained" if node.id in drained else _workers(node)
        rows.append((node.id, node.control, node.version, str(node.revision), workers, f"{up} s", f"{seen} s"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(text.ljust(wide) for text, wide in zip(row, widths, strict=True)).rstrip() for row in rows]


def _workers(node: Node) -> str:
    """Say how many workers there are, and which ones do not run what the node has published."""
    behind = [f"{worker.slot} at {worker.revision}" for worker in node.behind(node.revision)]
    return f"{len(node.workers)}" + (f" (worker {', '.join(behind)})" if behind else "")


def wait(store: Store, revision: int, timeout_s: float) -> None:
    """Return when every worker of every node runs the revision. Raises NotApplied after `timeout_s`."""
    began_s = time.monotonic()
    applied = wait_applied(store.registry, revision, timeout_s)
    if applied.stragglers:
        lines = [f"revision {revision} is not in effect everywhere after {timeout_s:g} s:"]
        raise NotApplied("\n".join([*lines, *map(str, applied.stragglers)]))
    took_ms = 1000 * (time.monotonic() - began_s)
    if not applied.nodes:
        print("no node is registered: nothing to wait for", file=sys.stderr)
        return
    print(f"in effect after {took_ms:.0f} ms in {applied.workers} workers of {applied.nodes} nodes")

"""What each command of `gproxyctl --admin URL` does: the same as without, through the REST interface of an admin.

The author of a change is the owner of the token.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from gproxy.core.change import Change
from gproxy.core.schema import PLURALS, collect
from gproxy.ctl import commands, files
from gproxy.ctl.admin import Admin
from gproxy.ctl.importing import report
from gproxy.ctl.nodes import DRAINS, SERVES, NotApplied
from gproxy.ctl.seed import imported
from gproxy.ctl.seed_export import read_export
from gproxy.store.base import Entry, State, Stored
from gproxy.store.edit import Rejected
from gproxy.store.salvage import merged, salvage


def apply(arguments: argparse.Namespace, admin: Admin) -> None:
    """Make the store equal to the file for the kinds that it lists."""
    lists = _checked(files.read(arguments.file))
    with commands.telling_unlisted([kind for kind, plural in PLURALS.items() if plural in lists]):
        _change(arguments, admin, "POST", "/apply", body=lists)


def put(arguments: argparse.Namespace, admin: Admin) -> None:
    """Create or replace one object."""
    objects, problems = collect({PLURALS[arguments.kind]: [files.read(arguments.file)]})
    if problems:
        raise Rejected(problems)
    ((name, document),) = objects[arguments.kind].items()
    headers = {}
    if arguments.if_revision is not None:
        headers = {"If-Match": f'"{arguments.if_revision}"'} if arguments.if_revision else {"If-None-Match": "*"}
    _change(arguments, admin, "PUT", _path(arguments.kind, name), body=document, headers=headers)


def delete(arguments: argparse.Namespace, admin: Admin) -> None:
    """Delete one object that nothing refers to."""
    _change(arguments, admin, "DELETE", _path(arguments.kind, arguments.name))


def rollback(arguments: argparse.Namespace, admin: Admin) -> None:
    """Make everything as it was at a revision."""
    _change(arguments, admin, "POST", "/rollback", body={"revision": arguments.revision})


def import_seed(arguments: argparse.Namespace, admin: Admin) -> None:
    """Add the objects of an export of fagongzi/gateway, as far as they are valid."""
    found = imported(read_export(files.read(arguments.file)))
    lists, tag = admin.call("GET", "/export")
    objects, _ = collect(lists)
    stored = [Stored(kind, name, 0, document) for kind, of in objects.items() for name, document in of.items()]
    state = State(int(_revision(tag)), {one.key: one for one in stored})
    good, ignored = salvage(state, found)
    wanted = {PLURALS[kind]: list(documents.values()) for kind, documents in merged(state, good).items()}
    arguments.comment = arguments.comment or "imported from fagongzi/gateway"
    _change(arguments, admin, "POST", "/apply", body=wanted)
    print("\n".join(report(found, ignored)))


def export(arguments: argparse.Namespace, admin: Admin) -> None:
    """Show everything as a file for `apply`."""
    told, tag = admin.call("GET", "/export")
    print(files.render(told, arguments.format), end="")
    print(f"revision {_revision(tag)}", file=sys.stderr)


def get(arguments: argparse.Namespace, admin: Admin) -> None:
    """Show one object, or all of a kind."""
    plural = PLURALS[arguments.kind]
    if arguments.name is None:
        told, tag = admin.call("GET", "/export")
        print(files.render({plural: told.get(plural, [])}, arguments.format), end="")
        print(f"revision {_revision(tag)}", file=sys.stderr)
        return
    told, tag = admin.call("GET", _path(arguments.kind, arguments.name))
    print(files.render(told, arguments.format), end="")
    print(f"{arguments.kind} {arguments.name} is at revision {_revision(tag)}", file=sys.stderr)


def history(arguments: argparse.Namespace, admin: Admin) -> None:
    """Show the newest writes; of one object with what changed in it."""
    query = {"kind": arguments.kind, "name": arguments.name, "limit": arguments.limit, "changes": "full"}
    told, _ = admin.call("GET", "/history", query)
    entries = [
        Entry(one["revision"], one["time_ms"] / 1000, one["author"], one["comment"], _changes(one))
        for one in told["entries"]
    ]
    commands.tell_history(entries, arguments.kind, arguments.name)


def nodes(arguments: argparse.Namespace, admin: Admin) -> None:
    """Show the nodes that the admin asks."""
    told, _ = admin.call("GET", "/nodes")
    if arguments.format:
        print(files.render(json.loads(json.dumps(told)), arguments.format), end="")
        return
    for node in told["nodes"]:
        runs = f"revision {node['revision']}, {len(node['workers'])} workers" if "revision" in node else node["trouble"]
        print(f"{node['id']}  {node['address']}  {node['state']}  {runs}")


def drain(arguments: argparse.Namespace, admin: Admin) -> None:
    """Let a node take no more traffic."""
    admin.call("PUT", f"/nodes/{quote(arguments.of_node, safe='')}/drained", body={"drained": True})
    print(DRAINS.format(arguments.of_node))


def undrain(arguments: argparse.Namespace, admin: Admin) -> None:
    """Let a node take traffic again."""
    admin.call("PUT", f"/nodes/{quote(arguments.of_node, safe='')}/drained", body={"drained": False})
    print(SERVES.format(arguments.of_node))


def _change(
    arguments: argparse.Namespace,
    admin: Admin,
    method: str,
    path: str,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
) -> None:
    """Make a change, or tell what it would be, and say what became of it. Raises NotApplied."""
    is_dry = getattr(arguments, "dry_run", False)
    query: dict[str, object] = {"comment": arguments.comment or None, "dry_run": "true" if is_dry else None}
    if arguments.wait is not None and not is_dry:
        query |= {"wait": "applied", "timeout_s": min(60, max(0, round(arguments.wait)))}
    told, _ = admin.call(method, path, query, body, headers)
    changes = _changes(told)
    if is_dry:
        commands.tell_planned(changes, told["revision"])
        return
    commands.tell_written(changes, told["revision"])
    applied = told.get("applied")
    if applied is None:
        return
    if not applied["done"]:
        lines = [f"revision {told['revision']} is not in effect everywhere:"]
        raise NotApplied("\n".join([*lines, *(straggler["detail"] for straggler in applied["stragglers"])]))
    print(f"in effect in {applied['workers']} workers of {applied['nodes']} nodes")


def _checked(lists: Any) -> Any:
    """Return the lists of a file, whose frame is right. Raises Rejected."""
    _, problems = collect(lists)
    if problems:
        raise Rejected(problems)
    return lists


def _changes(told: Mapping[str, Any]) -> list[Change]:
    return [Change(one["kind"], one["name"], one["before"], one["after"]) for one in told["changes"]]


def _path(kind: str, name: str) -> str:
    return f"/{PLURALS[kind]}/{quote(name, safe='')}"


def _revision(tag: str) -> str:
    return tag.strip('"')

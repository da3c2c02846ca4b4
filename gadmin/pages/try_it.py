"""Trying an API: a real request is sent through a node, and each part of what came back is shown."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gadmin.fleet import real_request
from gadmin.fleet.fleet import UnknownNode
from gadmin.fleet.real_request import Answer, Wish
from gadmin.pages.header_lines import header_fields
from gadmin.services import services
from gproxy.ctl.node import NodeError
from gproxy.store.base import StoreError
from gproxy.store.nodes import Node

#: What the form has.
FIELDS: Final = ("method", "url", "headers", "body", "node")
#: Why there is nothing to show; each says so in a sentence.
FAILURES: Final = (ValueError, NodeError, UnknownNode)


@dataclass(frozen=True, slots=True)
class Part:
    """What one node of an aggregation had to say. `body` is None where the whole does not show it by itself."""

    told: Mapping[str, Any]
    body: str | None


@dataclass(frozen=True, slots=True)
class Shown:
    """An answer as the page shows it."""

    answer: Answer
    body: str
    parts: tuple[Part, ...]


def nodes() -> list[Node]:
    """Return the nodes that tell where they take requests; none while the store is away."""
    try:
        return [node for node in services().editor.nodes() if node.addresses]
    except StoreError:
        return []


def tried(given: Mapping[str, str]) -> Shown:
    """Send what the form says. Raises FAILURES."""
    wish = Wish(
        given["method"].strip() or "GET",
        given["url"].strip(),
        header_fields(given["headers"]),
        given["body"].replace("\r\n", "\n").encode(),
    )
    known = nodes()
    wanted = [node for node in known if given["node"] in ("", node.id)]
    if not wanted:
        raise UnknownNode(f"there is no node {given['node']}" if given["node"] else "no node takes requests")
    answer = real_request.send(wanted[0], wish)
    return Shown(answer, as_text(answer.body), tuple(_parts(answer)))


def as_text(body: bytes) -> str:
    """Return a body as people read it: JSON indented, other text as it is, anything else by its length."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return f"{len(body)} bytes that are no text"
    if text[:1] not in ("{", "["):
        return text
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text


def _parts(answer: Answer) -> Iterator[Part]:
    """Yield the parts of an aggregation, each with its place in the whole where it has one of its own."""
    try:
        whole = json.loads(answer.body)
    except (ValueError, RecursionError):
        whole = None
    for told in (answer.told or {}).get("parts", ()):
        has_place = told["came"] and isinstance(whole, dict) and told["name"] in whole
        body = json.dumps(whole[told["name"]], indent=2, ensure_ascii=False) if has_place else None
        yield Part(told, body)

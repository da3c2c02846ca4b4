"""The pages of servers: besides the common ones, how a server is on each node and why."""

from collections.abc import Mapping
from typing import Any, Final

from gadmin.api.nodes import health_of
from gadmin.pages.object_pages import object_pages
from gadmin.services import services
from gproxy.store.base import Stored

#: Events of a server that are shown.
SHOWN: Final = 20


def _more(stored: Stored) -> Mapping[str, Any]:
    """Return the last conversations of its health checks, and what has happened to it."""
    fleet = services().fleet
    health = health_of(stored.name)
    events = [
        event
        for event in reversed(fleet.events.since(0)["events"])
        if event["object"] == "server" and event["name"] == stored.name
    ]
    return {"health": health, "events": events[:SHOWN]}


blueprint: Final = object_pages("server", _more)

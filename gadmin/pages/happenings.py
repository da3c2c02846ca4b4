"""What has happened to one server or API lately, on all nodes: as a list, over time, and what is wrong now."""

import time
from typing import Any, Final

from gadmin.pages.strips import strips
from gadmin.pages.troubles import held_back
from gadmin.services import services

#: Events that are listed.
SHOWN: Final = 20


def happenings(kind: str, name: str) -> dict[str, Any]:
    """Return `events`, newest first, `strips` and `troubles` for the page of an object."""
    fleet = services().fleet
    readings = fleet.readings()
    events = [event for event in fleet.events.since(0)["events"] if event["object"] == kind and event["name"] == name]
    return {
        "events": events[::-1][:SHOWN],
        "strips": strips(events, time.time() * 1000),
        "troubles": held_back(readings, kind, name, events),
    }

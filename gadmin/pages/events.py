"""What has changed on the nodes, and why: circuits, health, workers, configurations."""

from typing import Final

from flask import Blueprint, render_template, request

from gadmin.accounts.roles import Role
from gadmin.security.guard import needs
from gadmin.services import services
from gproxy.core.events import Kind

blueprint: Final = Blueprint("events", __name__, url_prefix="/events")

SHOWN: Final = 300
KINDS: Final = tuple(kind.name.lower() for kind in Kind)


@blueprint.get("/")
@needs(Role.VIEWER)
def index() -> str:
    """List the latest events, newest first; new ones come by themselves."""
    fleet = services().fleet
    fleet.readings()
    told = fleet.events.since(0)
    kind, name = request.args.get("kind", ""), request.args.get("name", "").strip()
    found = [
        event
        for event in reversed(told["events"])
        if (not kind or event["kind"] == kind) and (not name or name in event["name"])
    ]
    return render_template(
        "events.html", events=found[:SHOWN], last=told["last"], kind=kind, name=name, kinds=KINDS, total=len(found)
    )

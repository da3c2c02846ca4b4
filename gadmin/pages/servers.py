"""The pages of servers: besides the common ones, how a server is on each node and why."""

from collections.abc import Mapping
from typing import Any, Final

from flask import flash, redirect, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from gadmin.accounts.roles import Role
from gadmin.api.nodes import health_of
from gadmin.configuration.editor import Signature
from gadmin.pages.object_pages import object_pages
from gadmin.security.guard import identity, needs
from gadmin.services import services
from gproxy.store.base import Conflict, Stored
from gproxy.store.edit import Rejected

#: What a server is after its status was set.
WORDS: Final = {"up": "up", "drain": "draining", "down": "down"}
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


@blueprint.post("/<name>/status")
@needs(Role.EDITOR)
def status(name: str) -> Response:
    """Let a server drain, take it down, or bring it up again: everything else about it stays."""
    wanted = request.form.get("status", "")
    stored = services().configuration.get("server", name)
    if stored is None:
        raise NotFound(f"There is no server {name}.")
    document = {**stored.document, "status": wanted}
    try:
        services().editor.put(
            "server", name, document, Signature(identity().author, f"status {wanted}"), stored.revision
        )
    except (Rejected, Conflict) as error:
        flash(f"Nothing was changed: {error}.", "bad")
    else:
        flash(f"{name} is {WORDS[wanted]} now.", "good")
    return redirect(url_for("servers.show", name=name))

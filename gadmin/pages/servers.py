"""The pages of servers: besides the common ones, how a server is on each node and why."""

import time
from collections.abc import Mapping
from typing import Any, Final

from flask import flash, redirect, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from gadmin.accounts.roles import Role
from gadmin.api.nodes import health_of, told_by_nodes
from gadmin.configuration.editor import Signature
from gadmin.pages.happenings import happenings
from gadmin.pages.object_pages import object_pages
from gadmin.pages.troubles import unhealthy
from gadmin.security.guard import identity, needs
from gadmin.services import services
from gproxy.store.base import Conflict, Entry, Stored
from gproxy.store.edit import Rejected

#: What a server is after its status was set.
WORDS: Final = {"up": "up", "drain": "draining", "down": "down"}
#: The changes of a server among which the one of its status is looked for.
_LOOKED_BACK: Final = 50


def _more(stored: Stored) -> Mapping[str, Any]:
    """Return the last conversations of its health checks, what has happened to it, and what is wrong with it now."""
    health, told = health_of(stored.name), happenings("server", stored.name)
    troubles = unhealthy(health, time.time()) + told["troubles"]
    return {**told, "health": health, "troubles": troubles, "set_by": _status_set_by(stored)}


def _status_set_by(stored: Stored) -> Entry | None:
    """Return the change that gave a server the status that it has, if that is not "up" and not too long ago."""
    status = stored.document.get("status", "up")
    if status == "up":
        return None
    for entry in services().editor.history("server", stored.name, _LOOKED_BACK):
        for change in entry.changes:
            is_ours = (change.kind, change.name) == ("server", stored.name)
            if is_ours and (change.before or {}).get("status", "up") != status:
                return entry
    return None


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


@blueprint.post("/<name>/check")
@needs(Role.EDITOR)
def check_now(name: str) -> Response:
    """Have every node check a server at once, and say what came of it."""
    if services().configuration.get("server", name) is None:
        raise NotFound(f"There is no server {name}.")
    told = told_by_nodes(services().fleet.check_now(name))
    for one in told:
        last = one["last"] or {"fault": "the check has not ended yet"}
        said = last["fault"] or f"answered in {last['ended_ms']:.1f} ms"
        flash(f"{one['node']}: {said}; {name} is {one['state']} there.", "bad" if last["fault"] else "good")
    if not told:
        flash(f"No node checks {name}: it needs a health_check of its own or of its cluster.", "warn")
    return redirect(url_for("servers.show", name=name))

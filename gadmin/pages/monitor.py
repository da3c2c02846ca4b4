"""Live charts: of the fleet, of one node, of one server or API."""

from typing import Final

from flask import Blueprint, render_template, request
from werkzeug.exceptions import NotFound

from gadmin.accounts.roles import Role
from gadmin.security.guard import needs
from gadmin.services import services

blueprint: Final = Blueprint("monitor", __name__, url_prefix="/monitor")

WINDOWS: Final = ("10s", "1m", "10m", "start")


@blueprint.get("/")
@needs(Role.VIEWER)
def index() -> str:
    """Show the charts of what is asked for: `?api=`, `?server=`, `?node=`, else everything."""
    scope, name = next(
        ((key, request.args[key]) for key in ("api", "server", "node") if request.args.get(key)), ("", "")
    )
    if scope in ("api", "server") and services().configuration.get(scope, name) is None:
        raise NotFound(f"There is no {scope} {name}.")
    source = {"": "", "node": "/stats/nodes/", "api": "/stats/apis/", "server": "/stats/servers/"}[scope]
    nodes = [poller.id for poller in services().fleet.pollers()]
    return render_template("monitor.html", scope=scope, name=name, source=source, windows=WINDOWS, nodes=nodes)

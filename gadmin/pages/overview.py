"""The first page: how the fleet is at this moment."""

from typing import Final

from flask import Blueprint, render_template

from gadmin.accounts.roles import Role
from gadmin.security.guard import everybody, needs
from gadmin.services import services
from gproxy.core.schema import PLURALS

blueprint: Final = Blueprint("overview", __name__)

#: The latest changes and events that are shown.
SHOWN: Final = 8


@blueprint.get("/")
@needs(Role.VIEWER)
def index() -> str:
    """Show the fleet, the configuration in numbers, and what has happened lately."""
    configuration = services().configuration
    counts = [(plural, len(configuration.objects[kind])) for kind, plural in PLURALS.items()]
    return render_template("overview.html", counts=counts, entries=services().editor.history(limit=SHOWN))


@blueprint.get("/healthz")
@everybody
def healthz() -> tuple[str, dict[str, str]]:
    """Tell whoever balances admins that this one answers."""
    return "ok\n", {"Content-Type": "text/plain; charset=utf-8"}

"""The nodes and their workers."""

from typing import Final

from flask import Blueprint, render_template

from gadmin.accounts.roles import Role
from gadmin.security.guard import needs
from gadmin.services import services

blueprint: Final = Blueprint("proxies", __name__, url_prefix="/proxies")


@blueprint.get("/")
@needs(Role.VIEWER)
def index() -> str:
    """Show each node: whether it answers, what it runs, and its workers."""
    readings = services().fleet.readings()
    return render_template("proxies.html", readings=readings, revision=services().configuration.revision)

"""The nodes and their workers; a node is drained and brought back here."""

from typing import Final

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from gadmin.accounts.roles import Role
from gadmin.security.guard import identity, needs
from gadmin.services import services
from gproxy.store.base import StoreError

blueprint: Final = Blueprint("proxies", __name__, url_prefix="/proxies")


@blueprint.get("/")
@needs(Role.VIEWER)
def index() -> str:
    """Show each node: whether it answers, what it runs, and its workers."""
    draining = services().draining
    return render_template(
        "proxies.html",
        readings=services().fleet.readings(),
        revision=services().configuration.revision,
        wishes=draining.wishes(),
        registered=draining.registered(),
    )


@blueprint.post("/<node>/drain")
@needs(Role.EDITOR)
def drain(node: str) -> Response:
    """Let a node take no more traffic (`drained` is "true"), or take it again."""
    draining = services().draining
    try:
        if request.form.get("drained") == "true":
            draining.wish(node, identity().author)
            flash(f"{node} drains: it is not ready for new traffic, and connections end after their request.", "good")
        else:
            draining.withdraw(node, identity().author)
            flash(f"{node} takes traffic again.", "good")
    except StoreError as error:
        flash(f"Nothing was changed: {error}.", "bad")
    return redirect(url_for("proxies.index"))

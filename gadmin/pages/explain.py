"""What would become of a request, and why: asked of a node, told by the parts that serve."""

from typing import Any, Final

from flask import Blueprint, render_template, request

from gadmin.accounts.roles import Role
from gadmin.fleet.fleet import UnknownNode
from gadmin.pages.header_lines import header_fields
from gadmin.security.guard import needs
from gadmin.services import services
from gproxy.ctl.explain_view import view
from gproxy.ctl.node import NodeError

blueprint: Final = Blueprint("explain", __name__, url_prefix="/explain")

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")


@blueprint.get("/")
@needs(Role.VIEWER)
def index() -> str | tuple[str, int]:
    """Ask for a request; show what a node says of it. Nothing is sent anywhere: the address can be shared."""
    given = {key: request.args.get(key, "") for key in ("method", "url", "headers", "body", "client_ip", "node")}
    told: dict[str, Any] | None = None
    lines: list[str] = []
    problem = ""
    if given["url"]:
        try:
            told = services().fleet.ask_one(given["node"], "/explain", _question(given))
            lines = list(view(told))
        except (NodeError, UnknownNode, ValueError) as error:
            problem = str(error)
        except (KeyError, TypeError):
            told, problem = None, "The node answered what this admin does not understand: it is of another version."
    page = render_template(
        "explain.html",
        given=given,
        methods=METHODS,
        nodes=[poller.id for poller in services().fleet.pollers()],
        told=told,
        lines=lines,
        problem=problem,
    )
    return (page, 422) if problem else page


def _question(given: dict[str, str]) -> dict[str, Any]:
    """Return what the node is asked. Raises ValueError for a header that is none."""
    return {
        "method": given["method"] or "GET",
        "url": given["url"].strip(),
        "headers": header_fields(given["headers"]),
        "body": given["body"],
        "client_ip": given["client_ip"].strip() or "127.0.0.1",
    }

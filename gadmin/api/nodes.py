"""/api/v1/nodes, /stats, /events, /health: what all nodes together tell."""

from collections.abc import Mapping
from typing import Any, Final

from flask import Blueprint, Response, jsonify
from werkzeug.exceptions import NotFound

from gadmin.accounts.roles import Role
from gadmin.api.problems import Failure
from gadmin.api.reading import Query, document
from gadmin.fleet import merge
from gadmin.security.guard import identity, needs
from gadmin.services import services
from gproxy.ctl.node import NodeError

blueprint: Final = Blueprint("api_nodes", __name__)


@blueprint.get("/nodes")
@needs(Role.VIEWER)
def nodes() -> Response:
    """Return each node: its state, its workers, what they run."""
    Query().done()
    return jsonify({"nodes": merge.nodes(services().fleet.readings())})


@blueprint.put("/nodes/<node>/drained")
@needs(Role.EDITOR)
def drained(node: str) -> Response:
    """Let a node take no more traffic, or take it again: {"drained": true} or false."""
    Query().done()
    wanted = document().get("drained")
    if not isinstance(wanted, bool):
        raise Failure(422, "invalid", 'The body says {"drained": true} or false.')
    draining = services().draining
    if wanted:
        draining.wish(node, identity().author)
    elif node in draining.wishes():
        draining.withdraw(node, identity().author)
    return jsonify({"node": node, "drained": wanted})


@blueprint.get("/nodes/<node>/stats")
@needs(Role.VIEWER)
def node_stats(node: str) -> Response:
    """Return the figures of one node, in its own words."""
    Query().done()
    return jsonify(services().fleet.ask_one(node, "/stats?history=none"))


@blueprint.get("/nodes/<node>/events")
@needs(Role.VIEWER)
def node_events(node: str) -> Response:
    """Return the events of one node, in its own words."""
    Query().done()
    return jsonify(services().fleet.ask_one(node, "/events"))


@blueprint.post("/explain")
@needs(Role.VIEWER)
def explain() -> Response:
    """Return what would become of a request on a node, and why."""
    query = Query()
    node = query.text("node")
    query.done()
    return jsonify(services().fleet.ask_one(node, "/explain", dict(document())))


@blueprint.get("/stats")
@needs(Role.VIEWER)
def stats() -> Response:
    """Return the figures of all nodes together, with ten minutes of history or its tail."""
    query = Query()
    is_whole = query.one_of("history", ("tail", "all"), "tail") == "all"
    query.done()
    return Response(services().fleet.rendered(is_whole), content_type="application/json")


@blueprint.get("/stats/<any(servers, apis):plural>/<name>")
@needs(Role.VIEWER)
def stats_of(plural: str, name: str) -> Response:
    """Return the figures of one server or API on all nodes, with its history."""
    Query().done()
    kind = plural.removesuffix("s")
    if services().configuration.get(kind, name) is None:
        raise NotFound(f"There is no {kind} {name}.")
    return Response(services().fleet.rendered_object(kind, name), content_type="application/json")


@blueprint.get("/stats/nodes/<name>")
@needs(Role.VIEWER)
def stats_of_node(name: str) -> Response:
    """Return the figures of one node, with its history."""
    Query().done()
    return Response(services().fleet.rendered_node(name), content_type="application/json")


@blueprint.get("/events")
@needs(Role.VIEWER)
def events() -> Response:
    """Return what has changed on the nodes after the event `since`, and why."""
    query = Query()
    since = query.whole("since", 0, 0, 2**53)
    query.done()
    fleet = services().fleet
    fleet.readings()
    return jsonify(fleet.events.since(since))


@blueprint.get("/health/<name>")
@needs(Role.VIEWER)
def health(name: str) -> Response:
    """Return what the health check of a server says on each node, with the last conversation."""
    Query().done()
    return jsonify({"nodes": health_of(name)})


@blueprint.post("/health/<name>")
@needs(Role.EDITOR)
def check(name: str) -> Response:
    """Have a server checked by each node at once; return what its health check says then."""
    Query().done()
    if services().configuration.get("server", name) is None:
        raise NotFound(f"There is no server {name}.")
    return jsonify({"nodes": told_by_nodes(services().fleet.check_now(name))})


def health_of(name: str) -> list[dict[str, Any]]:
    """Return, by node, what is known of the health of a server; nodes that do not check it are left out."""
    return told_by_nodes(services().fleet.health(name))


def told_by_nodes(answers: Mapping[str, dict[str, Any] | NodeError]) -> list[dict[str, Any]]:
    """Return what nodes say of the health of servers, each with its node."""
    return [
        {"node": node, **server}
        for node, told in answers.items()
        if isinstance(told, dict)
        for server in told["servers"]
    ]

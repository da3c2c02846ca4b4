"""/api/v1/apply, /export, /history, /rollback: the configuration as a whole, and its past."""

from typing import Any, Final

from flask import Blueprint, Response, jsonify

from gadmin.accounts.roles import Role
from gadmin.api import reading, telling
from gadmin.api.problems import Failure
from gadmin.api.reading import Query
from gadmin.api.telling import Wait
from gadmin.security import hiding
from gadmin.security.guard import needs
from gadmin.services import services
from gproxy.core.schema import KINDS, PLURALS, collect
from gproxy.ctl.files import FORMATS, render
from gproxy.store.base import HISTORY_ENTRIES
from gproxy.store.edit import Rejected

blueprint: Final = Blueprint("api_changes", __name__)

_TYPES: Final = {"json": "application/json", "yaml": "application/yaml", "toml": "application/toml"}
_CHANGES: Final = ("none", "names", "full")


@blueprint.post("/apply")
@needs(Role.EDITOR)
def apply() -> Response:
    """Make the store equal to a file, for the kinds that it lists, whole or not at all."""
    query = Query()
    signature, wait, is_dry = reading.signature(query), Wait(query), query.flag("dry_run")
    query.done()
    objects, problems = collect(reading.body())
    if problems:
        raise Rejected(problems)
    done = services().editor.apply(objects, signature, is_dry)
    return jsonify(telling.outcome(done, is_dry) | ({} if is_dry else wait.told(done.revision)))


@blueprint.get("/export")
@needs(Role.VIEWER)
def export() -> Response:
    """Return everything as a file for `apply`."""
    query = Query()
    form = query.one_of("format", tuple(FORMATS), "json")
    query.done()
    configuration = services().configuration
    objects = configuration.objects
    lists = {PLURALS[kind]: [hiding.shown(kind, document) for document in objects[kind].values()] for kind in KINDS}
    response = Response(render(lists, form), content_type=_TYPES[form])
    response.set_etag(str(configuration.revision))
    return response


@blueprint.get("/history")
@needs(Role.VIEWER)
def history() -> Response:
    """Return who changed what, newest first; of one kind or one object when asked."""
    query = Query()
    kind, name = query.text("kind"), query.text("name")
    limit = query.whole("limit", 100, 1, HISTORY_ENTRIES)
    changes = query.one_of("changes", _CHANGES, "names")
    query.done()
    if kind and kind not in KINDS:
        raise Failure(400, "bad_request", f"Kind must be one of {', '.join(KINDS)}.")
    if name and not kind:
        raise Failure(400, "bad_request", "Name goes together with kind.")
    found = map(hiding.shown_entry, services().editor.history(kind or None, name or None, limit))
    return jsonify({"entries": telling.entries(found, changes), "revision": services().configuration.revision})


@blueprint.post("/rollback")
@needs(Role.EDITOR)
def rollback() -> Response:
    """Make everything as it was at a revision, as a new revision."""
    query = Query()
    signature, wait, is_dry = reading.signature(query), Wait(query), query.flag("dry_run")
    query.done()
    given: dict[str, Any] = dict(reading.document())
    revision = given.pop("revision", None)
    if given or type(revision) is not int or revision < 0 or revision > 2**53:
        raise Failure(400, "bad_request", 'The body must be {"revision": N}.')
    done = services().editor.rollback(revision, signature, is_dry)
    return jsonify(telling.outcome(done, is_dry) | ({} if is_dry else wait.told(done.revision)))

"""/api/v1/servers, /clusters, /apis ...: the objects of each kind."""

from collections.abc import Mapping
from typing import Any, Final

from flask import Blueprint, Response, jsonify, make_response

from gadmin.accounts.roles import Role
from gadmin.api import reading, telling
from gadmin.api.problems import Failure
from gadmin.api.reading import Query
from gadmin.api.telling import Wait
from gadmin.configuration.editor import NoSuchObject
from gadmin.forms.spec import Field, spec
from gadmin.security import hiding
from gadmin.security.guard import needs
from gadmin.services import services
from gproxy.core.model import normalised
from gproxy.core.schema import PLURALS
from gproxy.core.secret_fields import is_secret
from gproxy.store.base import ABSENT, Conflict, Write

blueprint: Final = Blueprint("api_objects", __name__)

_KINDS: Final = {plural: kind for kind, plural in PLURALS.items()}
_ANY: Final = "any(" + ", ".join(_KINDS) + ")"
DEFAULT_LIMIT: Final = 100
MOST_LIMIT: Final = 1000


@blueprint.get(f"/<{_ANY}:plural>")
@needs(Role.VIEWER)
def many(plural: str) -> Response:
    """List objects: paged, searched and filtered by any field."""
    kind, query = _KINDS[plural], Query()
    limit = query.whole("limit", DEFAULT_LIMIT, 1, MOST_LIMIT)
    offset = query.whole("offset", 0, 0, 10**9)
    words, with_defaults = query.text("search"), query.flag("defaults")
    filters = query.rest()
    for field in filters:
        if is_secret(kind, field) or not _is_field(spec(kind), field.split(".")):
            raise Failure(400, "bad_request", f"Unknown parameter {field}.")
    configuration = services().configuration
    found = list(configuration.search(kind, words, filters))
    items = [
        {
            "name": stored.name,
            "revision": stored.revision,
            "document": _shown(kind, stored.name, stored.document, with_defaults),
        }
        for stored in found[offset : offset + limit]
    ]
    return jsonify({"items": items, "total": len(found), "offset": offset, "revision": configuration.revision})


@blueprint.get(f"/<{_ANY}:plural>/<name>")
@needs(Role.VIEWER)
def one(plural: str, name: str) -> Response:
    """Return one document; its ETag is its revision."""
    kind, query = _KINDS[plural], Query()
    with_defaults = query.flag("defaults")
    query.done()
    stored = services().configuration.get(kind, name)
    if stored is None:
        raise NoSuchObject(kind, name)
    return _tagged(jsonify(_shown(kind, name, stored.document, with_defaults)), stored.revision)


@blueprint.put(f"/<{_ANY}:plural>/<name>")
@needs(Role.EDITOR)
def put(plural: str, name: str) -> Response:
    """Create or replace one object."""
    kind, query = _KINDS[plural], Query()
    signature, wait = reading.signature(query), Wait(query)
    query.done()
    document = {"name": name, **reading.document()}
    done = services().editor.put(kind, name, document, signature, reading.expected_revision())
    stored = services().configuration.get(kind, name)
    told = telling.outcome(done) | wait.told(done.revision)
    is_new = any(change.sign == "+" and change.name == name for change in done.changes)
    response = jsonify(told | {"document": stored.document if stored is not None else None})
    response.status_code = 201 if is_new else 200
    return _tagged(response, stored.revision if stored is not None else done.revision)


@blueprint.delete(f"/<{_ANY}:plural>/<name>")
@needs(Role.EDITOR)
def delete(plural: str, name: str) -> Response:
    """Delete one object; what is in use only with `force`, and then with what cannot be without it."""
    kind, query = _KINDS[plural], Query()
    signature, wait = reading.signature(query), Wait(query)
    is_forced, is_dry = query.flag("force"), query.flag("dry_run")
    query.done()
    expected = reading.expected_revision()
    if expected == ABSENT:
        stored = services().configuration.get(kind, name)
        raise Conflict.of(Write(kind, name, None, ABSENT), stored)
    done = services().editor.delete(kind, name, signature, expected, is_forced, is_dry)
    return jsonify(telling.outcome(done, is_dry) | ({} if is_dry else wait.told(done.revision)))


def _shown(kind: str, name: str, document: Mapping[str, Any], with_defaults: bool) -> Mapping[str, Any]:
    entity = services().configuration.checked.entities[kind].get(name) if with_defaults else None
    return hiding.shown(kind, normalised(entity) if entity is not None else document)


def _tagged(response: Response, revision: int) -> Response:
    response.set_etag(str(revision))
    return make_response(response)


def _is_field(fields: tuple[Field, ...], path: list[str]) -> bool:
    field = next((field for field in fields if field.name == path[0]), None)
    return field is not None and (len(path) == 1 or _is_field(field.part, path[1:]))

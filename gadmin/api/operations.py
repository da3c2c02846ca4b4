"""The operations of the REST interface as OpenAPI has them. Pure: names in, descriptions out."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

_NAME: Final = {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,128}$"}
_WHOLE: Final = {"type": "integer"}
_TEXT: Final = {"type": "string"}
_FLAG: Final = {"type": "boolean"}
_OBJECT: Final = {"type": "object"}


def _object(required: Mapping[str, Any], optional: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return {"type": "object", "properties": {**required, **(optional or {})}, "required": list(required)}


def _list(item: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item}


def _named(schema: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{schema}"}


_NULLABLE_OBJECT: Final = {"type": ["object", "null"]}
_CHANGE: Final = {"kind": _TEXT, "name": _TEXT, "sign": {"enum": ["+", "-", "~"]}}
#: Schemas that are no documents of the configuration.
SCHEMAS: Final[dict[str, Any]] = {
    "Problem": _object(
        {"type": _TEXT, "title": _TEXT, "status": _WHOLE, "detail": _TEXT, "code": _TEXT},
        {
            "problems": _list(_object({"path": _TEXT, "message": _TEXT})),
            "used_by": _list(_object({"kind": _TEXT, "name": _TEXT})),
            "current": _NULLABLE_OBJECT,
        },
    ),
    "Change": _object({**_CHANGE, "before": _NULLABLE_OBJECT, "after": _NULLABLE_OBJECT}),
    "Outcome": _object(
        {
            "revision": _WHOLE,
            "dry_run": _FLAG,
            "summary": _TEXT,
            "changes": _list(_named("Change")),
            "diff": _list(_TEXT),
        },
        {"document": _NULLABLE_OBJECT, "applied": _named("Applied")},
    ),
    "Applied": _object({"done": _FLAG, "nodes": _WHOLE, "workers": _WHOLE, "stragglers": _list(_OBJECT)}),
    "Entry": _object(
        {"revision": _WHOLE, "time_ms": _WHOLE, "author": _TEXT, "comment": _TEXT, "summary": _TEXT},
        {"changes": _list(_object(_CHANGE))},
    ),
}

_COMMENT: Final = ("comment", {**_TEXT, "maxLength": 1000}, "Why, for the history.")
_DRY: Final = ("dry_run", _FLAG, "Only tell what would change.")
_WAIT: Final = (
    "wait",
    {"enum": ["none", "applied"]},
    "applied: answer when every worker of every node runs the change.",
)
_TIMEOUT: Final = ("timeout_s", {**_WHOLE, "minimum": 0, "maximum": 60}, "How long to wait.")
_WRITE: Final = (_COMMENT, _WAIT, _TIMEOUT)
_IF_MATCH: Final = ("If-Match", _TEXT, "Only if the object has this ETag.")
_IF_NONE: Final = ("If-None-Match", {"enum": ["*"]}, "* : only if there is no such object.")


def of_kind(kind: str, plural: str, model: str, fields: Sequence[str]) -> dict[str, Any]:
    """Return the paths of one kind of object."""
    item = _object({"name": _TEXT, "revision": _WHOLE, "document": _named(model)})
    many = _object({"items": _list(item), "total": _WHOLE, "offset": _WHOLE, "revision": _WHOLE})
    filters = [(name, _TEXT, f"Only those whose {name} is, or has, this value.") for name in fields]
    listing: tuple[Parameter, ...] = (
        ("limit", {**_WHOLE, "minimum": 1, "maximum": 1000}, "How many, at most."),
        ("offset", {**_WHOLE, "minimum": 0, "maximum": 10**9}, "How many to leave out."),
        ("search", _TEXT, "Only those whose text has all these words."),
        ("defaults", _FLAG, "Show defaults as well."),
        *filters,
    )
    name = [{"name": "name", "in": "path", "required": True, "schema": _NAME}]
    put = _operation(
        f"put_{kind}",
        f"Create or replace a {kind}",
        {200: _named("Outcome"), 201: _named("Outcome")},
        _WRITE,
        (412, 415, 422, 503),
        (_IF_MATCH, _IF_NONE),
    )
    put["requestBody"] = _body(_named(model))
    return {
        f"/{plural}": {"get": _operation(f"list_{plural}", f"List {plural}", {200: many}, listing)},
        f"/{plural}/{{name}}": {
            "parameters": name,
            "get": _operation(f"get_{kind}", f"Get a {kind}", {200: _named(model)}, (listing[3],), (404,)),
            "put": put,
            "delete": _operation(
                f"delete_{kind}",
                f"Delete a {kind}",
                {200: _named("Outcome")},
                (*_WRITE, _DRY, ("force", _FLAG, "Also what refers to it, or its part there.")),
                (404, 409, 412, 503),
                (_IF_MATCH,),
            ),
        },
    }


def whole(kinds: Sequence[str], plurals: Mapping[str, str]) -> dict[str, Any]:
    """Return the paths that are not about one kind."""
    lists = {plurals[kind]: _list(_OBJECT) for kind in kinds}
    file = {"type": "object", "properties": lists, "additionalProperties": False}
    apply = _operation(
        "apply", "Make the store equal to a file", {200: _named("Outcome")}, (*_WRITE, _DRY), (415, 422, 503)
    )
    apply["requestBody"] = _body(file)
    rollback = _operation(
        "rollback", "Go back to a revision", {200: _named("Outcome")}, (*_WRITE, _DRY), (404, 415, 422, 503)
    )
    number = {**_WHOLE, "minimum": 0, "maximum": 2**53}
    rollback["requestBody"] = _body({**_object({"revision": number}), "additionalProperties": False})
    history = (
        ("kind", {"enum": list(kinds)}, "Only this kind."),
        ("name", _NAME, "Only this object; together with kind."),
        ("limit", {**_WHOLE, "minimum": 1, "maximum": 1000}, "How many, at most."),
        ("changes", {"enum": ["none", "names", "full"]}, "How much of the changes."),
    )
    explain = _operation(
        "explain",
        "What would become of a request on a node, and why",
        {200: _OBJECT},
        (("node", _TEXT, "Its id; any by default."),),
        (404, 415, 502),
    )
    explain["requestBody"] = _body(_OBJECT)
    path_name = [{"name": "name", "in": "path", "required": True, "schema": _NAME}]
    events = _object({"events": _list(_OBJECT), "last": _WHOLE, "restarted": _FLAG})
    entries = _object({"entries": _list(_named("Entry")), "revision": _WHOLE})
    since = ("since", number, "Only those after this id.")
    found: dict[str, Any] = {
        "/apply": {"post": apply},
        "/rollback": {"post": rollback},
        "/export": {
            "get": _operation(
                "export",
                "Everything, as a file for apply",
                {200: file},
                (("format", {"enum": ["json"]}, "Or yaml, toml."),),
            )
        },
        "/history": {"get": _operation("history", "Who changed what", {200: entries}, history, (503,))},
        "/nodes": {"get": _operation("nodes", "All nodes", {200: _object({"nodes": _list(_OBJECT)})})},
        "/explain": {"post": explain},
        "/stats": {
            "get": _operation(
                "stats", "Figures", {200: _OBJECT}, (("history", {"enum": ["tail", "all"]}, "How much."),)
            )
        },
        "/events": {"get": _operation("events", "What changed on nodes, and why", {200: events}, (since,))},
        "/health/{name}": {
            "parameters": path_name,
            "get": _operation("health", "The health of a server", {200: _object({"nodes": _list(_OBJECT)})}),
            "post": _operation(
                "check", "Check a server at once", {200: _object({"nodes": _list(_OBJECT)})}, (), (404,)
            ),
        },
    }
    return found | _of_one(path_name)


def _of_one(path_name: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the paths of the figures of one node, server or API."""
    found: dict[str, Any] = {}
    for part in ("stats", "events"):
        operation = _operation(f"node_{part}", f"The {part} of one node", {200: _OBJECT}, (), (404, 502))
        found[f"/nodes/{{node}}/{part}"] = {"parameters": [{**path_name[0], "name": "node"}], "get": operation}
    wish = {**_object({"drained": _FLAG}), "additionalProperties": False}
    told = _object({"node": _TEXT, "drained": _FLAG})
    drain = _operation("drain_node", "Let a node drain, or take traffic again", {200: told}, (), (404, 415, 422, 503))
    found["/nodes/{node}/drained"] = {
        "parameters": [{**path_name[0], "name": "node"}],
        "put": {**drain, "requestBody": _body(wish)},
    }
    for plural in ("servers", "apis", "nodes"):
        operation = _operation(f"stats_{plural}", f"Figures of one of the {plural}", {200: _OBJECT}, (), (404,))
        found[f"/stats/{plural}/{{name}}"] = {"parameters": path_name, "get": operation}
    return found


Parameter = tuple[str, Mapping[str, Any], str]


def _operation(
    name: str,
    summary: str,
    answers: Mapping[int, Mapping[str, Any]],
    query: Iterable[Parameter] = (),
    failures: Iterable[int] = (),
    headers: Iterable[Parameter] = (),
) -> dict[str, Any]:
    parameters = [(where, item) for where, items in (("query", query), ("header", headers)) for item in items]
    problem = {"application/problem+json": {"schema": _named("Problem")}}
    return {
        "operationId": name,
        "summary": summary,
        "parameters": [
            {"name": key, "in": where, "schema": schema, "description": text}
            for where, (key, schema, text) in parameters
        ],
        "responses": {
            **{str(status): {"description": "Done", **_content(schema)} for status, schema in answers.items()},
            **{
                str(status): {"description": "Not done", "content": problem}
                for status in sorted({400, 401, 403, *failures})
            },
        },
    }


def _content(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": schema}}}


def _body(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"required": True, **_content(schema)}

"""/api/v1/openapi.json: the interface described (OpenAPI 3.1), its documents by the very models that check them."""

from functools import cache
from typing import Any, Final

from flask import Blueprint, Response, jsonify

from gadmin.api import operations
from gadmin.security.guard import everybody
from gproxy import __version__
from gproxy.core.model import MODELS
from gproxy.core.schema import PLURALS

blueprint: Final = Blueprint("api_openapi", __name__)

_REFERENCE: Final = "#/components/schemas/{model}"


@blueprint.get("/openapi.json")
@everybody
def described() -> Response:
    """Return the description."""
    return jsonify(document())


@cache
def document() -> dict[str, Any]:
    """Return the OpenAPI document."""
    schemas: dict[str, Any] = dict(operations.SCHEMAS)
    paths: dict[str, Any] = {}
    for kind, model in MODELS.items():
        schema = model.model_json_schema(ref_template=_REFERENCE)
        schemas |= schema.pop("$defs", {})
        # A document is named by its path.
        schema["required"] = [name for name in schema.get("required", []) if name != "name"]
        schemas[model.__name__] = schema
        paths |= operations.of_kind(kind, PLURALS[kind], model.__name__, list(schema["properties"]))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "gadmin",
            "version": __version__,
            "description": "The configuration of the gateway, and what its nodes tell.",
        },
        "servers": [{"url": "/api/v1"}],
        "security": [{"token": []}],
        "paths": paths | operations.whole(list(MODELS), PLURALS),
        "components": {"schemas": schemas, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }

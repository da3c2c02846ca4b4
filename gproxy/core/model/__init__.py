"""The configuration documents (servers, clusters, APIs, routing rules): every field with its type, default and limits.

A document is *normalised* when every default is filled in, in the order of the fields here: what the readers
of a snapshot get. It is *compact* when it holds only what differs from a default: what the store keeps.
Only the configuration files of `gproxy.core` import this package; a worker never loads pydantic.
"""

from types import UnionType
from typing import Any, Final, get_args

from gproxy.core.model.api import Api
from gproxy.core.model.backends import Cluster, Server
from gproxy.core.model.base import Part
from gproxy.core.model.routing import Routing

__all__ = ["MODELS", "Api", "Cluster", "Part", "Routing", "Server", "compact", "field_names", "normalised"]

#: Kind -> model. Kinds refer only to kinds before them: a cluster names servers, an API names clusters.
MODELS: Final[dict[str, type[Server] | type[Cluster] | type[Api] | type[Routing]]] = {
    "server": Server,
    "cluster": Cluster,
    "api": Api,
    "routing": Routing,
}


def normalised(entity: Part) -> dict[str, Any]:
    """Return the document with every default, as plain JSON values."""
    return entity.model_dump(mode="json", by_alias=True)


def compact(entity: Part) -> dict[str, Any]:
    """Return the document without what is a default anyway, as plain JSON values."""
    return entity.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def field_names(kind: str, location: tuple[int | str, ...]) -> list[str]:
    """Return the fields of the part of a document at `location`, `("nodes", 0)` for example."""
    part: Any = MODELS[kind]
    for step in location:
        part = part.model_fields[step].annotation if isinstance(step, str) else get_args(part)[0]
        if isinstance(part, UnionType):  # a part that may be None
            part = get_args(part)[0]
    return [field.alias or name for name, field in part.model_fields.items()]

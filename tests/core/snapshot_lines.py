"""Lines of a snapshot file from short documents, as `sync` would write them: every default filled in."""

from collections.abc import Mapping, Sequence
from typing import Any

from gproxy.core.model import MODELS, normalised
from gproxy.store.snapshot_file import render

Documents = Sequence[Mapping[str, Any]]


def line(kind: str, document: Mapping[str, Any], row: int = 0) -> bytes:
    """Return the line of one document; a cluster gets no row."""
    return render(kind, normalised(MODELS[kind].model_validate(document)), None if kind == "cluster" else row)


def lines(servers: Documents = (), clusters: Documents = (), apis: Documents = ()) -> list[bytes]:
    """Return all lines in the order of the file; rows are places in it."""
    by_kind = {"server": servers, "cluster": clusters, "api": apis}
    every = [(kind, document) for kind, documents in by_kind.items() for document in documents]
    return [line(kind, document, row) for row, (kind, document) in enumerate(every)]

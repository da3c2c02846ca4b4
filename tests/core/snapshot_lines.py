"""Lines of a snapshot file from short documents, as `sync` would write them: every default filled in."""

from collections.abc import Mapping, Sequence
from typing import Any

from gproxy.core.model import MODELS, normalised
from gproxy.core.snapshot import LINE_ORDER
from gproxy.store.snapshot_file import render

Documents = Sequence[Mapping[str, Any]]


def line(kind: str, document: Mapping[str, Any], row: int = 0) -> bytes:
    """Return the line of one document."""
    return render(kind, normalised(MODELS[kind].model_validate(document)), row)


def lines(
    servers: Documents = (), clusters: Documents = (), apis: Documents = (), routings: Documents = ()
) -> list[bytes]:
    """Return all lines in the order of the file; rows are places in it."""
    by_kind = {"server": servers, "cluster": clusters, "api": apis, "routing": routings}
    every = [(kind, document) for kind in LINE_ORDER for document in by_kind[kind]]
    return [line(kind, document, row) for row, (kind, document) in enumerate(every)]

"""What answers have in common: changes, entries of the history, and how far a revision has come."""

from collections.abc import Iterable
from typing import Any, Final

from gadmin.api.reading import Query
from gadmin.configuration.editor import Outcome
from gadmin.services import services
from gproxy.core.change import Change, described, summary
from gproxy.store.base import Entry

#: The longest that `wait=applied` waits, and how long unless told otherwise.
MOST_WAIT_S: Final = 60
WAIT_S: Final = 10


class Wait:
    """Whether the request wants to wait until its change is applied: `?wait=applied&timeout_s=10`."""

    def __init__(self, query: Query) -> None:
        self._is_wanted = query.one_of("wait", ("none", "applied"), "none") == "applied"
        self._timeout_s = query.whole("timeout_s", WAIT_S, 0, MOST_WAIT_S)

    def told(self, revision: int) -> dict[str, Any]:
        """Wait if wanted; return what the answer says of it."""
        if not self._is_wanted:
            return {}
        applied = services().editor.wait_applied(revision, self._timeout_s)
        stragglers = [
            {"node": one.node, "worker": one.slot, "revision": one.revision, "detail": str(one)}
            for one in applied.stragglers
        ]
        return {
            "applied": {
                "done": not stragglers,
                "nodes": applied.nodes,
                "workers": applied.workers,
                "stragglers": stragglers,
            }
        }


def outcome(done: Outcome, is_dry: bool = False) -> dict[str, Any]:
    """Return what a change did, or would do."""
    return {
        "revision": done.revision,
        "dry_run": is_dry,
        "summary": summary(done.changes),
        "changes": [change(one) for one in done.changes],
        "diff": list(described(done.changes)),
    }


def change(one: Change) -> dict[str, Any]:
    """Return one changed object."""
    return {"kind": one.kind, "name": one.name, "sign": one.sign, "before": one.before, "after": one.after}


def entries(found: Iterable[Entry], changes: str) -> list[dict[str, Any]]:
    """Return entries of the history with their changes: `none`, `names` or `full`."""
    return [entry(one, changes) for one in found]


def entry(one: Entry, changes: str) -> dict[str, Any]:
    """Return one entry of the history."""
    told: dict[str, Any] = {
        "revision": one.revision,
        "time_ms": round(one.time_s * 1000),
        "author": one.author,
        "comment": one.comment,
        "summary": summary(one.changes),
    }
    if changes == "names":
        told["changes"] = [{"kind": item.kind, "name": item.name, "sign": item.sign} for item in one.changes]
    elif changes == "full":
        told["changes"] = [change(item) for item in one.changes]
    return told

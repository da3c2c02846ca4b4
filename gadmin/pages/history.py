"""Who changed what: the list, one change side by side, and going back."""

from typing import Final

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from gadmin.accounts.roles import Role
from gadmin.configuration.editor import Signature
from gadmin.pages.sides import sides
from gadmin.security import hiding
from gadmin.security.guard import identity, needs
from gadmin.services import services
from gproxy.core.change import described, diff, summary
from gproxy.core.schema import KINDS
from gproxy.store.base import HISTORY_ENTRIES
from gproxy.store.edit import Rejected

blueprint: Final = Blueprint("history", __name__, url_prefix="/history")

SIZE: Final = 50
#: Changed objects whose lines are shown; one change may have thousands.
SHOWN: Final = 30


@blueprint.get("/")
@needs(Role.VIEWER)
def index() -> str:
    """List the writes, newest first, of one kind when asked."""
    kind = request.args.get("kind", "")
    kind = kind if kind in KINDS else ""
    text = request.args.get("count", "")
    count = min(int(text), HISTORY_ENTRIES) if text.isascii() and text.isdigit() and len(text) < 6 else SIZE
    entries = services().editor.history(kind or None, None, count)
    return render_template(
        "history/index.html", entries=entries, kind=kind, kinds=KINDS, count=count, size=SIZE, summary=summary
    )


@blueprint.get("/<int:revision>")
@needs(Role.VIEWER)
def show(revision: int) -> str:
    """Show one write: every changed object before and after."""
    configuration, editor = services().configuration, services().editor
    if not 0 < revision <= configuration.revision:
        raise NotFound(f"There is no revision {revision}.")
    newer = min(configuration.revision - revision + 1, HISTORY_ENTRIES)
    entry = next((one for one in editor.history(limit=newer) if one.revision == revision), None)
    changes = diff(editor.state_at(revision - 1), editor.state_at(revision))
    shown = [(change, sides(change.before, change.after)) for change in map(hiding.shown_change, changes[:SHOWN])]
    return render_template(
        "history/entry.html", revision=revision, entry=entry, shown=shown, more=len(changes) - len(shown)
    )


@blueprint.route("/<int:revision>/rollback", methods=["GET", "POST"])
@needs(Role.EDITOR)
def rollback(revision: int) -> Response | str | tuple[str, int]:
    """Say what going back to a revision would change; then do it."""
    editor, problems = services().editor, []
    signature = Signature(identity().author, " ".join(request.form.get("_comment", "").split())[:1000])
    if request.method == "POST":
        done = editor.rollback(revision, signature)
        flash(f"Everything is as it was at revision {revision}: {summary(done.changes)}.", "good")
        return redirect(url_for("history.index"))
    changes = []
    try:
        changes = list(editor.rollback(revision, signature, is_dry=True).changes)
    except Rejected as error:
        problems = [str(problem) for problem in error.problems]
    return render_template(
        "history/rollback.html",
        revision=revision,
        changes=changes,
        lines=list(described(changes)),
        problems=problems,
        summary=summary(changes),
    )

"""The pages of one kind of object, the same for every kind: list, object, form, deleting.

    blueprint = object_pages("server")

Templates of a kind are looked for in its own folder (`servers/list.html`), then in `objects/`; they extend those.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from flask import Blueprint, flash, jsonify, redirect, render_template, request, url_for
from jinja2 import Template
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from gadmin.accounts.roles import Role
from gadmin.api.reading import MOST_COMMENT
from gadmin.configuration.editor import InUse, NoSuchObject, Signature
from gadmin.forms.form import Form
from gadmin.forms.spec import Widget
from gadmin.pages.paging import Page
from gadmin.security import hiding
from gadmin.security.guard import identity, needs
from gadmin.services import services
from gproxy.core.change import Change, described
from gproxy.core.schema import PLURALS, check
from gproxy.ctl.files import render
from gproxy.store.base import ABSENT, Conflict, Stored, StoreError
from gproxy.store.edit import Rejected

#: What a form has besides the fields of the document.
REVISION: Final = "_revision"
COMMENT: Final = "_comment"
ADD: Final = "_add"
REMOVE: Final = "_remove"
_HISTORY_SHOWN: Final = 10

More = Callable[[Stored], Mapping[str, Any]]


def object_pages(kind: str, more: More | None = None) -> Blueprint:
    """Return the blueprint of a kind; `more` gives its page of one object what its template needs besides."""
    plural = PLURALS[kind]
    blueprint = Blueprint(plural, __name__, url_prefix=f"/{plural}")
    pages = _Pages(kind, more or (lambda stored: {}))
    for rule, view, role, methods in (  # no name has a plus
        ("/", pages.index, Role.VIEWER, ["GET"]),
        ("/+new", pages.new, Role.EDITOR, ["GET", "POST"]),
        ("/+check", pages.check, Role.EDITOR, ["POST"]),
        ("/<name>", pages.show, Role.VIEWER, ["GET"]),
        ("/<name>/edit", pages.edit, Role.EDITOR, ["GET", "POST"]),
        ("/<name>/delete", pages.delete, Role.EDITOR, ["GET", "POST"]),
    ):
        blueprint.add_url_rule(rule, view.__name__, _marked(view, role), methods=methods)
    return blueprint


def _marked(view: Callable[..., Any], role: Role) -> Callable[..., Any]:
    return needs(role)(partial(view))  # a method cannot be marked


class _Pages:
    """The views of one kind."""

    def __init__(self, kind: str, more: More) -> None:
        self._kind = kind
        self._plural = PLURALS[kind]
        self._more = more

    def index(self) -> str:
        """List the objects: searched, filtered, in pages."""
        page = Page.of(services().configuration, self._kind, request.args)
        return self._render("list", listed=page, users_of=services().configuration.users_of)

    def show(self, name: str) -> str:
        """Show one object: what is set, who uses it, what was changed last."""
        stored = self._stored(name)
        configuration = services().configuration
        return self._render(
            "object",
            stored=stored,
            text=render(hiding.shown(self._kind, stored.document), "yaml"),
            users=configuration.users_of.get((self._kind, name), ()),
            entries=services().editor.history(self._kind, name, _HISTORY_SHOWN),
            **self._more(stored),
        )

    def new(self) -> Response | str | tuple[str, int]:
        """Make an object, empty or as a copy of another one."""
        if request.method == "POST":
            return self._save("", ABSENT)
        source = request.args.get("from", "")
        document = dict(self._stored(source).document) if source else {}
        document.pop("name", None)
        form = Form.of(self._kind, document)
        for field in form.fields:  # a list of places to go to (the nodes of an API) begins with one
            leads_on = any(below.refers_to for below in field.part)
            if field.widget is Widget.PARTS and leads_on and not form.rows(field.name):
                form = form.changed_rows(field.name, "")
        return self._form(form, "", ABSENT)

    def edit(self, name: str) -> Response | str | tuple[str, int]:
        """Change an object."""
        if request.method == "POST":
            return self._save(name, _revision())
        stored = self._stored(name)
        return self._form(Form.of(self._kind, stored.document, name), name, stored.revision)

    def check(self) -> Response:
        """Return the problems of a form as it is being filled in, by input."""
        form = self._posted("")
        name = request.args.get("name") or _name(form.document())
        form = self._checked(form, name)
        return jsonify({"problems": form.problems})

    def delete(self, name: str) -> Response | str | tuple[str, int]:
        """Ask before an object is deleted, saying what else that changes; then do it."""
        stored = self._stored(name)
        editor, signature = services().editor, self._signature()
        problem = ""
        if request.method == "POST":
            try:
                is_forced = request.form.get("force") == "true"
                editor.delete(self._kind, name, signature, _revision(), is_forced)
            except (InUse, Conflict) as error:
                problem = f"Nothing was deleted: {error}. Look again at what it affects."
            except NoSuchObject:
                pass  # somebody else was faster
            if not problem:
                flash(f"{name} is deleted.", "good")
                return redirect(url_for(f"{self._plural}.index"))
        planned = editor.delete(self._kind, name, signature, is_forced=True, is_dry=True)
        affected = [change for change in planned.changes if (change.kind, change.name) != (self._kind, name)]
        page = self._render("delete", stored=stored, affected=affected, problem=problem, described=described)
        return (page, 409) if problem else page

    def _save(self, name: str, expected: int) -> Response | str | tuple[str, int]:
        form = self._posted(name)
        add, remove = request.form.get(ADD, ""), request.form.get(REMOVE, "")
        if add or remove:
            return self._form(form.changed_rows(add, remove), name, expected)
        document = form.document()
        of_name = name or _name(document)
        try:
            done = services().editor.put(
                self._kind, of_name, {"name": of_name, **document}, self._signature(), expected
            )
        except Rejected as error:
            return self._form(form.with_problems(of_name, error.problems), name, expected), 422
        except Conflict as error:
            return self._form(form, name, expected, error, document), 409
        except StoreError as error:
            flash(f"Nothing was saved: {error}.", "bad")
            return self._form(form, name, expected), 503
        flash(f"{of_name} is saved." if done.changes else "There was nothing to change.", "good")
        return redirect(url_for(f"{self._plural}.show", name=of_name))

    def _checked(self, form: Form, name: str) -> Form:
        objects = services().configuration.objects
        document = {"name": name, **form.document()}
        wanted = {**objects, self._kind: {**objects[self._kind], name: document}}
        return form.with_problems(name, check(wanted, services().configuration.checked).problems)

    def _posted(self, name: str) -> Form:
        texts = {key: text.replace("\r\n", "\n") for key, text in request.form.items() if not key.startswith("_")}
        return Form.posted(self._kind, texts, name)

    def _signature(self) -> Signature:
        return Signature(identity().author, " ".join(request.form.get(COMMENT, "").split())[:MOST_COMMENT])

    def _form(
        self,
        form: Form,
        name: str,
        revision: int,
        conflict: Conflict | None = None,
        mine: Mapping[str, Any] | None = None,
    ) -> str:
        theirs = conflict.theirs if conflict is not None else None
        differences: list[str] = []
        if theirs is not None and mine is not None:
            change = Change(self._kind, theirs.name, theirs.document, {"name": theirs.name, **mine})
            differences = list(described([change]))[1:]
        return self._render(
            "form",
            form=form,
            name=name,
            revision=theirs.revision if theirs is not None else revision,
            conflict=conflict,
            theirs=theirs,
            differences=differences,
            comment=request.form.get(COMMENT, ""),
        )

    def _stored(self, name: str) -> Stored:
        stored = services().configuration.get(self._kind, name)
        if stored is None:
            raise NotFound(f"There is no {self._kind} {name}.")
        return stored

    def _render(self, page: str, **values: Any) -> str:
        templates: list[str | Template] = [f"{self._plural}/{page}.html", f"objects/{page}.html"]
        return render_template(templates, kind=self._kind, plural=self._plural, **values)


def _revision() -> int:
    """Return the revision that the form was shown for; what is no revision is none that an object can have."""
    text = request.form.get(REVISION, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else ABSENT


def _name(document: Mapping[str, Any]) -> str:
    """Return the name that a new document asks for: a server's is by default its address."""
    return str(document.get("name") or document.get("address") or "")

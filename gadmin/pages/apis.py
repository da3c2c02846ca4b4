"""The pages of APIs: besides the common ones, a request to begin with, for explaining it or for sending it."""

import re
from collections.abc import Mapping
from typing import Any, Final

from flask import render_template, request
from werkzeug.exceptions import NotFound

from gadmin.accounts.roles import Role
from gadmin.pages import previews, try_it
from gadmin.pages.explain import METHODS
from gadmin.pages.happenings import happenings
from gadmin.pages.object_pages import object_pages
from gadmin.security.guard import needs
from gadmin.services import services
from gproxy.store.base import Stored

#: What stands for a variable of a path, by its type.
_INT: Final = "1"
_TEXT: Final = "x"
_VARIABLE: Final = re.compile(r"\{\w+(?::([^{}]*))?\}")


def sample(document: Mapping[str, Any]) -> dict[str, str]:
    """Return a request that this API is meant for, as the page that explains requests takes it."""
    path = str(document.get("path", "/"))
    path = "/" if path.startswith("~") else _VARIABLE.sub(_value, path).replace("*", "")
    host = str(next(iter(document.get("hosts", ())), "localhost")).replace("*", "any")
    method = str(next(iter(document.get("methods", ())), "GET"))
    return {"method": method, "url": f"http://{host}{path}"}


def _value(variable: re.Match[str]) -> str:
    kind = variable[1] or ""
    return _INT if kind == "int" else kind.partition("|")[0] or _TEXT


def _more(stored: Stored) -> Mapping[str, Any]:
    return {"sample": sample(stored.document), **happenings("api", stored.name)}


blueprint: Final = object_pages("api", _more)


@blueprint.post("/+preview")
@needs(Role.EDITOR)
def preview() -> str:
    """Return what the API of a form would make of a request."""
    return previews.shown("api")


@blueprint.route("/<name>/try", methods=["GET", "POST"])
@needs(Role.EDITOR)
def try_it_out(name: str) -> str | tuple[str, int]:
    """Show a request that the API is meant for; send it through a node when that is asked for, and show the answer."""
    stored = services().configuration.get("api", name)
    if stored is None:
        raise NotFound(f"There is no API {name}.")
    given = dict.fromkeys(try_it.FIELDS, "") | sample(stored.document)
    shown, problem = None, ""
    if request.method == "POST":
        given |= {key: request.form.get(key, "") for key in try_it.FIELDS}
        try:
            shown = try_it.tried(given)
        except try_it.FAILURES as error:
            problem = str(error)
    nodes = [node.id for node in try_it.nodes()]
    page = render_template(
        "apis/try.html", stored=stored, given=given, methods=METHODS, nodes=nodes, shown=shown, problem=problem
    )
    return (page, 422) if problem else page

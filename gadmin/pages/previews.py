"""The preview beside the form of an API or a routing: a piece of a page, asked for while somebody types."""

from collections.abc import Mapping
from typing import Final

from flask import render_template, request

from gadmin.forms import preview
from gadmin.forms.form import Form
from gadmin.forms.preview import Given, Preview
from gadmin.pages.header_lines import header_fields
from gadmin.services import services

#: Inputs of the request; they begin like all that are none of the document.
METHOD: Final = "_sample_method"
URL: Final = "_sample_url"
HEADERS: Final = "_sample_headers"
BODY: Final = "_sample_body"


def shown(kind: str) -> str:
    """Return the preview of the posted form of an API or a routing."""
    found, problem = Preview((), ()), ""
    try:
        found = _preview(kind, request.form)
    except ValueError as error:
        problem = str(error)
    return render_template("preview.html", preview=found, problem=problem)


def _preview(kind: str, fields: Mapping[str, str]) -> Preview:
    texts = {key: text.replace("\r\n", "\n") for key, text in fields.items() if not key.startswith("_")}
    document = Form.posted(kind, texts).document()
    given = Given(
        fields.get(METHOD, "").strip() or "GET",
        fields.get(URL, "").strip() or "/",
        header_fields(fields.get(HEADERS, "")),
        fields.get(BODY, ""),
    )
    if kind == "api":
        return preview.of_api(document, given)
    api = services().configuration.get("api", str(document.get("api", "")))
    return preview.of_routing(document, given, str(api.document["path"]) if api is not None else None)

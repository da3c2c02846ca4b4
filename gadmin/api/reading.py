"""Reading requests strictly: what is not understood is said, never guessed."""

from collections.abc import Mapping
from typing import Any, Final

from flask import request
from werkzeug.datastructures import MultiDict

from gadmin.api.problems import Failure
from gadmin.configuration.editor import Signature
from gadmin.security.guard import identity
from gproxy.ctl.files import FORMATS
from gproxy.store.base import ABSENT

MOST_COMMENT: Final = 1000
_FORMATS: Final = {
    "application/json": "json",
    "application/yaml": "yaml",
    "application/x-yaml": "yaml",
    "text/yaml": "yaml",
    "application/toml": "toml",
}
_FLAGS: Final = {"true": True, "false": False}


class Query:
    """The parameters of the request's query; each is taken once, `done` refuses what is left."""

    def __init__(self) -> None:
        self._left: MultiDict[str, str] = MultiDict(request.args)

    def text(self, name: str, default: str = "") -> str:
        """Return a parameter as it is. Raises Failure for one that is given twice."""
        values = self._left.poplist(name)
        if len(values) > 1:
            raise _bad(f"{name} is given twice")
        return values[0] if values else default

    def whole(self, name: str, default: int, least: int, most: int) -> int:
        """Return a whole number within its bounds. Raises Failure."""
        text = self.text(name, str(default))
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 17 else least - 1
        if not least <= number <= most:
            raise _bad(f"{name} must be a whole number from {least} to {most}")
        return number

    def flag(self, name: str) -> bool:
        """Return true or false, false when it is not given. Raises Failure."""
        text = self.text(name, "false")
        if text not in _FLAGS:
            raise _bad(f"{name} must be true or false")
        return _FLAGS[text]

    def one_of(self, name: str, words: tuple[str, ...], default: str) -> str:
        """Return one of these words. Raises Failure."""
        text = self.text(name, default)
        if text not in words:
            raise _bad(f"{name} must be one of {', '.join(words)}")
        return text

    def rest(self) -> dict[str, str]:
        """Return what was not asked for, each once. Raises Failure."""
        return {name: self.text(name) for name in list(self._left)}

    def done(self) -> None:
        """Raise Failure for what was not asked for."""
        if self._left:
            raise _bad(f"unknown parameter {min(self._left)}")


def body() -> Any:
    """Return the value in the request's body: JSON, YAML or TOML, by its Content-Type. Raises Failure."""
    form = _FORMATS.get(request.mimetype)
    if form is None:
        kinds = ", ".join(dict.fromkeys(_FORMATS))
        raise Failure(415, "unsupported_media_type", f"Send {kinds}, not {request.mimetype or 'a body without type'}.")
    try:
        return FORMATS[form][0](request.get_data().decode("utf-8"))
    except UnicodeDecodeError as error:
        raise _bad(f"the body is not UTF-8 text (byte {error.start + 1})") from None
    except ValueError as error:
        raise _bad(f"the body is not {form.upper()}: {error}") from None
    except RecursionError:
        raise _bad("the body is nested too deeply") from None


def document() -> Mapping[str, Any]:
    """Return the object in the request's body. Raises Failure."""
    value = body()
    if not isinstance(value, Mapping):
        raise _bad("the body must be an object")
    return value


def expected_revision() -> int | None:
    """Return the revision that the object must have by If-Match, ABSENT by If-None-Match: *, else None."""
    matches, none_matches = request.if_match, request.if_none_match
    if none_matches.star_tag:
        return ABSENT
    if not request.headers.get("If-Match") or matches.star_tag:
        return None
    tags = [tag or "" for tag in matches.as_set()]
    if len(tags) != 1 or not (tags[0].isascii() and tags[0].isdigit() and len(tags[0]) < 16):
        raise Failure(412, "conflict", "If-Match must be the ETag of the object, a quoted revision.")
    return int(tags[0])


def signature(query: Query) -> Signature:
    """Return who asks, and why. Raises Failure."""
    comment = " ".join(query.text("comment").split())
    if len(comment) > MOST_COMMENT:
        raise _bad(f"comment has at most {MOST_COMMENT} characters")
    return Signature(identity().author, comment)


def _bad(detail: str) -> Failure:
    return Failure(400, "bad_request", f"{detail[:1].upper()}{detail[1:]}.")

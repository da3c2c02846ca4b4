"""Which fields of documents are secrets, and documents without them, for whoever may look but not change."""

from collections.abc import Mapping
from typing import Any, Final

from gproxy.core.change import Document

#: Kind -> the paths of its secrets.
_SECRETS: Final = {"api": ("auth.jwt.secret",)}
#: Stands where a secret is.
HIDDEN: Final = "(hidden)"


def is_secret(kind: str, path: str) -> bool:
    """Tell whether a field, its name with dots between, is a secret."""
    return path in _SECRETS.get(kind, ())


def without_secrets(kind: str, document: Document) -> Document:
    """Return the document with HIDDEN in place of secrets; one that has none is returned itself."""
    for path in _SECRETS.get(kind, ()):
        document = _hidden(document, path.split("."))
    return document


def _hidden(value: Any, steps: list[str]) -> Any:
    if not steps:
        return HIDDEN
    if not isinstance(value, Mapping) or value.get(steps[0]) is None:
        return value
    below = _hidden(value[steps[0]], steps[1:])
    return value if below is value[steps[0]] else {**value, steps[0]: below}

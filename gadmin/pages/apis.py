"""The pages of APIs: besides the common ones, a request to begin with when one asks what would become of it."""

import re
from collections.abc import Mapping
from typing import Any, Final

from gadmin.pages.object_pages import object_pages
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
    return {"sample": sample(stored.document)}


blueprint: Final = object_pages("api", _more)

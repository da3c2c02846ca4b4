"""`validation` of an API: requests that are not what it demands are answered with a list of what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from gproxy.core.body_check import BodyCheck
from gproxy.core.json_schema import Schema
from gproxy.core.request_values import cookies, form_fields, is_form
from gproxy.core.validation import Check, ValidationFailed, Violation
from gproxy.core.variables import path_value
from gproxy.filters.base import Exchange

#: Methods whose requests carry content (RFC 9110 section 9.3): that they have none is looked at too.
_WITH_BODY: Final = frozenset((b"POST", b"PUT", b"PATCH"))
#: Larger bodies are checked beside the loop (64 KB take a millisecond or two).
_AT_ONCE_BYTES: Final = 1 << 16

#: Returns the values that a request has under the names of checks of one kind.
Source = Callable[[Exchange], Callable[[bytes], list[bytes]]]


class ValidationFilter:
    """Looks at everything that an API makes demands on, and tells all that is wrong at once."""

    waits = False  # on the short way the body has come

    def __init__(self, checks: Mapping[str, Sequence[Check]], body: BodyCheck | None) -> None:
        self._checks = [(_SOURCES[place], of_place) for place, of_place in checks.items()]
        self._body = body
        self.waits = body is not None or "form" in checks

    @classmethod
    def for_api(cls, document: Mapping[str, Any]) -> ValidationFilter | None:
        """Return the filter, None when the API makes no demands."""
        checks: dict[str, list[Check]] = {}
        schemas = []
        for asked in document["validation"]:
            if asked["schema"] is not None:
                schemas.append(Schema.compile(asked["schema"]))
            else:
                checks.setdefault(asked["in"], []).append(Check(asked))
        of_body = checks.pop("body", [])
        body = BodyCheck(of_body, schemas) if of_body or schemas else None
        return cls(checks, body) if checks or body else None

    def before(self, exchange: Exchange) -> None:
        """Raise ValidationFailed when anything is wrong, or what is raised when the body cannot be had."""
        found: list[Violation] = []
        for source, checks in self._checks:
            values = source(exchange)
            for check in checks:
                texts = [value.decode("utf-8", "surrogateescape") for value in values(check.name.encode("utf-8"))]
                found += check.violations(texts)
        if self._body is not None:
            found += self._violations_of_body(exchange, self._body)
        if found:
            raise ValidationFailed(found)

    def _violations_of_body(self, exchange: Exchange, check: BodyCheck) -> list[Violation]:
        body = exchange.whole_body()
        if not body:
            return check.missing() if exchange.method in _WITH_BODY else check.optional()
        if len(body) <= _AT_ONCE_BYTES:
            return check.violations(body)
        return exchange.aside(partial(check.violations, body))


def _query(exchange: Exchange) -> Callable[[bytes], list[bytes]]:
    fields = form_fields(exchange.target.partition(b"?")[2])
    return lambda name: fields.get(name, [])


def _form(exchange: Exchange) -> Callable[[bytes], list[bytes]]:
    fields = form_fields(exchange.whole_body()) if is_form(exchange.field(b"content-type")) else {}
    return lambda name: fields.get(name, [])


def _header(exchange: Exchange) -> Callable[[bytes], list[bytes]]:
    return lambda name: exchange.values_of(name.lower())


def _cookie(exchange: Exchange) -> Callable[[bytes], list[bytes]]:
    fields = exchange.values_of(b"cookie")
    return lambda name: cookies(fields, name)


def _path(exchange: Exchange) -> Callable[[bytes], list[bytes]]:
    def values(name: bytes) -> list[bytes]:
        value = path_value(exchange, name.decode("utf-8"))
        return [] if value is None else [value]

    return values


_SOURCES: Final[Mapping[str, Source]] = {
    "query": _query,
    "form": _form,
    "header": _header,
    "cookie": _cookie,
    "path": _path,
}

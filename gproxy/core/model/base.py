"""What all documents are made of: the base class and the types of single values."""

from collections.abc import Iterator
from typing import Annotated, Final, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from gproxy.core import grammar, headers
from gproxy.core.pattern import Pattern

#: Largest number of a limit: far above any use, far below what a counter cell holds.
MOST: Final = 1_000_000_000
#: Furthest from 0 that a priority may be.
MOST_PRIORITY: Final = 1_000_000


def in_order(edits: dict[str, str]) -> dict[str, str]:
    """Put header fields in one order: they are independent, and equal edits must give equal documents."""
    return dict(sorted(edits.items()))


def _path(text: str) -> str:
    Pattern.parse(text)
    return text


def _template(text: str) -> str:
    headers.variables(text)
    return text


#: Problems of a document, each with its place below it.
Problems = Iterator[tuple[tuple[int | str, ...], str]]


def refuse(problems: Problems) -> None:
    """Raise all of these problems at once, for a validator: pydantic tells them with their places."""
    found = [
        InitErrorDetails(type=PydanticCustomError("value_error", "{error}", {"error": text}), loc=place, input=None)
        for place, text in problems
    ]
    if found:
        raise ValidationError.from_exception_data("document", found)


T = TypeVar("T")
Name = Annotated[str, AfterValidator(grammar.name)]
HeaderName = Annotated[str, AfterValidator(grammar.header_name)]
HeaderValue = Annotated[str, AfterValidator(grammar.header_value)]
HeaderFields = Annotated[dict[HeaderName, HeaderValue], AfterValidator(in_order)]
Path = Annotated[str, AfterValidator(_path)]
Priority = Annotated[int, Field(ge=-MOST_PRIORITY, le=MOST_PRIORITY)]
HeaderTemplates = Annotated[
    dict[HeaderName, Annotated[HeaderValue, AfterValidator(_template)]], AfterValidator(in_order)
]
FileName = Annotated[str, AfterValidator(grammar.file_name)]
Seconds = Annotated[float, Field(ge=0, le=MOST)]
Percent = Annotated[float, Field(ge=0, le=100)]
# Strict about the items, but a JSON array arrives as a list.
Set = Annotated[tuple[T, ...], Field(strict=False), AfterValidator(grammar.unique)]


class Part(BaseModel):
    """What all documents have in common: no unknown field, no guessed types, no change once built."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Timeouts(Part):
    """Deadlines in seconds: None falls back to the next wider setting (API, cluster, INI), 0 is no limit."""

    connect_s: Seconds | None = None
    response_s: Seconds | None = None
    total_s: Seconds | None = None


class HeaderEdits(Part):
    """Edits of header fields, in the order remove, set (replaces the field), add (beside the field).

    Values may have variables, as in `rewrite`.
    """

    set: HeaderTemplates = {}
    add: HeaderTemplates = {}
    remove: Set[HeaderName] = ()

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        for names in (self.set, self.add, self.remove):
            grammar.unique(tuple(name.lower() for name in names))
        both = {name.lower() for name in self.set} & {name.lower() for name in self.remove}
        if both:
            raise ValueError(f'"{min(both)}" is in set and in remove: set already replaces it')
        return self

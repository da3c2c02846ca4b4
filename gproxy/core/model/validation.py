"""What an API demands of requests."""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Field, JsonValue, model_validator

from gproxy.core import grammar
from gproxy.core.json_schema import Schema
from gproxy.core.model.base import MOST, Part
from gproxy.core.regex import Regex

#: Fields of a demand on a single value -> the types that they make sense for.
_FOR: Final = {
    "pattern": (None, "string"),
    "minimum": ("integer", "number"),
    "maximum": ("integer", "number"),
    "min_length": (None, "string", "array"),
    "max_length": (None, "string", "array"),
}


def _pattern(text: str) -> str:
    Regex.compile(text)
    return text


def _schema(document: dict[str, Any]) -> dict[str, Any]:
    Schema.compile(document)
    return document


class Demand(Part):
    """A demand on the value (`in`) of a `name`, or (`schema`, a JSON Schema) on the JSON body as a whole.

    A name in a body is a path of field names and list indexes with dots. Values elsewhere are text, `type` says what
    that must stand for. `pattern` is an expression of RE2 that must be found. A value that is missing is refused only
    if it is `required`.
    """

    place: Literal["query", "form", "body", "header", "cookie", "path"] = Field(alias="in")
    name: str = ""
    required: bool = False
    type: Literal["string", "integer", "number", "boolean", "array", "object"] | None = None
    pattern: Annotated[str, AfterValidator(_pattern)] | None = None
    minimum: float | None = None
    maximum: float | None = None
    min_length: Annotated[int, Field(ge=0, le=MOST)] | None = None
    max_length: Annotated[int, Field(ge=0, le=MOST)] | None = None
    enum: Annotated[tuple[JsonValue, ...], Field(strict=False, min_length=1)] | None = None
    json_schema: Annotated[dict[str, JsonValue], AfterValidator(_schema)] | None = Field(default=None, alias="schema")

    @model_validator(mode="after")
    def _is_about_one_thing(self) -> Self:
        if self.json_schema is not None:
            if self.place != "body" or self.model_fields_set - {"place", "json_schema"}:
                raise ValueError("a schema is in body, with no other field")
            return self
        if not self.name:
            raise ValueError("name is missing")
        if self.place in ("header", "cookie") and grammar.TOKEN.fullmatch(self.name) is None:
            raise ValueError(f'"{self.name}" is not the name of a {self.place}')
        return self

    @model_validator(mode="after")
    def _can_be_met(self) -> Self:
        for field, types in _FOR.items():
            if getattr(self, field) is not None and self.type not in types:
                wanted = " or ".join(name for name in types if name)
                raise ValueError(f"{field} is given, but type is not {wanted}")
        if self.place != "body":
            if self.type in ("array", "object"):
                raise ValueError(f"type is {self.type}, but only a body has one")
            kinds = {"integer": (int,), "number": (int, float), "boolean": (bool,)}.get(self.type or "", (str,))
            if any(not isinstance(item, kinds) for item in self.enum or ()):
                raise ValueError("enum has a value that is not of the type")
        return self

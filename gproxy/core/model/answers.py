"""Answers of the gateway's own that an API asks for: a default in place of failures, and redirects."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, JsonValue, model_validator

from gproxy.core.model.base import HeaderFields, Part
from gproxy.core.redirect import Location


def _location(text: str) -> str:
    Location.compile(text)
    return text


class DefaultResponse(Part):
    """What a client gets where the gateway would say 502, 503 or 504. A `body` that is no text is sent as JSON."""

    status: Annotated[int, Field(ge=200, le=599)] = 200
    headers: HeaderFields = {}
    body: JsonValue = ""

    @model_validator(mode="after")
    def _has_a_body_where_one_may_be(self) -> Self:
        if self.status in (204, 205, 304) and self.body != "":
            raise ValueError(f"body is given, but an answer with status {self.status} has none")
        return self


class Redirect(Part):
    """Sends clients to another `location`: a URL or a target, with variables."""

    location: Annotated[str, AfterValidator(_location)]
    status: Literal[301, 302, 303, 307, 308] = 302

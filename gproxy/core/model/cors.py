"""What pages of other origins may do with an API."""

from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, model_validator

from gproxy.core import grammar
from gproxy.core.cors import check_origin
from gproxy.core.model.base import Part, Set

MOST_AGE_S: Final = 7 * 86_400


def _any_or_method(text: str) -> str:
    return text if text == "*" else grammar.method(text)


def _token(text: str) -> str:
    if grammar.TOKEN.fullmatch(text) is None:
        raise ValueError(f'"{text}" is not a header name')
    return text


class Cors(Part):
    """Answers preflights, and marks answers, for pages of `origins`.

    Empty `methods` are those of the API. `max_age_s` 0: browsers remember for as long as they like.
    """

    origins: Annotated[Set[Annotated[str, AfterValidator(check_origin)]], Field(min_length=1)]
    methods: Set[Annotated[str, AfterValidator(_any_or_method)]] = ()
    headers: Set[Annotated[str, AfterValidator(_token)]] = ("*",)
    expose: Set[Annotated[str, AfterValidator(_token)]] = ()
    credentials: bool = False
    max_age_s: Annotated[int, Field(ge=0, le=MOST_AGE_S)] = 0

    @model_validator(mode="after")
    def _trusts_whom_it_names(self) -> Self:
        if self.credentials and ("*" in self.origins or "null" in self.origins):
            raise ValueError("with credentials every origin must be named: any page could act for whoever visits it")
        if self.credentials and "*" in self.expose:
            raise ValueError("with credentials * in expose means nothing to browsers: name the fields")
        return self

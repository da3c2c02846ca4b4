"""Compression of what clients get."""

import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from gproxy.core.model.base import MOST, Part, Set

_TYPE: Final = re.compile(r"[A-Za-z0-9*][A-Za-z0-9!#$&^_.+*-]*/[A-Za-z0-9*][A-Za-z0-9!#$&^_.+*-]*")
#: What is text: nearly everything else that is large is compressed already.
TYPES: Final = (
    "text/*",
    "application/json",
    "application/*+json",
    "application/javascript",
    "application/xml",
    "application/*+xml",
    "application/wasm",
    "image/svg+xml",
)


def _media_type(text: str) -> str:
    if _TYPE.fullmatch(text) is None:
        raise ValueError(f'"{text}" is not a media type: type/subtype, in which * stands for anything')
    return text


class Compress(Part):
    """Answers are compressed for clients that take it: with the first of `encodings` that a client likes best.

    Left alone is what is compressed already, smaller than `min_bytes`, or of none of these `types`; and event streams,
    unless text/event-stream is one of them. A higher `level` (1 to 9) takes more time for fewer bytes.
    """

    encodings: Annotated[Set[Literal["br", "gzip"]], Field(min_length=1)] = ("br", "gzip")
    level: Annotated[int, Field(ge=1, le=9)] = 5
    min_bytes: Annotated[int, Field(ge=0, le=MOST)] = 1024
    types: Annotated[Set[Annotated[str, AfterValidator(_media_type)]], Field(min_length=1)] = TYPES

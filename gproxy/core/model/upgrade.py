"""Tunnels: what an API lets its clients switch to, WebSocket above all."""

from typing import Annotated, Final

from pydantic import AfterValidator, Field

from gproxy.core import grammar
from gproxy.core.model.base import Part, Seconds, Set

MOST_DRAIN_S: Final = 3600


def _protocol(text: str) -> str:
    if not all(grammar.TOKEN.fullmatch(part) for part in text.split("/", 1)):
        raise ValueError(f'"{text}" is not a protocol: a name, perhaps with a slash and a version')
    if text.lower().startswith(("h2", "http")):
        raise ValueError(f"{text}: other versions of HTTP are not tunnelled")
    return text.lower()


class Upgrade(Part):
    """When a tunnel ends by itself; 0 is no limit.

    After `idle_s` without a byte, after `total_s` in all, and `drain_s` after its worker was told to leave (a reload).
    """

    protocols: Annotated[Set[Annotated[str, AfterValidator(_protocol)]], Field(min_length=1)] = ("websocket",)
    idle_s: Seconds = 300.0
    total_s: Seconds = 0.0
    drain_s: Annotated[float, Field(ge=0, le=MOST_DRAIN_S)] = 5.0

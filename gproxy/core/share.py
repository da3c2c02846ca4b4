"""A share of the requests that is kept: in the access log, of an API or of all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Share:
    """`percent` of all requests, and with `errors` each that was refused, broken off, or answered with 400 or more."""

    percent: float = 100.0
    errors: bool = True

    @classmethod
    def compiled(cls, document: Mapping[str, Any] | None) -> Self | None:
        """Return the share of a normalised document, None when it says nothing."""
        return cls(document["percent"], document["errors"]) if document is not None else None

    def holds(self, status: int, code: str, chance: float) -> bool:
        """Say whether a request belongs to it; `chance` is a random number from 0 up to, not including, 1."""
        return chance * 100 < self.percent or (self.errors and (status >= 400 or code != ""))

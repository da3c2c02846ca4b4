"""What a mirroring rule asks for, compiled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from gproxy.core.comparison import Comparison


@dataclass(frozen=True, slots=True)
class Mirror:
    """How copies are made: none of requests with more than `most_bytes` of body, none takes more than `timeout_s`.

    With `compare`, answers of up to `most_bytes` are compared.
    """

    timeout_s: float
    most_bytes: int
    compare: Comparison | None

    @classmethod
    def compiled(cls, document: Mapping[str, Any]) -> Self | None:
        """Return what a normalised rule says, None when it mirrors nothing."""
        if document["action"] != "mirror":
            return None
        compare = Comparison.compiled(document["compare"])
        return cls(document["timeout_s"], document["max_body_bytes"], compare)

"""Breakers from the fields of a document."""

from typing import Any

from gproxy.core.breaker import Breaker
from gproxy.core.model import normalised
from gproxy.core.model.protection import CircuitBreaker


def breaker(**fields: Any) -> Breaker:
    """Return what a `circuit_breaker` with these fields means."""
    compiled = Breaker.compiled(normalised(CircuitBreaker.model_validate(fields)))
    assert compiled is not None
    return compiled

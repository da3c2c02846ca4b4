"""A filter of the gateway that tells about its worker: how many greenlets and Python objects it has."""

from __future__ import annotations

import gc
import json
import os
from typing import Any, Self

from greenlet import greenlet

from gproxy.filters.base import Exchange, Reply


class Inside:
    """Answers the requests of an API that has it: filters: {inside: {}}."""

    @classmethod
    def for_api(cls, document: dict[str, Any]) -> Self | None:
        """Return the filter for an API that wants it."""
        return cls() if "inside" in document["filters"] else None

    def before(self, exchange: Exchange) -> None:
        """Count what the collector knows."""
        gc.collect()
        objects = gc.get_objects()
        greenlets = sum(issubclass(type(one), greenlet) for one in objects)
        figures = {"pid": os.getpid(), "greenlets": greenlets, "objects": len(objects)}
        raise Reply(200, b"Content-Type: application/json\r\n", json.dumps(figures).encode("ascii"))

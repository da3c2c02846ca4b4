"""Small documents and what is said of wrong ones."""

from typing import Any

import pytest
from pydantic import ValidationError

from gproxy.core.model import MODELS

SERVER = {"name": "u1", "address": "127.0.0.1:9001"}
API = {"name": "all", "path": "/*", "nodes": [{"cluster": "users"}]}


def checked(**fields: Any) -> dict[str, Any]:
    return {**SERVER, "health_check": fields}


def guarded(**fields: Any) -> dict[str, Any]:
    return {**SERVER, "circuit_breaker": fields}


def problem_of(kind: str, document: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as caught:
        MODELS[kind].model_validate(document)
    return str(caught.value)

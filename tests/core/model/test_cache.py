from typing import Any

import pytest
from pydantic import ValidationError

from gproxy.core.model import MODELS

AUTH = {"api_keys": {"keys": [{"consumer": "acme", "sha256": "0" * 64}]}}


def problems(**api: Any) -> list[str]:
    document = {"name": "x", "path": "/*", "nodes": [{"cluster": "c"}]} | api
    try:
        MODELS["api"].model_validate(document)
    except ValidationError as error:
        return [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
    return []


def test_what_is_good() -> None:
    assert not problems(cache={})
    assert not problems(cache={"key": ["consumer", "header:X", "cookie:Y"], "ttl_s": 60}, auth=AUTH)
    nodes = [{"cluster": "c", "attr": "a", "cache": {"ttl_s": 1}}, {"cluster": "c", "attr": "b", "method": "POST"}]
    assert not problems(nodes=nodes)


@pytest.mark.parametrize(
    ("api", "problem"),
    [
        ({"cache": {}, "nodes": [], "mock": True, "default_response": {"status": 200}}, "cache: is given, but there"),
        ({"cache": {}, "nodes": [{"cluster": "c", "method": "POST"}]}, "nodes.0.method: is POST: only answers to GET"),
        ({"nodes": [{"cluster": "c", "cache": {}}]}, "nodes.0.cache: is given, but the only node has no attr"),
        ({"cache": {"key": ["consumer"]}}, "cache.key: has consumer, but nobody says who he is"),
        ({"cache": {"key": ["host"]}}, "cache.key.0: Value error, must be client_ip"),
        ({"cache": {"ttl_s": -1}}, "cache.ttl_s: "),
        ({"cache": {"max_bytes": 0}}, "cache.max_bytes: "),
        ({"cache": {"ttl": 1}}, "cache.ttl: "),
    ],
)
def test_what_is_wrong(api: dict[str, Any], problem: str) -> None:
    assert any(found.startswith(problem) for found in problems(**api)), problems(**api)

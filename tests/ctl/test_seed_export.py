import base64
import json
from typing import Any

import pytest

from gproxy.ctl.files import FileError
from gproxy.ctl.seed_export import read_export

VALUES: dict[str, Any] = {
    "/gateway/servers/10.0.0.1:80": {"addr": "10.0.0.1:80"},
    "/gateway/clusters/users": {"name": "users"},
    "/gateway/binds/10.0.0.1:80-users": "",
    "/gateway/binds/my-host:80-my-users": "",
    "/gateway/aggregations/%2Fprofile%2F%28.%2B%29": {"url": "/profile/(.+)", "nodes": []},
    "/gateway/routings/42": {"id": "42"},
    "/gateway/proxy/10.0.0.9:80": "whatever",
    "/gateway/delete/servers/10.0.0.3:80": "10.0.0.3:80",
}


def texts() -> dict[str, str]:
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in VALUES.items()}


def of_etcd_2() -> dict[str, Any]:
    leaves = [{"key": key, "value": value} for key, value in texts().items()]
    leaves[5]["expiration"] = "2027-01-01T00:00:00Z"
    return {"action": "get", "node": {"key": "/gateway", "dir": True, "nodes": [{"dir": True, "nodes": leaves}]}}


def of_etcd_3() -> dict[str, Any]:
    def encoded(text: str) -> str:
        return base64.b64encode(text.encode()).decode()

    kvs = [{"key": encoded(key), "value": encoded(value)} for key, value in texts().items()]
    return {"header": {}, "kvs": kvs, "count": len(kvs)}


@pytest.mark.parametrize("content", [VALUES, texts(), of_etcd_2(), of_etcd_3()])
def test_every_shape_of_an_export_says_the_same(content: dict[str, Any]) -> None:
    found = read_export(content)
    assert found.servers == {"10.0.0.1:80": {"addr": "10.0.0.1:80"}}
    assert found.clusters == {"users": {"name": "users"}}
    assert found.aggregations == {"/profile/(.+)": {"url": "/profile/(.+)", "nodes": []}}
    assert found.routings == {"42": {"id": "42"}}
    assert found.binds == [("10.0.0.1:80", "users"), ("my-host:80", "my-users")]
    assert found.expires == ({"42": "2027-01-01T00:00:00Z"} if "node" in content else {})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([], "an export is a JSON object"),
        ({}, "nothing of the gateway is in it"),
        ({"/other/x": "{}"}, "nothing of the gateway is in it"),
        ({"kvs": [{"key": 5}]}, "this is no export"),
        ({"/gateway/servers/a": "{"}, "/gateway/servers/a: its value is not JSON"),
        ({"/gateway/servers/a": "[]"}, "/gateway/servers/a: its value is not a JSON object"),
    ],
)
def test_what_is_no_export_is_said(content: Any, said: str) -> None:
    with pytest.raises(FileError, match=said):
        read_export(content)

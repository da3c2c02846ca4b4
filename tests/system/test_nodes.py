"""Registration of a real node, and waiting for a change to be in effect."""

import json
from pathlib import Path
from typing import Any

from tests.harness.gateway import Gateway
from tests.harness.waiting import eventually


def nodes(gateway: Gateway) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(gateway.ctl("nodes", "--format", "json"))["nodes"]
    return found


def test_a_node_is_listed_while_it_runs_and_a_change_can_be_waited_for(tmp_path: Path) -> None:
    settings = {"node": {"id": "web-1"}, "gproxy": {"workers": 2}}
    with Gateway(tmp_path, {"servers": [{"name": "u1", "address": "127.0.0.1:1"}]}, settings) as gateway:
        (node,) = eventually(lambda: nodes(gateway))
        host, port = gateway.control
        assert (node["id"], node["control"], node["pid"]) == ("web-1", f"{host}:{port}", gateway.pid)
        change = tmp_path / "change.json"
        change.write_text(json.dumps({"servers": [{"name": "u2", "address": "127.0.0.1:2"}]}))
        assert "in 2 workers of 1 nodes" in gateway.ctl("apply", "-f", str(change), "--wait")
        assert {worker["revision"] for worker in gateway.workers()} == {2}
        assert {worker["revision"] for worker in nodes(gateway)[0]["workers"]} == {2}
    assert nodes(gateway) == [], "it said that it stops"

"""Registration of a real node, and waiting for a change to be in effect."""

import json
from pathlib import Path
from typing import Any

from tests.harness.client import Answer
from tests.harness.echo import EchoBackend
from tests.harness.gateway import Gateway
from tests.harness.site import documents
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


def test_a_node_drains_and_takes_traffic_again_and_loses_nobody(tmp_path: Path) -> None:
    settings = {"node": {"id": "web-1"}}
    with EchoBackend() as echo:
        with Gateway(tmp_path, documents({"echo": echo.address}), settings) as gateway, gateway.client() as kept:
            assert kept.get().head.value("connection") is None
            eventually(lambda: nodes(gateway))
            assert "drains until" in gateway.ctl("drain", "web-1", "--author", "somebody")
            eventually(lambda: gateway.control_get("/readyz")["status"] == "not_ready", about="the node learns of it")
            assert gateway.stats()["not_ready_because"] == "drained"
            answer = eventually(lambda: closing_answer(gateway), about="the workers learn of it")
            assert answer.status == 200, "who still comes is served"
            assert kept.is_closed(), "idle connections end"
        with Gateway(tmp_path, None, settings) as gateway:
            assert gateway.stats()["drained"], "it outlives the node"
            assert "takes traffic again" in gateway.ctl("undrain", "web-1")
            eventually(lambda: gateway.control_get("/readyz")["status"] == "ready", about="the node is ready")
            eventually(lambda: closing_answer(gateway) is None, about="connections stay open")
            causes = [event["cause"] for event in gateway.control_get("/events")["events"] if event["kind"] == "fleet"]
            assert [cause for cause in causes if "drained" in cause] == ["drained", "undrained"]


def closing_answer(gateway: Gateway) -> Answer | None:
    """Return the answer over a new connection if it is the last one there."""
    with gateway.client() as client:
        answer = client.get()
        return answer if answer.head.value("connection") == "close" else None

"""Nodes that follow one etcd: who watches what, and edits by hand. Outages are in test_etcd_outages."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from gproxy.store.open import open_store
from tests.harness.etcd import Etcd
from tests.harness.gateway import Gateway
from tests.harness.waiting import eventually

U1 = {"name": "u1", "address": "127.0.0.1:1"}
NODES = ("n0", "n1", "n2")


@pytest.fixture(scope="module")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etcd]:
    with Etcd(tmp_path_factory.mktemp("etcd")) as etcd:
        yield etcd


@pytest.fixture(scope="module")
def fleet(etcd: Etcd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Gateway]]:
    folder = tmp_path_factory.mktemp("fleet")
    with ExitStack() as stack:
        nodes = []
        for name in NODES:
            settings = {"node": {"id": name}, "gproxy": {"workers": 2}}
            documents = {"servers": [U1]} if not nodes else None
            nodes.append(stack.enter_context(Gateway(folder / name, documents, settings, etcd.url())))
        yield nodes


def apply(gateway: Gateway, *servers: str) -> str:
    """Make these the only servers, and wait until that is in effect everywhere."""
    file = gateway.folder / "change.json"
    file.write_text(json.dumps({"servers": [{"name": name, "address": "127.0.0.1:1"} for name in servers]}))
    return gateway.ctl("apply", "-f", str(file), "--wait")


def test_a_change_is_in_effect_on_all_nodes_when_the_wait_is_over(fleet: list[Gateway]) -> None:
    assert "in 6 workers of 3 nodes" in apply(fleet[0], "u1", "u2")
    revisions = {worker["revision"] for gateway in fleet for worker in gateway.workers()}
    assert len(revisions) == 1
    shown = json.loads(fleet[1].ctl("nodes", "--format", "json"))["nodes"]
    assert [node["id"] for node in shown] == list(NODES)
    assert {worker["revision"] for node in shown for worker in node["workers"]} == revisions


def test_each_node_watches_once_however_many_workers_it_has(fleet: list[Gateway], etcd: Etcd) -> None:
    assert sum(len(gateway.worker_pids()) for gateway in fleet) == 6
    eventually(lambda: etcd.metric("etcd_debugging_mvcc_watcher_total") == len(NODES), about="one watch per node")


def test_threads_of_grpc_live_in_no_process_that_forks_or_runs_gevent(fleet: list[Gateway]) -> None:
    for gateway in fleet:
        for process in [psutil.Process(gateway.pid), *psutil.Process(gateway.pid).children()]:
            libraries = {Path(found.path).name for found in process.memory_maps()}
            has_grpc = any(name.startswith("cygrpc") for name in libraries)
            has_loop = any(name.startswith("_greenlet") for name in libraries)
            assert has_grpc == (process.name() == "gproxy-sync"), process.name()
            assert not (has_grpc and (has_loop or process.children())), process.name()


def test_what_is_written_by_hand_applies_and_what_is_invalid_is_said(fleet: list[Gateway], etcd: Etcd) -> None:
    apply(fleet[0], "u1", "u2")
    etcd.ctl("put", "/gw/server/u1", '{"address": "127.0.0.1:1", "weight": -1}')
    etcd.ctl("put", "/gw/server/u3", '{"address": "127.0.0.1:3"}')
    for gateway in fleet:
        eventually(lambda gateway=gateway: "servers[u1].weight: must be at least 0" in gateway.log())
    eventually(lambda: json.loads(fleet[0].ctl("get", "server", "--format", "json"))["servers"][2:])
    (entry,) = fleet[0].ctl("history", "server", "u3").splitlines()[:1]
    assert "by hand" in entry
    assert '"weight"' not in fleet[0].ctl("get", "server", "u1", "--format", "json"), "the last good one is in force"
    assert "u4" in fleet[0].ctl("apply", "-f", written(fleet[0], "u1", "u4"), "--wait"), "others can be changed"
    etcd.ctl("put", "/gw/server/u1", '{"address": "127.0.0.1:1", "weight": 9}')
    eventually(lambda: '"weight": 9' in fleet[0].ctl("get", "server", "u1", "--format", "json"))


def written(gateway: Gateway, *servers: str) -> str:
    file = gateway.folder / "written.json"
    file.write_text(json.dumps({"servers": [{"name": name, "address": "127.0.0.1:1"} for name in servers]}))
    return str(file)


def test_two_people_write_the_same_object(fleet: list[Gateway]) -> None:
    apply(fleet[0], "u1")
    from gproxy.store.base import Conflict, Write
    from gproxy.store.open import open_store

    with open_store(fleet[0].store) as ann, open_store(fleet[0].store) as bob:
        seen = ann.get("server", "u1")
        assert seen is not None
        bob.write([Write("server", "u1", {**U1, "weight": 2}, seen.revision)], "bob")
        with pytest.raises(Conflict) as caught:
            ann.write([Write("server", "u1", {**U1, "weight": 3}, seen.revision)], "ann")
    assert caught.value.mine == {**U1, "weight": 3}
    assert caught.value.theirs is not None
    assert caught.value.theirs.document == {**U1, "weight": 2}


def test_a_node_that_stops_is_gone_at_once(fleet: list[Gateway], etcd: Etcd, tmp_path: Path) -> None:
    def ids() -> list[str]:
        return [node["id"] for node in json.loads(fleet[0].ctl("nodes", "--format", "json"))["nodes"]]

    with Gateway(tmp_path, None, {"node": {"id": "n3"}}, etcd.url()):
        eventually(lambda: "n3" in ids())
    # That it is gone because it said so, and not because its lease has ended, is in the store: no clock has to tell.
    expected = {**dict.fromkeys(NODES, False), "n3": True}
    with open_store(etcd.url()) as store:
        assert {node.id: node.has_left for node in store.registry.records()} == expected
    assert "n3" not in ids()

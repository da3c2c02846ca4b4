"""`gproxyctl nodes` and `--wait`, with nodes that other processes have registered."""

import json
import re
from pathlib import Path

import pytest

from gproxy.ctl.__main__ import main
from gproxy.ctl.nodes import table
from gproxy.store.nodes import Node, RunningWorker
from gproxy.store.open import open_store
from tests.store.test_nodes import a_node


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/gateway.db"
    with open_store(url, create=True):
        return url


def register(url: str, *nodes: Node) -> None:
    with open_store(url) as store:
        for node in nodes:
            store.registry.announce(node)


def test_each_node_is_a_line() -> None:
    fine = a_node("n2", 5, (RunningWorker(0, 1, "accepting", 5),))
    assert table([a_node(), fine], 5_000) == [
        "NODE  CONTROL         VERSION  REVISION  WORKERS                    UP   SEEN",
        "n1    127.0.0.1:9900  1.2      5         4 (worker 1 at 0, 3 at 4)  4 s  3 s",
        "n2    127.0.0.1:9900  1.2      5         1                          4 s  3 s",
    ]


def test_nodes_are_shown_and_those_that_left_are_not(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--store", url, "nodes"]) == 0
    assert capsys.readouterr().err == "no node is registered\n"
    register(url, a_node("n1"), a_node("n2").left())
    assert main(["--store", url, "nodes"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in shown] == ["NODE", "n1"]
    assert main(["--store", url, "nodes", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["nodes"] == [
        json.loads(json.dumps(a_node().told())) | {"drained": False}
    ]


def test_a_node_is_drained_and_brought_back(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--store", url, "drain", "n1"]) == 1
    assert "no node n1 has registered" in capsys.readouterr().err
    register(url, a_node("n1"))
    assert main(["--store", url, "drain", "n1", "--author", "somebody"]) == 0
    assert main(["--store", url, "nodes"]) == 0
    assert "drained" in capsys.readouterr().out.splitlines()[-1]
    assert main(["--store", url, "undrain", "n1"]) == 0
    assert main(["--store", url, "undrain", "n1"]) == 1
    captured = capsys.readouterr()
    assert captured.out == "n1 takes traffic again\n"
    assert captured.err == "gproxyctl: nobody drains a node n1\n"


def apply(url: str, tmp_path: Path, *words: str) -> int:
    file = tmp_path / "file.json"
    file.write_text(json.dumps({"servers": [{"name": "u1", "address": "127.0.0.1:1"}]}))
    return main(["--store", url, "apply", "-f", str(file), *words])


def test_wait_tells_when_a_write_is_in_effect(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert apply(url, tmp_path, "--wait") == 0
    assert "no node is registered: nothing to wait for" in capsys.readouterr().err
    register(url, a_node("n1", 1, (RunningWorker(0, 1, "accepting", 1),)))
    assert apply(url, tmp_path, "--wait", "5") == 0
    assert re.search(r"in effect after \d+ ms in 1 workers of 1 nodes", capsys.readouterr().out)


def test_wait_names_who_is_late(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    register(url, a_node("n1", 0, (RunningWorker(0, 1, "accepting", 0), RunningWorker(1, 1, "accepting", 1))))
    assert apply(url, tmp_path, "--wait", "0.1") == 1
    captured = capsys.readouterr()
    assert "1 added; the store is at revision 1" in captured.out
    assert captured.err.splitlines() == [
        "gproxyctl: revision 1 is not in effect everywhere after 0.1 s:",
        "gproxyctl: node n1: worker 0 runs revision 0",
    ]

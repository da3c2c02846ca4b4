import time
from pathlib import Path
from typing import Any

import pytest

from gproxy.ctl import node as module
from gproxy.ctl.__main__ import main
from tests.ctl.test_status_view import told


class FakeNode:
    """Answers as a node does; remembers what it was asked."""

    asked: list[tuple[str, str]]

    def __init__(self, address: str) -> None:
        self._address = address

    def ask(self, path: str) -> dict[str, Any]:
        self.asked.append((self._address, path))
        return told()


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> type[FakeNode]:
    FakeNode.asked = []
    monkeypatch.setattr(module, "Node", FakeNode)
    return FakeNode


def test_once_prints_it_plainly(node: type[FakeNode], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--once", "--control", "h:1"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("gproxy 1.2.3 on host")
    assert "\x1b" not in out
    assert node.asked == [("h:1", "/stats?history=none"), ("h:1", "/events")]


def test_the_ini_names_the_endpoint(node: type[FakeNode], tmp_path: Path) -> None:
    ini = tmp_path / "a.ini"
    ini.write_text("[control]\nbind = 127.0.0.1:77\n")
    assert main(["-c", str(ini), "status", "--once"]) == 0
    assert node.asked[0][0] == "127.0.0.1:77"


def test_it_refreshes_until_interrupted(
    node: type[FakeNode], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", wait)
    assert main(["status", "--interval", "0.5", "--control", "h:1"]) == 0
    assert waits == [0.5] * 3
    assert capsys.readouterr().out.count("\x1b[H") == 3


def test_nobody_there_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--once", "--control", "127.0.0.1:1"]) == 1
    assert "cannot ask the node" in capsys.readouterr().err
    assert main(["status", "--once", "--control", "x"]) == 2

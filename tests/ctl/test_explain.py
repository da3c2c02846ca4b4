from collections.abc import Mapping
from typing import Any

import pytest

from gproxy.ctl import node as module
from gproxy.ctl.__main__ import main
from tests.ctl.test_explain_view import told


class FakeNode:
    """Answers as a node does; remembers what it was asked."""

    asked: list[tuple[str, str, Mapping[str, Any]]]

    def __init__(self, address: str) -> None:
        self._address = address

    def ask(self, path: str, question: Mapping[str, Any]) -> dict[str, Any]:
        self.asked.append((self._address, path, question))
        return told()


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> type[FakeNode]:
    FakeNode.asked = []
    monkeypatch.setattr(module, "Node", FakeNode)
    return FakeNode


def test_a_question_from_the_command_line(node: type[FakeNode], capsys: pytest.CaptureFixture[str]) -> None:
    options = ["-H", "X-A: 1", "-H", "X-B:2", "-d", "{}", "--client-ip", "192.0.2.1", "--control", "h:1"]
    assert main(["explain", "POST", "http://a/b", *options]) == 0
    question = {
        "method": "POST",
        "url": "http://a/b",
        "headers": [["X-A", "1"], ["X-B", "2"]],
        "body": "{}",
        "client_ip": "192.0.2.1",
    }
    assert node.asked == [("h:1", "/explain", question)]
    assert capsys.readouterr().out.startswith("GET a.example/users/7")


def test_the_answer_as_a_document(node: type[FakeNode], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "GET", "/", "--control", "h:1", "--format", "json"]) == 0
    assert capsys.readouterr().out.startswith("{\n")


def test_a_header_that_is_none(node: type[FakeNode], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["explain", "GET", "/", "-H", "X"])
    assert left.value.code == 2
    assert "a header field is 'Name: value'" in capsys.readouterr().err


@pytest.mark.parametrize("url", ["users/1", "a.example.com/users/1", ""])
def test_what_is_no_url(url: str, node: type[FakeNode], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "GET", url]) == 2
    assert "a URL is http://host/path, or a path that begins with /" in capsys.readouterr().err
    assert node.asked == []

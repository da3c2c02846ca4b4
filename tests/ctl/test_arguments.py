import argparse
import getpass

import pytest

from gproxy import __version__
from gproxy.ctl import commands
from gproxy.ctl.arguments import parser


def parsed(line: str) -> argparse.Namespace:
    return parser().parse_args(line.split())


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("apply -f a.yaml", commands.apply),
        ("export", commands.export),
        ("get server", commands.get),
        ("put server a.yaml", commands.put),
        ("delete server u1", commands.delete),
        ("history", commands.history),
        ("rollback 3", commands.rollback),
    ],
)
def test_each_command_is_known(line: str, command: object) -> None:
    assert parsed(line).run is command


def test_the_store_may_stand_before_or_after_the_command() -> None:
    for line in ("--store sqlite:///a export", "export --store sqlite:///a"):
        assert parsed(line).store == "sqlite:///a"
    assert parsed("export").store is None


def test_a_kind_has_two_names() -> None:
    assert parsed("get servers").kind == parsed("get server").kind == "server"


def test_the_author_is_who_is_logged_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "ann")
    assert parsed("delete server u1").author == "ann"
    assert parsed("delete server u1 --author bob").author == "bob"


def test_a_user_without_a_name_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr(getpass, "getuser", nameless)
    assert parsed("delete server u1").author.isdigit()


@pytest.mark.parametrize(
    "line", ["", "apply", "get", "get thing", "put", "delete server", "rollback", "rollback x", "export --format xml"]
)
def test_wrong_arguments_are_exit_code_2(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parsed(line)
    assert caught.value.code == 2
    assert "usage: gproxyctl" in capsys.readouterr().err


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        parsed("--version")
    assert (left.value.code, capsys.readouterr().out) == (0, f"gproxyctl {__version__}\n")


def test_the_help_of_a_command_says_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed("rollback --help")
    assert "Restore the whole configuration of a revision" in capsys.readouterr().out

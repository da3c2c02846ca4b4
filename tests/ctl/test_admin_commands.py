"""`gproxyctl --admin URL` does what it does without, through a real admin."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gproxy.ctl.__main__ import main
from gproxy.ctl.admin import TOKEN_VARIABLE
from tests.ctl.admins import admin_with_token
from tests.ctl.test_importing import EXPORT
from tests.gadmin.fleet.nodes import FakeNode, fake_node

FILE = {
    "servers": [{"name": "u1", "address": "a:1"}],
    "clusters": [{"name": "users", "servers": ["u1"]}],
    "apis": [{"name": "all", "path": "/*", "nodes": [{"cluster": "users"}]}],
}
Ctl = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def node() -> Iterator[FakeNode]:
    with fake_node("n1") as made:
        yield made


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory, node: FakeNode) -> Iterator[tuple[str, str]]:
    folder = tmp_path_factory.mktemp("admin")
    with admin_with_token(folder, settings={"fleet": {"nodes": node.address}}) as (admin, token):
        yield admin.url, token


@pytest.fixture
def ctl(started: tuple[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ctl:
    """Return what runs a command and returns its exit code, output and remarks."""
    monkeypatch.setenv(TOKEN_VARIABLE, started[1])

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(["--admin", started[0], *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def file(tmp_path: Path) -> Callable[[object], str]:
    def write(document: object) -> str:
        path = tmp_path / "file.json"
        path.write_text(json.dumps(document))
        return str(path)

    return write


@pytest.fixture(autouse=True)
def filled(ctl: Ctl, file: Callable[[object], str]) -> None:
    assert ctl("apply", "-f", file(FILE))[0] == 0


def test_apply_tells_before_and_after(ctl: Ctl, file: Callable[[object], str]) -> None:
    more = {"servers": [{"name": "u1", "address": "a:2"}, {"name": "u2", "address": "b:1"}]}
    code, out, _ = ctl("apply", "-f", file(more), "--dry-run")
    assert (code, out.splitlines()[-1][:29]) == (0, "dry run: 1 added, 1 changed; ")
    assert '    ~ address: "a:1" -> "a:2"' in out
    code, out, _ = ctl("apply", "-f", file(more), "--comment", "go", "--wait")
    assert code == 0
    assert out.splitlines()[:2] == ["~ server u1", "+ server u2"]
    assert out.splitlines()[-1] == "in effect in 0 workers of 0 nodes"


def test_problems_are_those_of_the_store(ctl: Ctl, file: Callable[[object], str]) -> None:
    code, _, err = ctl("apply", "-f", file({"servers": [{"name": "u1", "address": "nowhere"}]}))
    assert code == 2
    assert "servers[u1].address: must be" in err
    assert "refused, nothing was written: 1 problem" in err
    code, _, err = ctl("apply", "-f", file({"clusters": []}))
    assert (code, "does not list apis, so those in the store stay" in err) == (2, True)
    assert ctl("apply", "-f", file({"server": []}))[0] == 2


def test_put_get_and_delete(ctl: Ctl, file: Callable[[object], str]) -> None:
    assert ctl("put", "server", file({"name": "p1", "address": "a:1"}), "--if-revision", "0")[0] == 0
    code, out, err = ctl("get", "server", "p1", "--format", "json")
    assert (code, json.loads(out)) == (0, {"name": "p1", "address": "a:1"})
    revision = err.split()[-1]
    assert ctl("put", "server", file({"name": "p1", "address": "a:2"}), "--if-revision", "0")[0] == 1
    assert ctl("put", "server", file({"name": "p1", "address": "a:2"}), "--if-revision", revision)[0] == 0
    assert "p1" in ctl("get", "servers")[1]
    assert ctl("delete", "server", "p1")[0] == 0
    code, _, err = ctl("delete", "server", "p1")
    assert (code, err) == (1, "gproxyctl: There is no server p1.\n")
    code, _, err = ctl("delete", "server", "u1")
    assert (code, "is used by cluster users" in err) == (1, True)


def test_export_history_and_rollback(ctl: Ctl, file: Callable[[object], str]) -> None:
    code, out, err = ctl("export", "--format", "json")
    assert (code, {key: items for key, items in json.loads(out).items() if items}) == (0, FILE)
    revision = err.split()[-1]
    ctl("delete", "api", "all", "--comment", "away")
    out = ctl("history", "api", "all")[1]
    assert "admin (token " in out
    assert "away" in out
    assert '- path: "/*"' in out
    assert "+ api all" in ctl("rollback", revision, "--dry-run")[1]
    assert ctl("rollback", revision)[0] == 0
    assert ctl("get", "api", "all")[0] == 0


def test_nodes_and_one_node(ctl: Ctl, node: FakeNode) -> None:
    code, out, _ = ctl("nodes")
    assert (code, out.split()[:3]) == (0, [node.address, node.address, "ok"])
    assert json.loads(ctl("nodes", "--format", "json")[1])["nodes"][0]["id"] == node.address
    code, _, err = ctl("drain", "n9")
    assert (code, "no node n9 has registered" in err.lower()) == (1, True)
    assert ctl("undrain", "n9")[1] == "n9 takes traffic again\n"
    code, _, err = ctl("--node", "n9", "status", "--once")
    assert (code, "there is no node n9" in err) == (1, True)


def test_a_token_from_a_file(
    started: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    (tmp_path / "token").write_text(started[1] + "\n")
    assert main(["--admin", started[0], "--token-file", str(tmp_path / "token"), "get", "servers"]) == 0
    assert main(["--admin", started[0], "get", "servers"]) == 1
    assert main(["--admin", started[0], "--token-file", str(tmp_path / "none"), "get", "servers"]) == 2
    assert "wants a token" in capsys.readouterr().err


def test_an_export_of_the_old_gateway_is_imported(ctl: Ctl, file: Callable[[object], str]) -> None:
    export = file(EXPORT)
    code, out, err = ctl("import", "-f", export, "--dry-run")
    assert (code, err) == (0, "")
    assert "+ server 10.0.0.1:80" in out
    assert ctl("get", "server", "10.0.0.1:80")[0] == 1
    assert ctl("import", "-f", export)[0] == 0
    assert ctl("get", "server", "10.0.0.1:80")[0] == 0
    assert "imported from" in ctl("history", "--limit", "1")[1]

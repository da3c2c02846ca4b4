"""What is started again, seen from programs that print it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gproxy.master.program import Program
from tests.master.running import ROOT

TELL = (
    f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
    "from gproxy.master.program import Program\n"
    "program = Program.of_this_process()\n"
    "print(*program.arguments, program.folder, sep='\\n')\n"
)


def told(command: list[str], folder: Path, named: str | None = None) -> list[str]:
    environment = os.environ | {"PWD": named or str(folder)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_a_script_is_started_by_its_own_name(tmp_path: Path) -> None:
    script = tmp_path / "tell"
    script.write_text(f"#!{sys.executable}\n{TELL}")
    script.chmod(0o755)
    assert told(["./tell", "-w", "2"], tmp_path) == [f"{tmp_path}/./tell", "-w", "2", str(tmp_path)]


def test_a_module_or_a_plain_file_is_started_by_its_python(tmp_path: Path) -> None:
    (tmp_path / "tell.py").write_text(TELL)
    assert told([sys.executable, "-m", "tell", "x"], tmp_path) == [sys.executable, "-m", "tell", "x", str(tmp_path)]
    assert told([sys.executable, "-Xdev", "tell.py"], tmp_path) == [sys.executable, "-Xdev", "tell.py", str(tmp_path)]


def test_the_folder_is_the_one_that_was_named(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "tell.py").write_text(TELL)
    (tmp_path / "current").symlink_to("one")
    command = [sys.executable, "-m", "tell"]
    assert told(command, tmp_path / "one", f"{tmp_path}/current")[-1] == f"{tmp_path}/current"
    for lie in ("/", "one", f"{tmp_path}/none"):
        assert told(command, tmp_path / "one", lie)[-1] == f"{tmp_path}/one"


def test_a_process_becomes_the_program(tmp_path: Path) -> None:
    program = Program((sys.executable, "-c", "import os; print(os.getcwd(), os.environ)"), str(tmp_path))
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(writer, 1)
        program.become({"COLOUR": "blue", "LC_CTYPE": "C.UTF-8"})
    os.close(writer)
    with os.fdopen(reader) as output:
        assert output.read().startswith(f"{tmp_path} environ({{'COLOUR': 'blue'")
    os.waitpid(child, 0)


def test_what_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Program((f"{tmp_path}/none",), os.getcwd()).become({})

"""The Dockerfile, read as Docker reads it: what it copies is there, what it runs are the real steps of an install.

With GPROXY_LARGE_TESTS in the environment its steps are carried out, in a folder in place of the image.
"""

import fnmatch
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from gproxy import settings
from tests.master.running import ROOT, Running

DOCKERFILE = ROOT / "conf" / "Dockerfile"
#: Folders of the image that steps work with; `useradd` belongs to the system of the image.
IMAGE_FOLDERS = re.compile(r"(?<![\w.])/(?:src|usr/local/lib/gproxy|etc/gproxy|var/lib/gproxy)\b")


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction of the Dockerfile; `stage` counts its FROMs."""

    stage: int
    word: str
    text: str

    @property
    def sources(self) -> list[str]:
        """What a COPY from the checkout copies."""
        return [] if self.text.startswith("--from") else self.text.split()[:-1]


def steps() -> list[Step]:
    found, stage = [], 0
    for line in DOCKERFILE.read_text().splitlines():
        if line and not line.startswith("#"):
            word, _, text = line.partition(" ")
            stage += word == "FROM"
            found.append(Step(stage, word, text))
    return found


def texts(word: str) -> list[str]:
    return [step.text for step in steps() if step.word == word]


def in_context(root: Path) -> list[Path]:
    """Return the files below a checkout that .dockerignore lets into the build."""
    allowed, refused = [], []
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        (allowed if line.startswith("!") else refused).append(line.removeprefix("!"))
    assert refused[0] == "**", "everything is left out that is not named"
    files = [path for name in allowed for path in (root / name, *(root / name).rglob("*")) if path.is_file()]
    return [path for path in files if not any(_is_refused(path.relative_to(root), pattern) for pattern in refused[1:])]


def _is_refused(path: Path, pattern: str) -> bool:
    if pattern.startswith("**/"):
        return any(fnmatch.fnmatch(part, pattern.removeprefix("**/")) for part in path.parts)
    return path.is_relative_to(pattern)


def test_what_is_copied_is_there() -> None:
    for step in steps():
        if step.word == "COPY":
            assert all((ROOT / source).exists() for source in step.sources), step


def test_the_build_sees_what_it_needs_and_not_more() -> None:
    names = {str(path.relative_to(ROOT)) for path in in_context(ROOT)}
    needed = {"setup.py", "pyproject.toml", "README.md", "LICENSE", "gproxy/__init__.py", "gadmin/__init__.py"}
    assert needed | {"scripts/build/backend.py", "web/package.json", "conf/container.ini"} <= names
    assert not [name for name in names if name.startswith((".venv", ".git", "tests", "run"))]


def test_it_is_installed_by_pip_as_the_readme_says() -> None:
    *_, install = [text for text in texts("RUN") if "pip" in text]
    assert install.endswith("bin/pip install --no-cache-dir .")
    assert "pip install ." in (ROOT / "README.md").read_text()


def test_its_settings_are_valid_and_its_ports_are_theirs() -> None:
    (copied,) = [text.split() for text in texts("COPY") if "container.ini" in text]
    loaded = settings.load(ROOT / copied[0])
    exposed = texts("EXPOSE")[0].split()
    assert [bind.rpartition(":")[2] for bind in (*loaded.gproxy.bind, loaded.control.bind)] == exposed
    (entry,) = (json.loads(text) for text in texts("ENTRYPOINT"))
    assert entry == ["gproxy", "-c", copied[1]]
    assert "gproxy=gproxy.__main__:main" in (ROOT / "setup.py").read_text()
    assert exposed[1] in texts("HEALTHCHECK")[0]
    assert texts("STOPSIGNAL") == ["SIGTERM"]


@pytest.mark.skipif("GPROXY_LARGE_TESTS" not in os.environ, reason="takes a minute; set GPROXY_LARGE_TESTS to run it")
@pytest.mark.timeout(600)
def test_its_steps_make_a_gateway_that_runs(tmp_path: Path) -> None:
    def placed(text: str) -> str:
        return IMAGE_FOLDERS.sub(lambda found: str(tmp_path) + found[0], text)

    folder = tmp_path
    environment = {**os.environ, "PATH": f"{Path(sys.executable).resolve().parent}:{os.environ['PATH']}"}
    for step in steps():
        if step.word == "WORKDIR":
            folder = Path(placed(step.text))
            folder.mkdir(parents=True, exist_ok=True)
        elif step.word == "COPY" and step.text == ". .":
            for path in in_context(ROOT):
                target = folder / path.relative_to(ROOT)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, target)
        elif step.word == "COPY" and step.sources:
            target = Path(placed(step.text.split()[-1]))
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / step.sources[0], target)
        elif step.word == "RUN" and not step.text.startswith("useradd"):
            subprocess.run(placed(step.text), shell=True, cwd=folder, env=environment, check=True)
        elif step.word == "ENV":
            name, _, value = placed(step.text).partition("=")
            environment[name] = value.replace("$PATH", environment["PATH"])
    running = Running(tmp_path)
    (entry,) = (json.loads(placed(text)) for text in texts("ENTRYPOINT"))
    running.command = [str(shutil.which(entry[0], path=environment["PATH"]))]
    assert running.command[0].startswith(str(tmp_path))
    assert subprocess.run([*running.command, *entry[1:], "-t"], cwd=folder, check=False).returncode == 0
    with running:
        assert running.addresses()
        running.send(signal.SIGTERM)
        assert running.wait() == 0

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from scripts.build import backend, frontend

ROOT = Path(__file__).parents[3]


def test_a_wheel_holds_pages_and_their_third_party_code(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    for name in ("gproxy", "gadmin", "web", "scripts"):
        shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, checkout / name)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", "out", "."]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = (checkout / "out").iterdir()
    with zipfile.ZipFile(built) as wheel:
        names = set(wheel.namelist())
    assert {"gproxy/__main__.py", "gadmin/app.py", "gadmin/web/templates/base.html"} <= names
    assert {"gadmin/web/static/vendor/uplot.js", "gadmin/web/static/css/base.css"} <= names
    assert not [name for name in names if name.startswith(("web/", "tests/", "scripts/"))]


def test_the_build_asks_for_npm_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frontend, "requirements", lambda: ["node-somehow"])
    monkeypatch.chdir(ROOT)
    assert "node-somehow" in backend.get_requires_for_build_wheel()
    assert "node-somehow" in backend.get_requires_for_build_editable()

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gproxy.master.kept_code import KeptCode

NAME = "package_to_keep"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package whose modules say which version they are, before anything of it was imported."""
    folder = tmp_path / NAME
    (folder / "inner").mkdir(parents=True)
    for file in ("__init__.py", "inner/__init__.py", "inner/part.py", "other.py"):
        (folder / file).write_text("VERSION = 1\n")
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    yield folder
    for module in [module for module in sys.modules if module.split(".")[0] == NAME]:
        del sys.modules[module]


def versions() -> list[int]:
    return [importlib.import_module(f"{NAME}{part}").VERSION for part in ("", ".inner", ".inner.part", ".other")]


def test_files_that_have_changed_or_gone_are_imported_as_they_were(package: Path) -> None:
    sys.meta_path.insert(0, KeptCode(NAME, package))
    for path in package.rglob("*.py"):
        path.write_text("VERSION = 2\n")
        os.utime(path, (0, 0))
    (package / "other.py").unlink()
    assert versions() == [1, 1, 1, 1]
    module = sys.modules[f"{NAME}.inner.part"]
    assert module.__file__ == str(package / "inner" / "part.py")
    assert sys.modules[f"{NAME}.inner"].__path__ == [str(package / "inner")]


def test_what_is_no_part_of_it_is_left_to_others(package: Path) -> None:
    kept = KeptCode(NAME, package)
    assert kept.find_spec("json", None) is None
    assert kept.find_spec(f"{NAME}.later", None) is None


def test_compiled_files_are_made_once_if_they_are_missing_or_of_another_source(package: Path) -> None:
    compiled = Path(importlib.util.cache_from_source(str(package / "other.py")))
    assert not compiled.exists()
    KeptCode(NAME, package)
    first = compiled.read_bytes()
    made_ns = compiled.stat().st_mtime_ns
    KeptCode(NAME, package)
    assert compiled.stat().st_mtime_ns == made_ns
    (package / "other.py").write_text("VERSION = 1000\n")
    sys.meta_path.insert(0, KeptCode(NAME, package))
    assert compiled.read_bytes() != first
    assert versions() == [1, 1, 1, 1000]


def test_nothing_is_written_when_a_module_is_imported(package: Path) -> None:
    compiled = Path(importlib.util.cache_from_source(str(package / "other.py")))
    sys.meta_path.insert(0, KeptCode(NAME, package))
    compiled.unlink()
    assert versions() == [1, 1, 1, 1]
    assert not compiled.exists()


def test_without_compiled_files_the_source_is_enough(package: Path) -> None:
    (package / "__pycache__").write_text("no folder can be made here")
    sys.meta_path.insert(0, KeptCode(NAME, package))
    assert versions() == [1, 1, 1, 1]

from dataclasses import dataclass
from pathlib import Path

import pytest

from gproxy import settings_values as values
from gproxy.settings_table import Key, SettingsError, load


@dataclass(frozen=True)
class Log:
    level: str


@dataclass(frozen=True)
class Gproxy:
    workers: int


KEYS = (
    Key("log", "level", values.text, "info", "Any word."),
    Key("gproxy", "workers", values.whole, "1", "A number."),
)
SECTIONS = {"log": Log, "gproxy": Gproxy}


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "gproxy.ini"
    path.write_text(text, "utf-8")
    return path


def problems_of(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(KEYS, SECTIONS, written(tmp_path, text))
    return caught.value.problems


def test_defaults_are_read_as_if_written() -> None:
    assert load(KEYS, SECTIONS, None) == {"log": Log("info"), "gproxy": Gproxy(1)}


def test_overrides_win_over_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "[gproxy]\nworkers = 3\n[log]\nlevel = debug\n")
    found = load(KEYS, SECTIONS, path, {"gproxy": {"workers": "5"}})
    assert found == {"log": Log("debug"), "gproxy": Gproxy(5)}


def test_unknown_names_and_bad_values_are_all_reported(tmp_path: Path) -> None:
    assert problems_of(tmp_path, "[gproxy]\nworker = 2\nworkers = x\n[logs]\na = b\n[log]\nworkers = 1\n") == [
        "[gproxy] worker = 2: unknown key; did you mean workers?",
        "[logs]: unknown section; did you mean [log]?",
        "[log] workers = 1: unknown key; it belongs in [gproxy] workers",
        "[gproxy] workers = x: must be a whole number, 0 or more",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("workers = 1\n", "line 1: there is no [section] above this line"),
        ("[log]\nlevel = info\nlevel = debug\n", "line 3: [log] level is given twice"),
        ("[log]\n[log]\n", "line 2: [log] is given twice"),
        ("[log]\nlevel info\n", "line 2: is not key = value: 'level info\\n'"),
    ],
)
def test_a_file_that_is_no_ini_names_the_line(tmp_path: Path, text: str, problem: str) -> None:
    assert problems_of(tmp_path, text) == [f"{tmp_path}/gproxy.ini {problem}"]


def test_an_unreadable_file_is_one_problem(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load(KEYS, SECTIONS, tmp_path / "none.ini")
    assert caught.value.problems == [f"{tmp_path}/none.ini: cannot be read: No such file or directory"]
    (tmp_path / "bytes.ini").write_bytes(b"[log]\nlevel = \xff\n")
    with pytest.raises(SettingsError, match="is not UTF-8 text: byte 14"):
        load(KEYS, SECTIONS, tmp_path / "bytes.ini")


def test_comments_beside_values_are_no_part_of_them(tmp_path: Path) -> None:
    path = written(tmp_path, "[gproxy]\nworkers = 4  ; four\n")
    assert load(KEYS, SECTIONS, path)["gproxy"] == Gproxy(4)

from dataclasses import fields
from pathlib import Path

import pytest

from gproxy import settings
from gproxy.settings import KEYS, SECTIONS, SettingsError, load

INI = Path(__file__).parent.parent / "conf" / "gproxy.ini"


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "gproxy.ini"
    path.write_text(text, "utf-8")
    return path


def problems_of(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(written(tmp_path, text))
    return caught.value.problems


def test_the_shipped_ini_is_the_table_of_defaults() -> None:
    lines, section = [], ""
    for key in KEYS:
        if key.section != section:
            section = key.section
            lines += ["", f"[{section}]"]
        lines += [f"# {key.doc}", f"{key.name} = {key.default}".rstrip()]
    head, _, body = INI.read_text("utf-8").partition("\n\n")
    assert all(line.startswith("# ") for line in head.splitlines())
    assert body.splitlines() == lines[1:]


def test_the_table_and_the_dataclasses_agree() -> None:
    for section, built in SECTIONS.items():
        names = {field.name for field in fields(built)}  # type: ignore[arg-type]
        assert names == {key.name for key in KEYS if key.section == section}


def test_a_file_of_defaults_equals_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = load(None)
    assert found == load(INI)
    assert found.gproxy.bind == ("127.0.0.1:8080",)
    assert found.gproxy.graceful_timeout_s == 30
    assert found.store.url == "sqlite:///run/gateway.db"
    assert found.store.password_file is None
    assert found.limits.head_bytes == 32768
    assert found.log.access == "off"
    assert found.control.bind == "127.0.0.1:9900"


def test_the_default_file_is_used_when_it_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf").mkdir()
    (tmp_path / settings.DEFAULT_PATH).write_text("[gproxy]\nworkers = 3\n")
    assert load(None).gproxy.workers == 3


def test_the_command_line_wins_over_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "[gproxy]\nworkers = 3\nbind = :1\n")
    found = load(path, {"gproxy": {"workers": "5"}, "store": {"url": "sqlite:///x"}})
    assert (found.gproxy.workers, found.gproxy.bind, found.store.url) == (5, (":1",), "sqlite:///x")


def test_all_problems_are_listed_at_once(tmp_path: Path) -> None:
    problems = problems_of(
        tmp_path,
        "[gproxy]\nworkers = many\nbind = here\nworker = 2\ntotal_s = 4\n[logs]\nlevel = x\n"
        "[timeouts]\nconnect_s = 3s\n",
    )
    assert problems == [
        "[gproxy] worker = 2: unknown key; did you mean workers?",
        "[gproxy] total_s = 4: unknown key; it belongs in [timeouts] total_s",
        "[logs]: unknown section; did you mean [log]?",
        "[gproxy] bind = here: here: must be host:port, [v6]:port, :port or unix:/path, port 0 to 65535",
        "[gproxy] workers = many: must be auto or a number from 1 to 128",
        "[timeouts] connect_s = 3s: must be a number of seconds, 0 or more, without a unit",
    ]


def test_the_control_address_cannot_be_a_public_one(tmp_path: Path) -> None:
    assert problems_of(tmp_path, "[gproxy]\nbind = :9900\n[control]\nbind = :9900\n") == [
        "[control] bind = :9900: is also one of [gproxy] bind"
    ]

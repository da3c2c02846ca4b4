from dataclasses import fields
from pathlib import Path

import pytest

from gadmin import settings
from gadmin.settings import KEYS, SECTIONS, load
from gproxy.settings_table import SettingsError

INI = Path(__file__).parents[2] / "conf" / "gadmin.ini"


def problems_of(overrides: dict[str, dict[str, str]]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(INI, overrides)
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


def test_only_the_machine_itself_is_served_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = load(None)
    assert found == load(INI)
    assert found.gadmin.bind == "127.0.0.1:9901"
    assert found.fleet.nodes == ()
    (tmp_path / "conf").mkdir()
    (tmp_path / settings.DEFAULT_PATH).write_text("[gadmin]\nthreads = 3\n")
    assert load(None).gadmin.threads == 3


def test_nodes_are_addresses_with_or_without_scheme() -> None:
    assert load(INI, {"fleet": {"nodes": "10.0.0.1:9900, http://node:9900/, unix:/run/node.sock"}}).fleet.nodes == (
        "10.0.0.1:9900",
        "node:9900",
        "unix:/run/node.sock",
    )


@pytest.mark.parametrize(
    ("section", "key", "value", "problem"),
    [
        ("gadmin", "threads", "1", "must be a number from 2 to 256"),
        ("gadmin", "bind", "here", "must be host:port"),
        ("gadmin", "cert_file", "a.pem", "cert_file and key_file go together"),
        ("accounts", "url", "mysql://x", "must be sqlite:///path or etcd://"),
        ("accounts", "session_hours", "0", "must be more than 0"),
        ("fleet", "nodes", "x", "must be host:port"),
        ("gproxy", "workers", "2", "unknown section"),
    ],
)
def test_what_cannot_be_is_said(section: str, key: str, value: str, problem: str) -> None:
    (found,) = problems_of({section: {key: value}})
    assert problem in found

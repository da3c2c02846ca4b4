from pathlib import Path

from gproxy.settings import load
from scripts.long_run.clients import KINDS
from scripts.long_run.configuration import apis, ini


def test_the_settings_are_good_ones(tmp_path: Path) -> None:
    path = tmp_path / "gproxy.ini"
    path.write_text(ini(tmp_path, 1001, 1002, 1003))
    loaded = load(path)
    assert loaded.gproxy.workers == 2
    assert loaded.filters.extra


def test_every_api_has_a_kind_of_request_and_shares_are_given() -> None:
    assert len(apis()) <= len(KINDS)
    assert sum(weight for weight, _ in KINDS.values()) >= 100

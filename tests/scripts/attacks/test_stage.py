from pathlib import Path

from gproxy.entrances import entrances
from gproxy.settings import load
from scripts.attacks.stage import ini


def test_the_settings_are_good_ones(tmp_path: Path) -> None:
    path = tmp_path / "gproxy.ini"
    path.write_text(ini(tmp_path, {"limits": {"connections_per_ip": "20"}, "timeouts": {"head_s": "7"}}))
    loaded = load(path)
    assert [(way.speaks_tls, way.announces) for way in entrances(loaded)] == [
        (False, False),
        (False, True),
        (True, False),
    ]
    assert (loaded.limits.connections_per_ip, loaded.timeouts.head_s, loaded.timeouts.body_s) == (20, 7, 1)

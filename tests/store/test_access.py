from pathlib import Path

from gproxy import settings
from gproxy.store.access import NOBODY, Access


def test_it_is_what_the_settings_say() -> None:
    assert Access.of(settings.load(None, {}).store) == NOBODY
    texts = {"username": "gw", "password_file": "p", "ca_file": "ca", "cert_file": "cert", "key_file": "key"}
    found = Access.of(settings.load(None, {"store": texts}).store)
    assert found == Access("gw", *map(Path, ("p", "ca", "cert", "key")))

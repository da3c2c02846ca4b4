import os
import time
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import gevent
import pytest

from gproxy.core.key_source import KeySource, fetched_name
from gproxy.shared import layout
from gproxy.worker import key_wait
from gproxy.worker.deadlines import NEVER
from gproxy.worker.key_files import FOLDER
from gproxy.worker.key_wait import newer_keys
from gproxy.worker.link import ClientGone
from tests.harness.tokens import issuer, jwks
from tests.worker.stage import Stage, in_loop

SOURCE = KeySource("jwks", "", "", "https://id.example/keys", ("ES256",), 60.0)


@pytest.fixture
def publish(stage: Stage) -> Callable[..., None]:
    """Write what the monitor would have fetched, `age_s` ago."""
    folder: Path = stage.settings.gproxy.run_dir / FOLDER

    def write(kid: str, age_s: float = 0) -> None:
        folder.mkdir(exist_ok=True)
        file = folder / fetched_name(SOURCE.url)
        file.write_bytes(jwks(issuer("ES256", kid).jwk()))
        os.utime(file, (time.time() - age_s, time.time() - age_s))

    return write


def kids(stage: Stage, deadline: float = NEVER) -> list[str] | None:
    exchange = stage.exchange()
    exchange.deadline = deadline
    found = gevent.spawn(newer_keys, exchange, SOURCE).get(timeout=10)
    return None if found is None else [key.kid for key in found.keys]


def test_newer_keys_are_waited_for(stage: Stage, publish: Callable[..., None]) -> None:
    publish("1", age_s=60)
    gevent.spawn_later(0.05, publish, "2")
    assert kids(stage) == ["2"]
    assert stage.cell(layout.KEYS_WANTED) == 1
    assert kids(stage) == ["2"]  # so lately that nobody is asked
    assert stage.cell(layout.KEYS_WANTED) == 1


def test_nobody_waits_beyond_the_deadline_of_the_request(stage: Stage, publish: Callable[..., None]) -> None:
    publish("1", age_s=60)
    since = monotonic()
    assert kids(stage, deadline=since + 0.1) == ["1"]
    assert monotonic() - since < 2


def test_a_server_that_is_away_is_waited_for_once(
    stage: Stage, publish: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_wait, "_WAIT_S", 0.1)
    publish("1", age_s=60)
    for _ in range(3):
        assert kids(stage) == ["1"]
    assert stage.cell(layout.KEYS_WANTED) == 1


def test_files_of_the_operator_are_only_looked_at(stage: Stage, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_bytes(jwks(issuer("ES256", "1").jwk()))
    found = newer_keys(stage.exchange(), SOURCE._replace(url="", file=str(file)))
    assert found is not None
    assert stage.cell(layout.KEYS_WANTED) == 0


def test_a_client_that_leaves_ends_the_wait(stage: Stage, publish: Callable[..., None]) -> None:
    publish("1", age_s=60)
    exchange = stage.exchange()
    waiting = gevent.spawn(newer_keys, exchange, SOURCE)
    gevent.sleep(0.01)

    def leave() -> None:
        assert exchange.client.waits_for is not None
        exchange.client.waits_for.interrupt(ClientGone("closed"))

    in_loop(leave)
    with pytest.raises(ClientGone):
        waiting.get(timeout=5)

"""HUP with a changed INI under load: another store, another address, more workers, all at once, and no request lost."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.echo import EchoBackend
from tests.harness.gateway import Gateway
from tests.harness.load import Load
from tests.harness.site import documents
from tests.harness.waiting import eventually
from tests.master.running import ROOT


def fill(store: str, folder: Path, address: str) -> None:
    """Write the documents of a site into a store."""
    content = folder / "other.json"
    content.write_text(json.dumps(documents({"two": address})))
    command = [sys.executable, "-m", "gproxy.ctl", "--store", store, "apply", "-f", str(content)]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)


@pytest.fixture
def backends() -> Iterator[tuple[EchoBackend, EchoBackend]]:
    with EchoBackend("one") as one, EchoBackend("two") as two:
        yield one, two


def whose(gateway: Gateway) -> object:
    with gateway.client() as client:
        return client.get("/whose").json()["backend"]


def test_another_store_comes_with_a_reload(tmp_path: Path, backends: tuple[EchoBackend, EchoBackend]) -> None:
    one, two = backends
    other = f"sqlite:///{tmp_path}/other.db"
    fill(other, tmp_path, two.address)
    with Gateway(tmp_path, documents({"one": one.address})) as gateway:
        assert whose(gateway) == "one"
        with Load(gateway.client) as load:
            gateway.configure(
                {
                    "store": {"url": other},
                    "gproxy": {"workers": 2, "bind": f"127.0.0.1:0, unix:{tmp_path}/g.sock"},
                }
            )
            gateway.signal(signal.SIGHUP)
            eventually(lambda: whose(gateway) == "two", 30, "the other store's configuration is in use")
            load.wait_for(50)
            assert len(gateway.worker_pids()) == 2
            assert (tmp_path / "g.sock").exists()
            # A store that cannot be reached leaves what was read last, also to workers that begin with it.
            (tmp_path / "other.db").rename(tmp_path / "elsewhere")
            before = gateway.worker_pids()
            gateway.signal(signal.SIGHUP)
            eventually(lambda: len(gateway.worker_pids() - before) == 2, 30)
            load.wait_for(50)
            assert whose(gateway) == "two"
            assert gateway.control_get("/readyz") == {"status": "ready"}
        assert load.lost == []

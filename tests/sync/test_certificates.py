import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gproxy import settings
from gproxy.core.bundle import Bundle
from gproxy.role import NO_SLOT, Context, TlsShare
from gproxy.shared.table import Table
from gproxy.shared.vault import Vault
from gproxy.sync.certificates import LOOK_EVERY_S, Certificates
from tests.harness.pairs import Issuer


@pytest.fixture
def table() -> Iterator[Table]:
    made = Table.create(slots=1, rows=64)
    yield made
    made.close()


def test_the_folder_is_looked_at_now_and_then(table: Table, tmp_path: Path) -> None:
    loaded = settings.load(None, {"tls": {"bind": ":0", "certificates": str(tmp_path)}})
    vault = Vault.create()
    looking = Certificates(Context(loaded, table, NO_SLOT, (), os.getppid(), TlsShare(vault, (), 0.0)))

    def names_at(now_s: float) -> list[str]:
        looking.look(now_s)
        return [pair.certificate.name for pair in Bundle.unpack(vault.read()[1]).pairs]

    issuer = Issuer()
    issuer.write(tmp_path, "a", "a.test")
    assert names_at(100.0) == ["a"]
    issuer.write(tmp_path, "b", "b.test")
    assert names_at(100.0 + LOOK_EVERY_S / 2) == ["a"]
    assert names_at(100.0 + LOOK_EVERY_S) == ["a", "b"]
    vault.close()


def test_without_tls_nothing_is_looked_at(table: Table) -> None:
    Certificates(Context(settings.load(None), table, NO_SLOT, (), os.getppid())).look(100.0)

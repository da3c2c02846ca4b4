import multiprocessing
import os
from collections.abc import Iterator

import pytest

from gproxy.shared.vault import Vault


@pytest.fixture
def vault() -> Iterator[Vault]:
    made = Vault.create()
    yield made
    made.close()


def test_it_begins_empty(vault: Vault) -> None:
    assert vault.read() == (0, b"")


def test_what_was_published_last_is_read(vault: Vault) -> None:
    for number, value in enumerate((b"one", b"longer than one", b"", b"x" * 3_000_000, b"short"), 1):
        assert vault.publish(value) == number
        assert vault.version() == number
        assert vault.read() == (number, value)


def test_it_is_in_no_file_system(vault: Vault) -> None:
    vault.publish(b"secret")
    assert os.readlink(f"/proc/self/fd/{vault.fd}").startswith("/memfd:gproxy-vault")


def publish_often(vault: Vault, times: int) -> None:
    for number in range(times):
        vault.publish(bytes([number % 251]) * (1000 + number * 37 % 50_000))


def test_no_reader_sees_a_mixture(vault: Vault) -> None:
    writer = multiprocessing.get_context("fork").Process(target=publish_often, args=(vault, 3000))
    writer.start()
    seen = set()
    while writer.is_alive():
        version, value = vault.read()
        assert len(set(value)) <= 1
        assert not version or len(value) == 1000 + (version - 1) * 37 % 50_000
        seen.add(version)
    writer.join()
    assert writer.exitcode == 0
    assert len(seen) > 5

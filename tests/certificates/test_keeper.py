import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gproxy.certificates.keeper import SOON_S, Keeper
from gproxy.core.bundle import Bundle
from gproxy.settings import TlsSection, load
from gproxy.shared.vault import Vault
from tests.harness.pairs import Issuer, key_pem

ISSUER = Issuer()
NOW = time.time()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "certificates"
    made.mkdir()
    return made


@pytest.fixture
def vault() -> Iterator[Vault]:
    made = Vault.create()
    yield made
    made.close()


def settings(folder: Path, **keys: object) -> TlsSection:
    empty = folder.parent / "empty.ini"
    empty.touch()
    return load(empty, {"tls": {"certificates": str(folder), **{key: str(value) for key, value in keys.items()}}}).tls


@pytest.fixture
def keeper(folder: Path, vault: Vault) -> Keeper:
    ISSUER.write(folder, "a", "a.test")
    made = Keeper(settings(folder), vault, NOW)
    assert made.look(NOW)
    return made


def published(vault: Vault) -> Bundle:
    return Bundle.unpack(vault.read()[1])


def replace(path: Path, text: bytes) -> None:
    """Write a file as deployment tools do; a clock of coarse ticks must not hide it."""
    new = path.with_suffix(".new")
    new.write_bytes(text)
    os.replace(new, path)


def names(vault: Vault) -> list[str]:
    return [pair.certificate.name for pair in published(vault).pairs]


def errors(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [
        (record.certificate, getattr(record, "reason", record.message))  # type: ignore[attr-defined]
        for record in caplog.records
        if record.levelno >= logging.WARNING
    ]


def test_pairs_are_published_once(keeper: Keeper, vault: Vault) -> None:
    assert names(vault) == ["a"]
    version = vault.version()
    keeper.look(NOW)
    assert vault.version() == version


def test_what_comes_changes_and_goes(keeper: Keeper, folder: Path, vault: Vault) -> None:
    ISSUER.write(folder, "b", "b.test")
    keeper.look(NOW)
    assert names(vault) == ["a", "b"]
    before = published(vault).pairs
    replace(folder / "b.crt", ISSUER.certificate("new.test"))
    keeper.look(NOW)
    after = published(vault).pairs
    assert after[0] == before[0]
    assert after[1].certificate.hosts == ("new.test",)
    (folder / "a.crt").unlink()
    keeper.look(NOW)
    assert names(vault) == ["b"]


def test_a_bad_pair_harms_no_other_and_stays_as_it_was(
    keeper: Keeper, folder: Path, vault: Vault, caplog: pytest.LogCaptureFixture
) -> None:
    good = published(vault).pairs
    replace(folder / "a.crt", b"rubbish")
    ISSUER.write(folder, "b", "b.test")
    keeper.look(NOW)
    assert published(vault).pairs[0] == good[0]
    assert names(vault) == ["a", "b"]
    assert not errors(caplog), "it may be half written"
    for _ in range(3):
        keeper.look(NOW)
    ((name, reason),) = errors(caplog)
    assert name == "a"
    assert "no readable certificate" in reason
    assert [problem.name for problem in published(vault).problems] == ["a"]
    replace(folder / "a.crt", ISSUER.certificate("again.test"))
    keeper.look(NOW)
    assert not published(vault).problems
    assert published(vault).pairs[0].certificate.hosts == ("again.test",)


def test_certificate_and_key_are_rarely_written_at_once(
    keeper: Keeper, folder: Path, vault: Vault, caplog: pytest.LogCaptureFixture
) -> None:
    good = published(vault).pairs
    replace(folder / "a.crt", ISSUER.certificate("a.test", number=1))
    keeper.look(NOW)
    assert published(vault).pairs == good
    replace(folder / "a.key", key_pem("ec", 1))
    keeper.look(NOW)
    assert published(vault).pairs != good
    assert not errors(caplog)


def test_at_the_start_everything_is_told(folder: Path, vault: Vault, caplog: pytest.LogCaptureFixture) -> None:
    ISSUER.write(folder, "bad", "bad.test")
    (folder / "bad.key").write_bytes(b"")
    keeper = Keeper(settings(folder), vault, NOW)
    keeper.look(NOW)
    keeper.tell_all()
    keeper.look(NOW)
    assert errors(caplog) == [("bad", "there is no readable private key")]


def test_a_file_that_cannot_be_read(keeper: Keeper, folder: Path, vault: Vault) -> None:
    (folder / "gone.pem").symlink_to(folder / "nowhere")
    keeper.look(NOW)
    (problem,) = published(vault).problems
    assert problem.reason == f"{folder}/gone.pem: No such file or directory"


def test_a_folder_that_is_away_takes_nothing_away(keeper: Keeper, folder: Path, vault: Vault) -> None:
    folder.rename(folder.parent / "elsewhere")
    keeper.look(NOW)
    assert names(vault) == ["a"]
    assert "No such file" in published(vault).problems[0].reason
    (folder.parent / "elsewhere").rename(folder)
    keeper.look(NOW)
    assert not published(vault).problems


def test_another_keeper_goes_on_from_the_vault(keeper: Keeper, folder: Path, vault: Vault) -> None:
    replace(folder / "a.crt", b"rubbish")
    keeper.look(NOW)
    version = vault.version()
    successor = Keeper(settings(folder), vault, NOW)
    successor.look(NOW)
    assert vault.version() == version
    assert names(vault) == ["a"], "what was good is not forgotten with the process"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"days": 1}, "certificate expires soon"),
        ({"days": -1}, "certificate has expired, clients will refuse it"),
        ({"since_days": 1, "days": 9}, "certificate is not valid yet, clients will refuse it"),
    ],
)
def test_age_is_told_once(
    keeper: Keeper,
    folder: Path,
    vault: Vault,
    caplog: pytest.LogCaptureFixture,
    options: dict[str, float],
    message: str,
) -> None:
    ISSUER.write(folder, "b", "b.test", **options)
    for _ in range(3):
        keeper.look(NOW)
    assert errors(caplog) == [("b", message)]
    assert names(vault) == ["a", "b"], "it is shown all the same: the client says best what is wrong"


def test_age_is_told_when_it_comes(keeper: Keeper, caplog: pytest.LogCaptureFixture) -> None:
    end_s = keeper.bundle.pairs[0].certificate.not_after_s
    for now_s in (NOW, end_s - SOON_S - 1, end_s - SOON_S, end_s - 1, end_s, end_s + 1):
        keeper.look(now_s)
    assert [message for _, message in errors(caplog)] == [
        "certificate expires soon",
        "certificate has expired, clients will refuse it",
    ]


@pytest.fixture
def authorities(folder: Path) -> Callable[[bytes], Path]:
    file = folder.parent / "authorities.pem"

    def write(text: bytes) -> Path:
        replace(file, text)
        return file

    return write


def test_the_authorities_of_clients(folder: Path, vault: Vault, authorities: Callable[[bytes], Path]) -> None:
    file = authorities(ISSUER.pem)
    ISSUER.write(folder, "a", "a.test")
    keeper = Keeper(settings(folder, client_ca_file=file, client_certificates="optional"), vault, NOW)
    keeper.look(NOW)
    assert published(vault).client_authorities == ISSUER.pem.decode()
    other = Issuer()
    authorities(other.pem)
    keeper.look(NOW)
    assert published(vault).client_authorities == other.pem.decode()
    for bad in (b"rubbish", b"\xff"):
        authorities(bad)
        keeper.look(NOW)
        assert published(vault).client_authorities == other.pem.decode()
        assert [problem.name for problem in published(vault).problems] == ["client_ca_file"]
    file.unlink()
    keeper.look(NOW)
    assert "No such file" in published(vault).problems[0].reason


def test_a_thousand_certificates_are_checked_fast(folder: Path, vault: Vault) -> None:
    texts = [ISSUER.certificate(f"{number}.test") + key_pem() for number in range(10)]
    for number in range(1000):
        (folder / f"{number}.pem").write_bytes(texts[number % 10])
    keeper = Keeper(settings(folder), vault, NOW)
    began_s = time.process_time()
    keeper.look(NOW)
    assert time.process_time() - began_s < 1.0
    assert len(published(vault).pairs) == 1000
    began_s = time.process_time()
    keeper.look(NOW)
    assert time.process_time() - began_s < 0.2, "nothing has changed"

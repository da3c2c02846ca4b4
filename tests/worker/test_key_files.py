import logging
import os
from pathlib import Path

import pytest

from gproxy.core.key_source import KeySource, fetched_name
from gproxy.worker.key_files import FOLDER, LOOK_S, KeyFiles
from tests.harness.tokens import issuer, jwks


@pytest.fixture
def clock() -> list[float]:
    return [0.0]


@pytest.fixture
def files(tmp_path: Path, clock: list[float]) -> KeyFiles:
    return KeyFiles(tmp_path, lambda: clock[0])


def source(file: Path | str = "", url: str = "") -> KeySource:
    return KeySource("jwks", "", str(file), url, ("ES256",), 60.0)


def kids(files: KeyFiles, wanted: KeySource, at_once: bool = False) -> list[str] | None:
    found = files.get(wanted, at_once)
    return None if found is None else [key.kid for key in found.keys]


def test_a_file_is_looked_at_again_now_and_then(tmp_path: Path, files: KeyFiles, clock: list[float]) -> None:
    file = tmp_path / "keys.json"
    file.write_bytes(jwks(issuer("ES256", "1").jwk()))
    assert kids(files, source(file)) == ["1"]
    file.write_bytes(jwks(issuer("ES256", "2").jwk()))
    os.utime(file, ns=(1, 1))
    assert kids(files, source(file)) == ["1"]
    clock[0] += LOOK_S
    assert kids(files, source(file)) == ["2"]
    file.write_bytes(jwks(issuer("ES256", "3").jwk()))
    assert kids(files, source(file), at_once=True) == ["3"]


def test_what_cannot_be_used_leaves_the_keys_as_they_are(
    tmp_path: Path, files: KeyFiles, clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "keys.json"
    with caplog.at_level(logging.ERROR):
        assert kids(files, source(file)) is None
        assert [vars(record)["file"] for record in caplog.records] == [file]
        file.write_bytes(jwks(issuer("ES256", "1").jwk()))
        assert kids(files, source(file), at_once=True) == ["1"]
        file.write_bytes(b"half of a fi")
        for _ in range(3):
            clock[0] += LOOK_S
            assert kids(files, source(file)) == ["1"]
        assert [vars(record)["reason"] for record in caplog.records][1:] == ["is not a JSON Web Key Set"]
        file.unlink()
        assert kids(files, source(file), at_once=True) == ["1"]


def test_fetched_keys_are_files_too(tmp_path: Path, files: KeyFiles, caplog: pytest.LogCaptureFixture) -> None:
    wanted = source(url="https://id.example/keys")
    assert kids(files, wanted) is None
    assert files.age_s(wanted) == float("inf")
    assert not caplog.records  # it is about to be fetched
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / fetched_name(wanted.url)).write_bytes(jwks(issuer("ES256", "1").jwk()))
    assert kids(files, wanted, at_once=True) == ["1"]
    assert files.age_s(wanted) < 60


def test_only_so_many_sources_are_remembered(tmp_path: Path, files: KeyFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gproxy.worker.key_files._MOST_SOURCES", 2)
    file = tmp_path / "keys.json"
    file.write_bytes(jwks(issuer("ES256", "1").jwk()))
    for number in range(5):
        assert kids(files, KeySource("jwks", "", str(file), "", ("ES256",), float(number))) == ["1"]
    assert len(files._entries) <= 2

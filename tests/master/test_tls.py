import gc
import logging
import os
import ssl
import time
from pathlib import Path

import pytest

from gproxy import settings
from gproxy.core.bundle import Bundle
from gproxy.master.tls import CHECK_S, FRONTS, CannotSpeakTls, in_process_of_its_own, share_for
from gproxy.role import FRONT_S, TlsShare
from gproxy.settings import TlsSection
from tests.harness.pairs import Issuer

ISSUER = Issuer()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "certificates"
    made.mkdir()
    return made


def asked(folder: Path, **keys: object) -> TlsSection:
    texts = {"bind": ":0", "certificates": str(folder), **{key: str(value) for key, value in keys.items()}}
    return settings.load(None, {"tls": texts}).tls


def names(share: TlsShare) -> list[str]:
    return [pair.certificate.name for pair in Bundle.unpack(share.vault.read()[1]).pairs]


def test_certificates_are_in_the_vault_before_anybody_starts(folder: Path) -> None:
    ISSUER.write(folder, "a", "a.test")
    share = share_for(asked(folder), None)
    assert names(share) == ["a"]
    assert len(share.fronts) == FRONTS
    assert all(isinstance(front, ssl.SSLContext) for front in share.fronts)
    share.vault.close()


def test_a_reload_keeps_the_fronts_and_what_was_good(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in "ab":
        ISSUER.write(folder, name, f"{name}.test")
    old = share_for(asked(folder), None)
    (folder / "a.crt").write_bytes(b"rubbish")
    ISSUER.write(folder, "c", "c.test")
    new = share_for(asked(folder), old)
    assert names(new) == ["a", "b", "c"]
    assert names(old) == ["a", "b"], "its workers go on with what they have"
    assert (new.fronts, new.since_s) == (old.fronts, old.since_s)
    for share in (old, new):
        share.vault.close()


def test_fronts_that_are_used_up_are_made_anew(folder: Path) -> None:
    ISSUER.write(folder, "a", "a.test")
    old = share_for(asked(folder), None)
    aged = TlsShare(old.vault, old.fronts, time.monotonic() - FRONTS * FRONT_S)
    new = share_for(asked(folder), aged)
    assert new.fronts[0] not in old.fronts
    assert new.since_s == pytest.approx(time.monotonic(), abs=60)
    for share in (old, new):
        share.vault.close()


def descriptors() -> int:
    gc.collect()  # or what the tests before have left may go in between
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({}, "[tls] certificates = {folder}: there is no certificate that can be used"),
        ({"certificates": "{folder}/none"}, "[tls] certificates = {folder}/none: there is no certificate that"),
        ({"ciphers": "NONE-OF-THEM"}, "[tls] ciphers = NONE-OF-THEM: OpenSSL knows none of them"),
        (
            {"client_certificates": "optional", "client_ca_file": "{folder}/none"},
            "[tls] client_ca_file = {folder}/none: there is no certificate in it",
        ),
    ],
)
def test_what_keeps_it_from_starting(folder: Path, keys: dict[str, str], problem: str) -> None:
    if keys and "certificates" not in keys:
        ISSUER.write(folder, "a", "a.test")
    filled = {key: value.format(folder=folder) for key, value in keys.items()}
    before = descriptors()
    with pytest.raises(CannotSpeakTls) as caught:
        share_for(asked(folder, **filled), None)
    assert str(caught.value).startswith(problem.format(folder=folder))
    assert descriptors() == before


def test_a_check_that_fails_is_logged_and_one_that_hangs_is_ended(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    in_process_of_its_own(fail)  # its log lines are the child's
    began_s = time.monotonic()
    with caplog.at_level(logging.ERROR):
        in_process_of_its_own(lambda: time.sleep(60), within_s=0.1)
    assert time.monotonic() - began_s < CHECK_S
    assert "takes too long" in caplog.text

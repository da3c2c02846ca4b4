"""TLS with clients: certificates that change while the gateway runs, and sessions that outlive its processes."""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.harness.client import Address, RawClient
from tests.harness.echo import EchoBackend
from tests.harness.gateway import Gateway
from tests.harness.pairs import Issuer, key_pem
from tests.harness.secure import SecureClient, trusting
from tests.harness.site import documents
from tests.harness.waiting import eventually

LARGE = "GPROXY_LARGE_TESTS" in os.environ
VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


@dataclass
class Secure:
    """A gateway of two workers: one plain address, one with TLS, one that redirects."""

    gateway: Gateway
    issuer: Issuer
    folder: Path

    @property
    def address(self) -> Address:
        return self.gateway.addresses[1]

    def client(self, host: str = "a.test", context: ssl.SSLContext | None = None, **options: object) -> SecureClient:
        return SecureClient(self.address, context or trusting(self.issuer), host, **options)  # type: ignore[arg-type]

    def shown(self, host: str) -> list[str]:
        with self.client(host, trusting(self.issuer, check_hostname=False)) as client:
            return client.hosts()

    def replace(self, name: str, text: bytes) -> None:
        new = self.folder.parent / "new"
        new.write_bytes(text)
        os.replace(new, self.folder / name)

    def reload(self) -> None:
        before = self.gateway.log().count(" reloaded ")
        self.gateway.signal(signal.SIGHUP)
        eventually(lambda: self.gateway.log().count(" reloaded ") > before, within_s=30)


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    folder = tmp_path_factory.mktemp("tls")
    certificates, issuer = folder / "certificates", Issuer()
    certificates.mkdir()
    for name in ("a", "b", "bad"):
        issuer.write(certificates, name, f"{name}.test")
    (certificates / "bad.key").write_text("rubbish")
    sections = {
        "gproxy": {"workers": 2},
        "tls": {
            "bind": "127.0.0.1:0",
            "redirect_bind": "127.0.0.1:0",
            "redirect_port": 443,
            "certificates": certificates,
        },
    }
    with EchoBackend() as echo, Gateway(folder, documents({"echo": echo.address}), sections) as gateway:
        yield Secure(gateway, issuer, certificates)


def test_each_address_speaks_its_own(secure: Secure) -> None:
    with secure.client() as client:
        answer = client.get("/a", "a.test")
        assert answer.status == 200
    with secure.gateway.client() as plain:
        assert plain.get("/a").status == 200
    with RawClient(secure.gateway.addresses[2]) as plain:
        answer = plain.get("/a", "a.test")
        assert (answer.status, answer.head.value("location")) == (308, "https://a.test/a")


def test_a_bad_certificate_is_told_and_harms_no_other(secure: Secure) -> None:
    assert secure.shown("a.test") == ["a.test"]
    assert secure.shown("b.test") == ["b.test"]
    log = secure.gateway.log()
    assert "certificate cannot be used certificate=bad" in log
    assert "no readable private key" in log
    command = [sys.executable, "-m", "gproxy", "-t", "-c", str(secure.gateway.ini)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert "bad: there is no readable private key" in done.stderr


def test_sessions_are_resumed_by_every_worker_and_after_a_reload(secure: Secure) -> None:
    sessions = {}
    for version in VERSIONS:
        context = trusting(secure.issuer, maximum_version=version)
        with secure.client(context=context) as client:
            client.get("/")
            sessions[context] = client.tls.session

    def resumed_by_all() -> bool:
        for context, session in sessions.items():
            with secure.client(context=context, session=session) as client:
                client.get("/")
                assert client.tls.session_reused
        return all(worker["tls_resumed"] for worker in accepting(secure.gateway))

    eventually(resumed_by_all)
    secure.reload()
    eventually(resumed_by_all)


def accepting(gateway: Gateway) -> list[dict[str, int]]:
    return [worker for worker in gateway.workers() if worker["state"] == "accepting"]


@dataclass
class Steady:
    """A client that asks again and again over one connection, opening another one only when it is told to."""

    secure: Secure
    trouble: list[BaseException] = field(default_factory=list)
    answers: int = 0
    connections: int = 1

    def __enter__(self) -> Steady:
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()
        assert not self.trouble, self.trouble
        assert self.answers

    def _run(self) -> None:
        try:
            client = self.secure.client()
            while not self._stopped.is_set():
                answer = client.get("/")
                assert answer.status == 200
                self.answers += 1
                if answer.head.value("connection") == "close":
                    client.close()
                    client = self.secure.client()
                    self.connections += 1
            client.close()
        except BaseException as error:
            self.trouble.append(error)


def test_a_file_that_changes_is_shown_and_no_connection_is_lost(secure: Secure) -> None:
    with Steady(secure) as steady:
        secure.replace("a.crt", secure.issuer.certificate("a.test", "changed.test"))
        eventually(lambda: secure.shown("changed.test") == ["a.test", "changed.test"])
        secure.replace("a.crt", b"half of a cert")
        eventually(lambda: "certificate cannot be used certificate=a " in secure.gateway.log())
        assert secure.shown("changed.test") == ["a.test", "changed.test"], "what was good stays"
    assert steady.connections == 1


def test_what_was_good_stays_through_a_reload_and_a_lost_worker(secure: Secure) -> None:
    secure.replace("a.crt", secure.issuer.certificate("a.test", "kept.test"))
    eventually(lambda: "kept.test" in secure.shown("kept.test"))
    secure.replace("a.crt", b"half of a cert")
    with Steady(secure):
        secure.reload()
        assert "kept.test" in secure.shown("kept.test")
    for pid in secure.gateway.worker_pids():
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: len(secure.gateway.worker_pids()) == 2)
    assert "kept.test" in secure.shown("kept.test")
    secure.replace("a.crt", secure.issuer.certificate("a.test"))
    eventually(lambda: secure.shown("a.test") == ["a.test"])


def test_settings_without_any_certificate(secure: Secure, tmp_path: Path) -> None:
    ini = tmp_path / "gproxy.ini"
    tls = f"[tls]\nbind = 127.0.0.1:0\ncertificates = {tmp_path}\n"
    ini.write_text(f"[gproxy]\nbind =\nrun_dir = {tmp_path}/run\n[control]\nbind = 127.0.0.1:0\n{tls}")
    for arguments, code in ((["-t"], 2), ([], 1)):
        command = [sys.executable, "-m", "gproxy", "-c", str(ini), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == code
        assert f"[tls] certificates = {tmp_path}: there is no certificate" in done.stderr


def test_many_certificates_change_at_once(secure: Secure) -> None:
    count = 1000 if LARGE else 100

    def write(number: int, host: str) -> None:
        text = secure.issuer.certificate(host, number=number) + key_pem(number=number)
        for place in range(count):
            (secure.folder / f"many{place:04d}.pem").write_bytes(text)

    write(0, "many.test")
    eventually(lambda: secure.shown("many.test") == ["many.test"], within_s=20)
    with Steady(secure) as steady:
        write(1, "others.test")
        began_s = time.monotonic()
        eventually(lambda: secure.shown("many.test") == ["a.test"], within_s=20, about="none of the old ones is left")
        took_s = time.monotonic() - began_s
        # Each worker takes them by itself, so the next one to answer may be a moment behind.
        eventually(lambda: secure.shown("others.test") == ["others.test"], within_s=20)
    assert steady.connections == 1
    if LARGE:
        assert took_s < 1.5, "half a second until somebody looks, one to check"
    for file in secure.folder.glob("many*"):
        file.unlink()

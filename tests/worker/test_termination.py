import gc
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gproxy.certificates.keeper import Keeper
from gproxy.role import FRONT_S, TlsShare
from gproxy.settings import TlsSection, load
from gproxy.shared.vault import Vault
from gproxy.worker import termination as module
from gproxy.worker.termination import Termination
from tests.harness.pairs import Issuer, key_pem

ISSUER = Issuer()


class Terminal:
    """A folder of certificates, its keeper, and what a worker makes of it."""

    def __init__(self, tmp_path: Path, **keys: object) -> None:
        self.folder = tmp_path / "certificates"
        self.folder.mkdir()
        ISSUER.write(self.folder, "a", "a.test")
        ISSUER.write(self.folder, "w", "*.wild.test")
        (tmp_path / "empty.ini").touch()
        texts = {"bind": ":0", "certificates": str(self.folder), **{key: str(value) for key, value in keys.items()}}
        self.settings: TlsSection = load(tmp_path / "empty.ini", {"tls": texts}).tls
        self.vault = Vault.create()
        self.keeper = Keeper(self.settings, self.vault, time.time())
        self.keep()
        self.share = TlsShare(self.vault, fronts(3), time.monotonic())
        self.termination = Termination(self.settings, self.share)

    def keep(self) -> None:
        self.keeper.look(time.time())


def fronts(count: int) -> tuple[ssl.SSLContext, ...]:
    return tuple(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) for _ in range(count))


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    made = Terminal(tmp_path)
    yield made
    made.vault.close()


def client_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=ISSUER.pem.decode())
    context.set_alpn_protocols(["http/1.1"])
    return context


def handshake(
    termination: Termination, host: str | None, client: ssl.SSLContext | None = None, session: Any = None
) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Let a client shake hands in memory and return both ends. Raises ssl.SSLError."""
    client = client or client_context()
    if host is None:
        client.check_hostname = False
    ways = [ssl.MemoryBIO() for _ in range(4)]
    server_end = termination.front.wrap_bio(ways[0], ways[1], server_side=True)
    client_end = client.wrap_bio(ways[2], ways[3], server_hostname=host, session=session)
    ends = [client_end, server_end]
    while ends:
        for end in list(ends):
            try:
                end.do_handshake()
                ends.remove(end)
            except ssl.SSLWantReadError:
                pass
            finally:
                ways[0].write(ways[3].read())
                ways[2].write(ways[1].read())
    with pytest.raises(ssl.SSLWantReadError):  # the tickets of TLS 1.3
        client_end.read()
    return client_end, server_end


def hosts(termination: Termination, host: str | None) -> list[str]:
    certificate = handshake(termination, host)[0].getpeercert()
    assert certificate is not None
    return [name for _, name in certificate["subjectAltName"]]  # type: ignore[misc]


@pytest.mark.parametrize(
    ("host", "shown"), [("a.test", ["a.test"]), ("x.wild.test", ["*.wild.test"]), (None, ["a.test"])]
)
def test_which_certificate_is_shown(terminal: Terminal, host: str | None, shown: list[str]) -> None:
    assert hosts(terminal.termination, host) == shown


def test_contexts_are_made_when_they_are_asked_for(terminal: Terminal) -> None:
    contexts = terminal.termination._contexts
    assert not contexts
    for _ in range(3):
        handshake(terminal.termination, "a.test")
    assert len(contexts) == 1


def test_contexts_that_were_not_used_for_longest_make_room(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_CONTEXTS", 2)
    for name in "bcd":
        ISSUER.write(terminal.folder, name, f"{name}.test")
    terminal.keep()
    terminal.termination.look()
    for host in ("a.test", "b.test", "a.test", "c.test"):
        assert hosts(terminal.termination, host) == [host]
    digests = {pair.certificate.name: pair.digest for pair in terminal.keeper.bundle.pairs}
    assert set(terminal.termination._contexts) == {digests["a"], digests["c"]}


def test_what_changes_is_shown_from_then_on_and_the_rest_is_not_loaded_again(terminal: Terminal) -> None:
    hosts(terminal.termination, "a.test")
    hosts(terminal.termination, "x.wild.test")
    kept = set(terminal.termination._contexts.values())
    (terminal.folder / "a.crt").write_bytes(ISSUER.certificate("a.test", "more.test"))
    terminal.keep()
    terminal.termination.look()
    assert len(terminal.termination._contexts) == 1
    assert set(terminal.termination._contexts.values()) < kept
    assert hosts(terminal.termination, "more.test") == ["a.test", "more.test"]


def test_sessions_outlive_a_change_and_are_shared(terminal: Terminal) -> None:
    client = client_context()
    session = handshake(terminal.termination, "a.test", client)[0].session
    (terminal.folder / "a.crt").write_bytes(ISSUER.certificate("a.test", "more.test"))
    terminal.keep()
    terminal.termination.look()
    assert handshake(terminal.termination, "a.test", client, session)[0].session_reused
    other = Termination(terminal.settings, terminal.share)  # another worker, of a later generation perhaps
    assert handshake(other, "a.test", client, session)[0].session_reused
    stranger = Termination(terminal.settings, TlsShare(terminal.vault, fronts(1), time.monotonic()))
    assert not handshake(stranger, "a.test", client, session)[0].session_reused


def test_each_day_has_its_front(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    termination, share = terminal.termination, terminal.share
    client = client_context()
    session = handshake(termination, "a.test", client)[0].session
    for days, front in ((0.9, 0), (1.1, 1), (1.9, 1), (2.1, 2), (50, 2)):
        monkeypatch.setattr(module, "monotonic", lambda days=days: share.since_s + days * FRONT_S)
        termination.look()
        assert termination.front is share.fronts[front]
        assert handshake(termination, "a.test", client, session)[0].session_reused is (front == 0)


def test_a_certificate_is_preferred_from_the_day_on_which_it_is_valid(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    ISSUER.write(terminal.folder, "b", "a.test", "b.test", since_days=0.5, days=300)
    terminal.keep()
    terminal.termination.look()
    assert terminal.termination._names.find("a.test").name == "a"  # type: ignore[union-attr]
    tomorrow_s = time.time() + 86400
    monkeypatch.setattr(module, "monotonic", lambda: terminal.share.since_s + FRONT_S)
    monkeypatch.setattr(module, "time", lambda: tomorrow_s)
    terminal.termination.look()
    assert terminal.termination._names.find("a.test").name == "b"  # type: ignore[union-attr]


def test_a_certificate_that_openssl_refuses_ends_its_own_handshakes(
    terminal: Terminal, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = terminal.termination._pairs["w"]
    monkeypatch.setattr(module, "_load_pair", lambda context, pem: context.load_cert_chain("/nowhere"))
    with pytest.raises(ssl.SSLError, match="CALLBACK_FAILED"):
        handshake(terminal.termination, "x.wild.test")
    assert pair.digest not in terminal.termination._contexts
    assert caplog.records[-1].certificate == "w"  # type: ignore[attr-defined]
    monkeypatch.undo()
    assert hosts(terminal.termination, "a.test") == ["a.test"]


def test_alpn_and_old_versions(terminal: Terminal) -> None:
    client = client_context()
    assert handshake(terminal.termination, "a.test", client)[0].selected_alpn_protocol() == "http/1.1"
    client.set_ciphers("AES128-SHA")
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError):
        handshake(terminal.termination, "a.test", client)


def identified(tmp_path: Path, authority: Issuer) -> ssl.SSLContext:
    file = tmp_path / "client.pem"
    file.write_bytes(authority.certificate(subject="alice") + key_pem())
    client = client_context()
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.load_cert_chain(file)
    return client


def test_sessions_do_not_outlive_the_authorities(tmp_path: Path) -> None:
    """TLS 1.2 resumes sessions without tickets too, and a resumed session is not verified again."""
    authorities = tmp_path / "authorities.pem"
    authorities.write_bytes(ISSUER.pem)
    terminal = Terminal(tmp_path, client_certificates="required", client_ca_file=authorities)
    client = identified(tmp_path, ISSUER)
    session = handshake(terminal.termination, "a.test", client)[0].session
    other = Issuer("Another Authority")
    authorities.write_bytes(other.pem)
    terminal.keep()
    terminal.termination.look()
    with pytest.raises(ssl.SSLError):
        handshake(terminal.termination, "a.test", client, session)
    _, server_end = handshake(terminal.termination, "a.test", identified(tmp_path, other))
    assert server_end.getpeercert() is not None
    terminal.vault.close()


def test_without_any_certificate(tmp_path: Path) -> None:
    vault = Vault.create()
    (tmp_path / "empty.ini").touch()
    settings = load(tmp_path / "empty.ini", {"tls": {"bind": ":0"}}).tls
    termination = Termination(settings, TlsShare(vault, fronts(1), time.monotonic()))
    with pytest.raises(ssl.SSLError):
        handshake(termination, "a.test")
    vault.close()


def test_a_thousand_certificates_are_taken_without_a_stall(terminal: Terminal) -> None:
    text = ISSUER.certificate("many.test") + key_pem()
    for number in range(1000):
        (terminal.folder / f"{number}.pem").write_bytes(text)
    terminal.keep()
    took_s = min(took(lambda: Termination(terminal.settings, terminal.share)) for _ in range(10))
    assert took_s < 0.02
    terminal.termination.look()
    assert hosts(terminal.termination, "many.test") == ["many.test"]


def took(task: Callable[[], object]) -> float:
    gc.collect()  # or it comes in between, and looks through all that the tests before have left
    began_s = time.process_time()
    task()
    return time.process_time() - began_s

"""What etcd's refusals mean, asked of real servers: TLS, users, sizes, a full disk."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from gproxy.store.access import Access
from gproxy.store.base import Store, StoreError, StoreUnavailable
from gproxy.store.etcd_address import EtcdAddress
from gproxy.store.etcd_client import Pair, end_of
from gproxy.store.etcd_layout import Layout
from gproxy.store.etcd_link import EtcdLink
from gproxy.store.open import open_store
from tests.harness.etcd import Etcd
from tests.store.contract import U1, put


def test_the_end_of_a_range_is_behind_all_its_keys() -> None:
    assert end_of("/gw/") == "/gw0"
    assert "/gw/" < "/gw/~" < end_of("/gw/") <= "/gw0"


def test_pairs_carry_the_revision_of_etcd(etcd: Etcd, prefix: str) -> None:
    link = EtcdLink(EtcdAddress.parse(etcd.url(prefix)), Access(), 1)
    etcd.ctl("put", f"{prefix}/a", "1")
    etcd.ctl("put", f"{prefix}/b", "2")
    (first, second), now = link.get(f"{prefix}/", end_of(f"{prefix}/"))
    assert (first.key, first.value, second.key) == (f"{prefix}/a", b"1", f"{prefix}/b")
    assert first.revision < second.revision == now
    assert [pair.key for pair in link.get(f"{prefix}/", f"{prefix}0", newest_first=True, limit=1)[0]] == [second.key]
    assert link.get(f"{prefix}/a", bare=True)[0] == [Pair(first.key, b"", first.revision)]
    assert link.get(f"{prefix}/b", at=first.revision)[0] == []
    link.close()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etcd]:
    """An etcd with users: root, and a reader who may not write."""
    with Etcd(tmp_path_factory.mktemp("guarded")) as etcd:
        etcd.ctl("user", "add", "root:secret")
        etcd.ctl("user", "add", "reader:secret")
        etcd.ctl("role", "add", "reading")
        etcd.ctl("role", "grant-permission", "reading", "read", "/gw", "/gx")
        etcd.ctl("user", "grant-role", "reader", "reading")
        etcd.ctl("user", "grant-role", "root", "root")
        etcd.ctl("auth", "enable")
        yield etcd


def access(tmp_path: Path, user: str, password: str) -> Access:
    file = tmp_path / "password"
    file.write_text(f"{password}\n")
    return Access(user, file)


def test_a_user_gets_in_and_others_are_told_why_not(guarded: Etcd, tmp_path: Path) -> None:
    with open_store(guarded.url(), access=access(tmp_path, "root", "secret")) as store:
        assert store.write([put(U1)], "ann") == 1
    with open_store(guarded.url(), access=access(tmp_path, "reader", "secret")) as store:
        assert store.read().revision == 1
        with pytest.raises(StoreUnavailable, match="no permission"):
            store.write([put({**U1, "weight": 2})], "bob")
    with pytest.raises(StoreUnavailable, match="the user name or the password is wrong"):
        open_store(guarded.url(), access=access(tmp_path, "root", "wrong"))
    with pytest.raises(StoreUnavailable, match="it wants a user name and a password"):
        open_store(guarded.url())
    with pytest.raises(StoreUnavailable, match="no-such-file: No such file"):
        open_store(guarded.url(), access=Access("root", tmp_path / "no-such-file"))


def test_a_token_that_has_ended_is_renewed(guarded: Etcd, tmp_path: Path) -> None:
    with open_store(guarded.url(), access=access(tmp_path, "root", "secret")) as store:
        store.read()
        guarded.kill()
        guarded.start()
        assert store.read().revision >= 0


def test_tls_is_checked_both_ways(tmp_path: Path) -> None:
    authority, stranger = trustme.CA(), trustme.CA()
    for name, made in (("server", authority.issue_cert("127.0.0.1")), ("client", authority.issue_cert("gw"))):
        made.private_key_pem.write_to_path(tmp_path / f"{name}.key")
        made.cert_chain_pems[0].write_to_path(tmp_path / f"{name}.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    stranger.cert_pem.write_to_path(tmp_path / "other.pem")
    paths = {name: tmp_path / name for name in ("ca.pem", "other.pem", "client.pem", "client.key")}
    options = ["--cert-file", f"{tmp_path}/server.pem", "--key-file", f"{tmp_path}/server.key"]
    options += ["--client-cert-auth", "--trusted-ca-file", f"{tmp_path}/ca.pem"]
    with Etcd(tmp_path, options=options) as etcd:
        full = Access("", None, paths["ca.pem"], paths["client.pem"], paths["client.key"])
        with open_store(etcd.url(), access=full) as store:
            assert store.write([put(U1)], "ann") == 1
        without = Access("", None, paths["ca.pem"])
        wrong = Access("", None, paths["other.pem"], paths["client.pem"], paths["client.key"])
        for refused in (without, wrong, Access()):
            with pytest.raises(StoreUnavailable):
                open_store(etcd.url(), wait_s=0.1, access=refused)
        with pytest.raises(StoreUnavailable, match="need each other"):
            open_store(etcd.url(), access=Access("", None, paths["ca.pem"], paths["client.pem"]))


def test_a_used_up_quota_is_said_and_reading_goes_on(tmp_path: Path) -> None:
    with Etcd(tmp_path, options=["--quota-backend-bytes", "200000"]) as etcd, open_store(etcd.url()) as store:
        store.write([put(U1)], "ann")
        said = ""
        for number in range(40):
            try:
                store.write([put({**U1, "note": f"{number}" * 20_000})], "ann")
            except StoreUnavailable as error:
                said = str(error)
        assert "its disk quota is used up" in said
        assert store.read().revision >= 1


def test_an_object_larger_than_a_request_is_an_error(store: Store) -> None:
    with pytest.raises(StoreError, match="too large"):
        store.write([put({**U1, "note": "x" * 2_000_000})], "ann")
    assert store.read().revision == 0


def test_loading_it_leaves_the_process_without_threads_of_its_own() -> None:
    """They begin with the first connection: a process that only parses a URL may fork."""
    code = "import threading, gproxy.store.etcd, os; assert threading.active_count() == 1; "
    code += "assert len(os.listdir('/proc/self/task')) == 1, os.listdir('/proc/self/task')"
    subprocess.run([__import__("sys").executable, "-c", code], check=True, timeout=30)


def test_layouts_of_two_prefixes_share_nothing() -> None:
    assert not Layout("/gw").head.startswith(Layout("/gw2").everything)

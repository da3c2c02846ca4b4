import errno
import os
import socket
from pathlib import Path

import pytest

from gproxy.master.listen import UNACKNOWLEDGED_MS, UNSENT_BYTES, ListenError, open_listener, probe
from tests.master.running import connect


@pytest.mark.parametrize(
    ("bind", "family", "prefix"),
    [
        ("127.0.0.1:0", socket.AF_INET, "127.0.0.1:"),
        ("localhost:0", socket.AF_INET, "127.0.0.1:"),
        ("[::1]:0", socket.AF_INET6, "[::1]:"),
    ],
)
def test_a_bind_is_listened_on_and_tells_its_real_address(bind: str, family: socket.AddressFamily, prefix: str) -> None:
    listener = open_listener(bind)
    assert listener.socket.family == family
    assert listener.socket.getblocking() is False
    address = listener.address
    assert address.startswith(prefix)
    assert not address.endswith(":0")
    with connect(address):
        accepted, _ = listener.socket.accept()
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert accepted.getsockopt(socket.IPPROTO_TCP, 25) == UNSENT_BYTES
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == UNACKNOWLEDGED_MS
        accepted.close()
    listener.close()
    with pytest.raises(ConnectionRefusedError):
        connect(address)


def test_both_families_can_have_the_same_port() -> None:
    four = open_listener(":0")
    port = four.address.rpartition(":")[2]
    six = open_listener(f"[::]:{port}")
    assert (four.address, six.address) == (f"0.0.0.0:{port}", f"[::]:{port}")
    four.close()
    six.close()


def test_a_unix_socket_file_goes_with_its_listener(tmp_path: Path) -> None:
    bind = f"unix:{tmp_path}/g.sock"
    listener = open_listener(bind)
    assert listener.address == bind
    connect(bind).close()
    listener.close(unlink=False)
    assert (tmp_path / "g.sock").exists()
    again = open_listener(bind)  # nobody answers on the file that was left behind
    again.close()
    assert not (tmp_path / "g.sock").exists()


def test_a_unix_socket_file_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    bind = f"unix:{tmp_path}/g.sock"
    first = open_listener(bind)
    with pytest.raises(ListenError, match="is in use by another program"):
        open_listener(bind)
    os.unlink(tmp_path / "g.sock")
    second = open_listener(bind)
    first.close()
    connect(bind).close()
    second.close()


@pytest.mark.parametrize(
    ("bind", "reason"),
    [
        ("203.0.113.1:0", "is no address of this machine"),
        ("no-such-name.invalid:0", "the name no-such-name.invalid has no address"),
        ("unix:{folder}/none/g.sock", "is in a folder that does not exist"),
        ("unix:{folder}/file", "there is a file of that name that is not a socket"),
    ],
)
def test_a_bind_that_cannot_be_names_itself_and_the_reason(tmp_path: Path, bind: str, reason: str) -> None:
    (tmp_path / "file").write_text("kept")
    bind = bind.format(folder=tmp_path)
    with pytest.raises(ListenError) as caught:
        open_listener(bind)
    assert str(caught.value) == f"{bind}: {reason}"
    assert str(probe(bind)) == f"{bind}: {reason}"
    assert not caught.value.is_in_use
    assert (tmp_path / "file").read_text() == "kept"


def test_a_probe_disturbs_nobody(tmp_path: Path) -> None:
    for bind in ("127.0.0.1:0", f"unix:{tmp_path}/g.sock"):
        assert probe(bind) is None
        listener = open_listener(bind)
        refusal = probe(listener.address)
        assert refusal is not None
        assert refusal.is_in_use
        connect(listener.address).close()
        listener.close()


def test_held_off_newcomers_wait_and_the_queue_is_kept(tmp_path: Path) -> None:
    for bind in ("127.0.0.1:0", "[::1]:0"):
        listener = open_listener(bind)
        address = listener.socket.getsockname()[:2]
        with connect(listener.address) as early, socket.socket(listener.socket.family) as late:
            listener.hold_off()
            late.setblocking(False)
            assert late.connect_ex(address) == errno.EINPROGRESS
            early.sendall(b"hello")
            accepted, _ = listener.socket.accept()
            assert accepted.recv(10) == b"hello"
            accepted.close()
            with pytest.raises(BlockingIOError):
                listener.socket.accept()
        listener.close()
    unix = open_listener(f"unix:{tmp_path}/g.sock")
    unix.hold_off()
    connect(unix.address).close()
    unix.close()


def test_a_file_that_cannot_be_removed_does_not_keep_the_socket_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: str) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    listener = open_listener(f"unix:{tmp_path}/g.sock")
    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", refuse)
        listener.close()
    assert listener.socket.fileno() == -1


def test_a_lent_one_is_neither_held_off_nor_removed(tmp_path: Path) -> None:
    for bind in ("127.0.0.1:0", f"unix:{tmp_path}/g.sock"):
        listener = open_listener(bind)
        copy = socket.socket(fileno=os.dup(listener.socket.fileno()))
        listener.is_lent = True
        address = listener.address
        listener.hold_off()
        listener.close()
        connect(address).close()
        copy.close()
    assert (tmp_path / "g.sock").exists()


def test_a_unix_socket_is_in_place_until_its_file_is_gone(tmp_path: Path) -> None:
    tcp, unix = open_listener("127.0.0.1:0"), open_listener(f"unix:{tmp_path}/g.sock")
    assert tcp.is_in_place()
    assert unix.is_in_place()
    (tmp_path / "g.sock").unlink()
    assert not unix.is_in_place()
    tcp.close()
    unix.close()

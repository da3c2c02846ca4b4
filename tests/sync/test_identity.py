import logging
import socket
from pathlib import Path

import pytest

from gproxy import settings
from gproxy.sync.identity import FILE_NAME, control_address, node_id, public_addresses


def test_an_id_is_made_once_and_kept(tmp_path: Path) -> None:
    made = node_id("", tmp_path)
    assert node_id("", tmp_path) == made == (tmp_path / FILE_NAME).read_text().strip()
    other = tmp_path / "other"
    other.mkdir()
    assert node_id("", other) != made


def test_a_given_id_wins(tmp_path: Path) -> None:
    assert node_id("web-1", tmp_path) == "web-1"
    assert not (tmp_path / FILE_NAME).exists()


@pytest.mark.parametrize("content", [b"", b"two words", b"\xff\xfe"])
def test_a_damaged_id_is_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    assert node_id("", tmp_path) == node_id("", tmp_path)


def test_an_id_that_cannot_be_kept_is_used_all_the_same(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    assert node_id("", tmp_path / "missing")
    assert "cannot keep the id of this node" in caplog.text


@pytest.mark.parametrize(
    ("bind", "port", "told"),
    [
        ("127.0.0.1:0", 4711, "127.0.0.1:4711"),
        ("127.0.0.1:9900", 0, "127.0.0.1:9900"),
        ("unix:/a/b", 0, "unix:/a/b"),
        ("[::1]:9900", 9900, "[::1]:9900"),
        (":9900", 9900, f"{socket.gethostname()}:9900"),
        ("0.0.0.0:0", 1, f"{socket.gethostname()}:1"),
    ],
)
def test_the_address_is_where_the_monitor_listens(bind: str, port: int, told: str) -> None:
    assert control_address(settings.load(None, {"control": {"bind": bind}}), port) == told


def test_the_address_can_be_given() -> None:
    texts = {"control": {"bind": ":9900"}, "node": {"control": "gw1.example:80"}}
    assert control_address(settings.load(None, texts), 9900) == "gw1.example:80"


def test_requests_are_taken_where_clients_may_come() -> None:
    texts = {
        "gproxy": {"bind": "0.0.0.0:80, [::1]:0, unix:/x, :81", "proxy_protocol": ":81", "trusted_proxies": "10.0.0.1"},
        "tls": {"bind": "127.0.0.1:443", "redirect_bind": "127.0.0.1:82"},
    }
    bound = ("0.0.0.0:80", "[::1]:4711", "unix:/x", "0.0.0.0:81", "127.0.0.1:443", "127.0.0.1:82")
    told = [f"http://{socket.gethostname()}:80", "http://[::1]:4711", "https://127.0.0.1:443"]
    assert list(public_addresses(settings.load(None, texts), bound)) == told

"""The systemd unit: well-formed by systemd's own word, true to its comments, and served as it promises."""

import configparser
import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gproxy import settings
from tests.harness.orphans import adopted
from tests.harness.waiting import eventually
from tests.master.running import ROOT, Running, wait_for_end
from tests.master.test_arbiter import FAKES

UNIT = ROOT / "conf" / "gproxy.service"


@pytest.fixture(scope="module")
def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(UNIT.read_text())
    return parser


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_finds_nothing_to_complain_about(tmp_path: Path) -> None:
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/usr/local/lib/gproxy/bin/gproxy", shutil.which("true") or ""))
    done = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_time_to_stop_is_longer_than_the_time_to_drain(unit: configparser.ConfigParser) -> None:
    graceful_s = settings.load(ROOT / "conf" / "gproxy.ini").gproxy.graceful_timeout_s
    assert int(unit["Service"]["TimeoutStopSec"]) > graceful_s


def test_the_files_that_its_head_names_are_there() -> None:
    named = re.findall(r"conf/[\w.]+", UNIT.read_text())
    assert set(named) == {"conf/gproxy.ini", "conf/gproxy.service"}
    assert all((ROOT / name).exists() for name in named)


class Manager:
    """The part of systemd that listens: what the main process has told, and who that is."""

    def __init__(self, folder: Path) -> None:
        self.address = f"{folder}/notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.address)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._heard: queue.Queue[tuple[int, dict[str, str]]] = queue.Queue()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()
        self.main_pid = 0

    def _listen(self) -> None:
        while True:
            data, ancillary, _, _ = self._socket.recvmsg(4096, socket.CMSG_SPACE(12))
            if not data:
                return
            sender = int.from_bytes(ancillary[0][2][:4], sys.byteorder)
            self._heard.put((sender, dict(line.split("=", 1) for line in data.decode().splitlines())))

    def hears(self, word: str) -> dict[str, str]:
        """Wait for a message with this word in it, and return it; those of other processes than the main one count
        for nothing, as with NotifyAccess=main.
        """
        while True:
            sender, message = self._heard.get(timeout=15)
            if sender == self.main_pid and word in message:
                self.main_pid = int(message.get("MAINPID", self.main_pid))
                return message

    def close(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"", self.address)
        self._thread.join()
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(tmp_path)
    with adopted():
        yield made
    made.close()


def test_the_service_manager_hears_of_start_reload_upgrade_and_stop(tmp_path: Path, manager: Manager) -> None:
    gateway = Running(tmp_path, FAKES)
    gateway.environment = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "900000"}
    with gateway:
        manager.main_pid = gateway.process.pid
        assert manager.hears("READY")["STATUS"].startswith("2 workers serve 127.0.0.1:")
        gateway.send(signal.SIGHUP)
        assert manager.hears("RELOADING")["STATUS"] == "reloading"
        manager.hears("READY")
        gateway.write_ini(workers="none")
        gateway.send(signal.SIGUSR2)
        manager.hears("RELOADING")
        manager.hears("READY")  # with the old program
        gateway.write_ini(workers="2")
        old = gateway.upgrade()
        manager.hears("RELOADING")
        assert manager.hears("READY")["MAINPID"] == str(gateway.pid)
        wait_for_end(old)
        manager.hears("WATCHDOG")
        os.kill(manager.main_pid, signal.SIGHUP)  # what ExecReload does
        manager.hears("RELOADING")
        manager.hears("READY")
        gateway.send(signal.SIGTERM)
        manager.hears("STOPPING")
        wait_for_end(gateway.pid)


def test_a_refused_reload_is_over_at_once(tmp_path: Path, manager: Manager) -> None:
    gateway = Running(tmp_path, FAKES)
    gateway.environment = {"NOTIFY_SOCKET": manager.address}
    with gateway:
        manager.main_pid = gateway.process.pid
        manager.hears("READY")
        gateway.write_ini(workers="none")
        gateway.send(signal.SIGHUP)
        gateway.wait_for("reload refused")
        gateway.write_ini(workers="2")
        (gateway.run_dir / "boot-worker").write_text("refuse")
        gateway.send(signal.SIGHUP)
        manager.hears("RELOADING")
        assert manager.hears("READY")["STATUS"].startswith("2 workers serve ")
        (gateway.run_dir / "boot-worker").unlink()
        eventually(lambda: len(gateway.children()) == 4)

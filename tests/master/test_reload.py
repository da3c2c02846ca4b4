"""HUP in a real process with fake roles."""

import os
import signal
import socket
import time
from pathlib import Path

import pytest

from tests.harness.waiting import eventually
from tests.master.fakes import NO_FORK
from tests.master.running import Running, connect
from tests.master.test_arbiter import FAKES, worker_pids


@pytest.fixture
def gateway(tmp_path: Path) -> Running:
    return Running(tmp_path, FAKES)


def test_hup_replaces_all_children_and_opens_and_closes_binds(gateway: Running) -> None:
    with gateway:
        before = set(gateway.children())
        old_address = gateway.addresses()[0]
        gateway.write_ini(bind=f"unix:{gateway.folder}/new.sock, [::1]:0", workers="3", log__level="debug")
        gateway.send(signal.SIGHUP)
        gateway.wait_for("reloaded ")
        assert len(worker_pids(gateway, 3) & before) == 0
        eventually(lambda: len(gateway.children()) == 5 and not before & set(gateway.children()))
        gateway.wait_for("side is up listeners=1 level=debug")
        with pytest.raises(ConnectionRefusedError):
            connect(old_address)


def test_hup_with_bad_settings_lists_every_problem_and_changes_nothing(gateway: Running) -> None:
    with gateway:
        before = gateway.children()
        gateway.write_ini(workers="none", colour="blue")
        gateway.send(signal.SIGHUP)
        assert "problems=2" in gateway.wait_for("reload refused, the old settings stay")
        assert "[gproxy] workers = none: must be auto" in gateway.log()
        assert "[gproxy] colour = blue: unknown key" in gateway.log()
        assert gateway.children() == before


def test_hup_whose_workers_do_not_start_keeps_the_old_ones(gateway: Running) -> None:
    with gateway:
        before = worker_pids(gateway, 2)
        (gateway.run_dir / "boot-worker").write_text("refuse")
        gateway.write_ini(bind=f"127.0.0.1:0, unix:{gateway.folder}/new.sock")
        gateway.send(signal.SIGHUP)
        gateway.wait_for("reload failed, the old settings and workers stay")
        assert worker_pids(gateway, 2) == before
        assert not (gateway.folder / "new.sock").exists()
        (gateway.run_dir / "boot-worker").unlink()
        gateway.send(signal.SIGHUP)
        gateway.wait_for("reloaded ")


def test_hup_with_a_port_in_use_keeps_the_old_settings(gateway: Running) -> None:
    with gateway, socket.create_server(("127.0.0.1", 0)) as taken:
        gateway.write_ini(bind=f"127.0.0.1:{taken.getsockname()[1]}")
        gateway.send(signal.SIGHUP)
        gateway.wait_for("is in use by another program")
        gateway.wait_for("reload refused")
        assert gateway.ask()


def test_a_burst_of_hups_loses_no_connection_and_no_slot(gateway: Running) -> None:
    with gateway:
        sent = failed = 0
        for _ in range(30):
            gateway.send(signal.SIGHUP)
            until = time.monotonic() + 0.03
            while time.monotonic() < until:
                sent += 1
                failed += not gateway.ask()
        eventually(lambda: len(gateway.children()) == 4)
        eventually(lambda: gateway.log().count("reload: settings") == gateway.log().count(" reloaded "))
        assert sent > 30
        assert failed == 0
        assert 1 < gateway.log().count(" reloaded ") <= 30


def test_hups_beyond_the_room_wait_for_workers_that_leave(gateway: Running) -> None:
    gateway.write_ini(graceful_timeout_s="0", workers="1")
    with gateway:
        (gateway.run_dir / "stay").touch()
        for done in range(1, 6):
            gateway.send(signal.SIGHUP)
            gateway.wait_for(" reloaded ", times=done)
        gateway.send(signal.SIGHUP)
        gateway.wait_for("reload waits until workers of earlier reloads have ended")
        assert gateway.ask()
        (gateway.run_dir / "stay").unlink()
        gateway.wait_for(" reloaded ", times=6)
        eventually(lambda: len(gateway.children()) == 3)


def test_hup_without_a_process_to_be_had_is_given_up(gateway: Running) -> None:
    no_fork = gateway.folder / "no-fork"
    gateway.environment = {NO_FORK: str(no_fork)}
    with gateway:
        before = gateway.children()
        no_fork.touch()
        gateway.send(signal.SIGHUP)
        assert 'reason="no process can be started"' in gateway.wait_for("reload failed")
        os.kill(before[0], signal.SIGKILL)
        gateway.wait_for("cannot start a process")
        assert gateway.ask()
        no_fork.unlink()
        eventually(lambda: len(gateway.children()) == 4)
        gateway.send(signal.SIGHUP)
        gateway.wait_for("reloaded ")


def test_hup_puts_a_unix_socket_back_whose_file_is_gone(gateway: Running) -> None:
    gateway.write_ini(bind=f"unix:{gateway.folder}/g.sock")
    with gateway:
        (gateway.folder / "g.sock").unlink()
        gateway.send(signal.SIGHUP)
        gateway.wait_for("reloaded ")
        assert gateway.ask()

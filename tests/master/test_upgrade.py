"""USR2 in real processes with fake roles: the new program takes over, or the old one goes on as if nothing had been."""

import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.harness.orphans import adopted
from tests.harness.waiting import eventually
from tests.master.fakes import NO_FORK
from tests.master.running import Running, connect, is_alive, wait_for_end
from tests.master.upgradable import GOOD, SCRIPT, go_on, install, pid_file, stalled, upgradable


@pytest.fixture(scope="module", autouse=True)
def orphans() -> Iterator[None]:
    with adopted():
        yield


@pytest.fixture
def gateway(tmp_path: Path) -> Running:
    return upgradable(tmp_path)


def test_what_the_old_one_has_in_hand_is_finished(gateway: Running) -> None:
    with gateway, gateway.connect() as client:
        (gateway.run_dir / "stay").touch()
        client.sendall(b"wait\n")
        assert client.recv(100) == b"waiting\n"
        old = gateway.upgrade()
        old_pid_file = gateway.run_dir / "gproxy.pid.oldbin"
        eventually(lambda: old_pid_file.exists() and old_pid_file.read_text() == f"{old}\n")
        assert gateway.ask()
        (gateway.run_dir / "stay").unlink()
        assert client.recv(100) == b"done\n"
        wait_for_end(old)
        assert not (gateway.run_dir / "gproxy.pid.oldbin").exists()


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("#!/no/such/python\n", "gproxy: No such file or directory"),
        (SCRIPT + "raise ImportError('broken')\n", "left with exit code 1"),
        (SCRIPT + "import os; os.kill(os.getpid(), 9)\n", "killed by SIGKILL"),
        (SCRIPT + "import os; del os.environ['GPROXY_HANDOVER']\n" + GOOD, "left with exit code 1"),
        (SCRIPT + "import gproxy.master.predecessor as p; p.PROTOCOL += 1\n" + GOOD, "hands over in way 1"),
    ],
    ids=["no-python", "broken", "killed", "does-not-know", "other-protocol"],
)
def test_a_program_that_cannot_start_changes_nothing(gateway: Running, source: str, reason: str) -> None:
    with gateway:
        before = gateway.children()
        install(gateway, source)
        gateway.send(signal.SIGUSR2)
        assert reason in gateway.wait_for("ERROR master")
        assert gateway.log().count("upgrade failed, this program goes on") == 1
        eventually(lambda: gateway.children() == before)
        assert pid_file(gateway) == gateway.pid
        install(gateway, GOOD)
        wait_for_end(gateway.upgrade())
        assert gateway.ask()


def test_bad_settings_are_named_in_the_one_line(gateway: Running) -> None:
    with gateway:
        gateway.write_ini(workers="none", colour="blue")
        gateway.send(signal.SIGUSR2)
        line = gateway.wait_for("upgrade failed")
        assert "[gproxy] workers = none: must be auto" in line
        assert "[gproxy] colour = blue: unknown key" in line
        assert gateway.ask()


def test_a_program_that_hangs_is_given_up(gateway: Running) -> None:
    install(gateway, GOOD.replace("\n", "\nimport gproxy.master.upgrade as u; u.TIMEOUT_S = 0.5\n", 1))
    with gateway:
        install(gateway, SCRIPT + "import time; time.sleep(60)\n")
        gateway.send(signal.SIGUSR2)
        assert 'reason="not up after 0 s"' in gateway.wait_for("upgrade failed")
        eventually(lambda: len(psutil.Process(gateway.pid).children()) == 4)
        assert gateway.ask()


def test_the_new_master_is_killed_meanwhile(gateway: Running) -> None:
    with gateway:
        new = psutil.Process(stalled(gateway))
        children = new.children()
        new.kill()
        assert 'reason="killed by SIGKILL"' in gateway.wait_for("upgrade failed")
        assert gateway.ask()
        go_on(gateway)
        psutil.wait_procs(children, timeout=10)
        wait_for_end(gateway.upgrade())
        assert gateway.ask()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_meanwhile_ends_both(gateway: Running, number: signal.Signals) -> None:
    with gateway:
        new = stalled(gateway)
        go_on(gateway)
        gateway.send(number)
        assert gateway.process.wait(10) == 0
        assert not is_alive(new)
        assert "upgrade failed" not in gateway.log()
        with pytest.raises(ConnectionRefusedError):
            connect(gateway.addresses()[0])


def test_a_stop_of_the_new_one_alone_leaves_the_old_one(gateway: Running) -> None:
    with gateway:
        new = stalled(gateway)
        os.kill(new, signal.SIGTERM)
        assert 'reason="it was told to stop"' in gateway.wait_for("upgrade failed")
        go_on(gateway)
        wait_for_end(new)
        assert gateway.ask()


def test_without_a_process_to_be_had_nothing_changes(gateway: Running) -> None:
    no_fork = gateway.folder / "no-fork"
    gateway.environment = {NO_FORK: str(no_fork)}
    with gateway:
        no_fork.touch()
        gateway.send(signal.SIGUSR2)
        assert "cannot start it: Resource temporarily unavailable" in gateway.wait_for("upgrade failed")
        no_fork.unlink()
        install(gateway, SCRIPT + f"open({str(no_fork)!r}, 'w').close()\n" + GOOD)
        gateway.send(signal.SIGUSR2)
        assert 'reason="no process can be started"' in gateway.wait_for("upgrade failed", times=2)
        no_fork.unlink()
        assert gateway.ask()
        eventually(lambda: len(psutil.Process(gateway.pid).children()) == 4)


def test_without_descriptors_nothing_changes(gateway: Running) -> None:
    with gateway:
        limits = resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
        gateway.send(signal.SIGUSR2)
        assert "cannot start it: Too many open files" in gateway.wait_for("upgrade failed")
        gateway.send(signal.SIGHUP)
        assert "Too many open files" in gateway.wait_for("gproxy.ini: cannot be read")
        gateway.wait_for("reload refused, the old settings stay")
        gateway.send(signal.SIGUSR1)
        gateway.wait_for("log files reopened")
        assert gateway.ask()
        resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE, limits)
        wait_for_end(gateway.upgrade())
        assert gateway.ask()

"""The arbiter in a real process with fake roles: what an operator sees and does."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from gproxy.core.events import Kind, ReloadCause
from gproxy.shared import layout
from gproxy.shared.rings import RingReader
from tests.harness.memory import table_of
from tests.harness.waiting import eventually
from tests.master.running import ROOT, Running

FAKES = "tests.master.fakes"


@pytest.fixture
def gateway(tmp_path: Path) -> Running:
    return Running(tmp_path, FAKES)


def worker_pids(gateway: Running, count: int) -> set[int]:
    """Return the pids of all workers, by asking until so many have answered."""
    found: set[int] = set()

    def found_all() -> bool:
        found.add(int(gateway.ask()[0]))
        return len(found) >= count

    eventually(found_all)
    return found


def test_ready_says_where_and_term_stops_cleanly(gateway: Running) -> None:
    gateway.write_ini(bind=f"127.0.0.1:0, [::1]:0, unix:{gateway.folder}/g.sock")
    with gateway:
        line = gateway.wait_for("ready ")
        assert f"pid={gateway.process.pid} workers=2 control=127.0.0.1:" in line
        assert (gateway.run_dir / "gproxy.pid").read_text() == f"{gateway.process.pid}\n"
        for index in range(3):
            assert gateway.ask(index=index)[2] == "3"
        assert len(gateway.children()) == 4
        gateway.send(signal.SIGTERM)
        assert gateway.wait() == 0
        assert gateway.log().endswith("stopped\n")
        assert not (gateway.run_dir / "gproxy.pid").exists()
        assert not (gateway.folder / "g.sock").exists()


def test_the_master_stays_free_of_heavy_imports() -> None:
    code = (
        "import sys, gproxy.__main__\n"
        "print([name for name in ('gevent', 'greenlet', 'grpc', 'pydantic', 'sqlite3', 'geventhttpclient',"
        " 'threading') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() in ("[]", "['threading']")  # logging itself imports threading


@pytest.mark.parametrize(
    ("role", "wish", "reason"),
    [
        ("worker", "refuse", "cannot open my toys"),
        ("worker", "crash", "RuntimeError: boom"),
        ("side", "refuse", "cannot open my toys"),
    ],
)
def test_a_child_that_cannot_boot_stops_the_start(gateway: Running, role: str, wish: str, reason: str) -> None:
    gateway.run_dir.mkdir()
    (gateway.run_dir / f"boot-{role}").write_text(wish)
    gateway.start()
    assert gateway.wait() == 1
    assert reason in gateway.log()
    assert gateway.log().splitlines()[-1].startswith("gproxy: ")
    assert "ready " not in gateway.log()


def test_a_port_in_use_is_one_clear_line(gateway: Running) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        gateway.write_ini(bind=address)
        gateway.start()
        assert gateway.wait() == 1
    assert gateway.log() == f"gproxy: [gproxy] bind = {address}: is in use by another program\n"


def test_a_second_master_in_the_same_run_dir_is_refused(gateway: Running) -> None:
    with gateway:
        second = Running(gateway.folder, FAKES)
        second.log_path = gateway.folder / "second"
        assert second.start().wait() == 1
        pid = gateway.process.pid
        assert second.log() == (
            f"gproxy: {gateway.run_dir}/gproxy.pid: another gproxy runs in this run_dir, pid {pid}\n"
        )
        assert gateway.ask()


def test_a_killed_worker_is_replaced_at_once(gateway: Running) -> None:
    with gateway:
        victim = worker_pids(gateway, 2).pop()
        os.kill(victim, signal.SIGKILL)
        line = gateway.wait_for("has died and is replaced")
        assert f'pid={victim} reason="killed by SIGKILL" failures=1 in_s=0.0' in line
        assert victim not in worker_pids(gateway, 2)


def test_a_crash_loop_backs_off_and_says_so(gateway: Running) -> None:
    gateway.write_ini(workers="1")
    with gateway:
        for failures in (1, 2):
            assert gateway.ask("exit") == []
            line = gateway.wait_for(f'reason="left with exit code 7" failures={failures} ')
            gateway.wait_for("worker-0 started", times=failures + 1)
        assert 0.2 <= float(line.rpartition("in_s=")[2]) <= 0.5


def test_a_hung_worker_is_killed_and_replaced(gateway: Running) -> None:
    gateway.write_ini(hang_timeout_s="2")
    with gateway:
        with gateway.connect() as client:
            client.sendall(b"hang\n")
            line = gateway.wait_for("stands still and is killed")
        assert "limit_s=2.0" in line
        gateway.wait_for("has died and is replaced")
        assert len(worker_pids(gateway, 2)) == 2


def test_ttin_and_ttou_change_the_number_of_workers(gateway: Running) -> None:
    with gateway:
        gateway.send(signal.SIGTTIN)
        assert "workers=3" in gateway.wait_for("one worker more")
        assert len(worker_pids(gateway, 3)) == 3
        for workers in (2, 1):
            gateway.send(signal.SIGTTOU)
            gateway.wait_for(f"one worker less workers={workers}")
        gateway.send(signal.SIGTTOU)
        gateway.wait_for("TTOU ignored: only one worker is left")
        eventually(lambda: len(gateway.children()) == 3)
        assert gateway.ask()


def test_term_lets_workers_finish_and_refuses_new_connections(gateway: Running) -> None:
    with gateway:
        (gateway.run_dir / "stay").touch()
        with gateway.connect() as client:
            client.sendall(b"wait\n")
            assert client.recv(100) == b"waiting\n"
            gateway.send(signal.SIGTERM)
            gateway.wait_for("stopping ")
            (gateway.run_dir / "stay").unlink()
            assert client.recv(100) == b"done\n"
        assert gateway.wait() == 0


def test_workers_that_do_not_finish_in_time_are_killed(gateway: Running) -> None:
    gateway.write_ini(graceful_timeout_s="0.3")
    with gateway:
        (gateway.run_dir / "stay").touch()
        gateway.send(signal.SIGTERM)
        assert gateway.wait() == 0
        assert gateway.log().count("did not end in time and is killed") == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_int_and_quit_stop_at_once_even_while_draining(gateway: Running, number: signal.Signals) -> None:
    gateway.write_ini(graceful_timeout_s="0")
    with gateway:
        (gateway.run_dir / "stay").touch()
        gateway.send(signal.SIGTERM)
        gateway.wait_for("stopping ")
        gateway.send(number)
        assert gateway.wait() == 0
        assert "is killed" not in gateway.log()


def test_usr1_reopens_the_log_of_every_role(gateway: Running) -> None:
    target = gateway.folder / "program.log"
    gateway.write_ini(log__file=str(target))
    gateway.log_path = target
    target.touch()
    gateway.log_path.touch()
    with gateway:
        gateway.wait_for("side is up", times=2)
        target.rename(gateway.folder / "program.log.1")
        gateway.send(signal.SIGUSR1)
        eventually(lambda: target.exists() and target.read_text().count("reopened") == 5)


def test_a_killed_master_leaves_no_orphans_and_can_be_started_again(gateway: Running) -> None:
    gateway.write_ini(bind=f"unix:{gateway.folder}/g.sock")
    with gateway:
        children = [psutil.Process(pid) for pid in gateway.children()]
        gateway.send(signal.SIGKILL)
        gateway.wait()
        gone, alive = psutil.wait_procs(children, timeout=10)
        assert (len(gone), alive) == (4, [])
    with gateway:
        gateway.wait_for("ready ", times=2)
        assert gateway.ask()


def test_counters_survive_the_worker(gateway: Running) -> None:
    with gateway:
        table = table_of(gateway.process.pid)
        for _ in range(5):
            gateway.ask()
        accepted = eventually(lambda: table.total(layout.ACCEPTED) >= 5 and table.total(layout.ACCEPTED))
        gateway.send(signal.SIGHUP)
        gateway.wait_for(" reloaded ")
        eventually(lambda: len(gateway.children()) == 4)
        assert table.total(layout.ACCEPTED) == accepted
        assert table.cells[layout.GENERATION] == 1
        told = [one.event for one in RingReader(table).news()]
        assert (told[-1].kind, told[-1].cause, told[-1].figures[0]) == (Kind.RELOAD, ReloadCause.DONE, 2)
        table.close()

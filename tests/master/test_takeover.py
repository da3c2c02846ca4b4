"""What a new program makes of what it takes over, in real processes with fake roles."""

import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from gproxy.core.events import ReloadCause
from gproxy.shared import layout
from gproxy.shared.rings import RingReader
from tests.harness.memory import table_of
from tests.harness.orphans import adopted
from tests.harness.waiting import eventually
from tests.master.running import Running, is_alive, wait_for_end
from tests.master.test_arbiter import worker_pids
from tests.master.upgradable import GOOD, SCRIPT, go_on, install, master_of, pid_file, stalled, upgradable


@pytest.fixture(scope="module", autouse=True)
def orphans() -> Iterator[None]:
    with adopted():
        yield


@pytest.fixture
def gateway(tmp_path: Path) -> Running:
    return upgradable(tmp_path)


def test_the_new_program_takes_over_sockets_pid_file_and_children(gateway: Running) -> None:
    gateway.write_ini(bind=f"127.0.0.1:0, unix:{gateway.folder}/g.sock")
    with gateway:
        addresses, children = gateway.addresses(), gateway.children()
        old = gateway.upgrade()
        assert gateway.addresses() == addresses
        assert pid_file(gateway) == gateway.pid != old
        wait_for_end(old)
        assert gateway.process.wait() == 0
        assert not any(is_alive(pid) for pid in children)
        assert len(worker_pids(gateway, 2)) == 2
        assert gateway.ask(index=1)[2] == "2"
        assert len(gateway.children()) == 4
        gateway.send(signal.SIGTERM)
        wait_for_end(gateway.pid)
        assert sorted(path.name for path in gateway.folder.iterdir()) == ["gproxy", "gproxy.ini", "run", "stderr"]
        assert list(gateway.run_dir.iterdir()) == []


def test_counters_and_events_go_on(gateway: Running) -> None:
    with gateway:
        for _ in range(5):
            gateway.ask()
        wait_for_end(gateway.upgrade())
        wait_for_end(gateway.upgrade())
        gateway.ask()
        table = table_of(gateway.pid)
        eventually(lambda: table.total(layout.ACCEPTED) == 6)
        assert table.cells[layout.UPGRADES] == 2
        assert table.cells[layout.WORKERS_WANTED] == 2
        told = [one.event.cause for one in RingReader(table).news()]
        assert told == [ReloadCause.UPGRADED, ReloadCause.UPGRADED]
        states = [table.cells[table.base(slot) + layout.STATE] for slot in range(table.slots)]
        assert states.count(layout.STATE_ACCEPTING) == 2
        assert states.count(layout.STATE_FREE) == table.slots - 2
        table.close()


def test_another_layout_of_the_memory_begins_anew_and_says_so(gateway: Running) -> None:
    with gateway:
        gateway.ask()
        install(gateway, SCRIPT + "import gproxy.shared.layout as l; l.LAYOUT_VERSION += 1\n" + GOOD)
        wait_for_end(gateway.upgrade())
        assert "counters, circuits and limits begin anew: layout version" in gateway.log()
        assert gateway.ask()
        assert len(gateway.children()) == 4


def test_changed_settings_are_those_of_the_new_program(gateway: Running) -> None:
    gateway.write_ini(bind=f"127.0.0.1:0, unix:{gateway.folder}/old.sock")
    with gateway:
        kept = gateway.addresses()[0]
        gateway.write_ini(bind=f"127.0.0.1:0, unix:{gateway.folder}/new.sock", workers="3")
        old = gateway.upgrade()
        assert gateway.addresses() == [kept, f"unix:{gateway.folder}/new.sock"]
        assert len(worker_pids(gateway, 3)) == 3
        wait_for_end(old)
        assert gateway.ask(index=1)
        assert not (gateway.folder / "old.sock").exists()


def test_a_run_dir_of_its_own_is_taken_and_the_old_one_left_clean(gateway: Running) -> None:
    with gateway:
        before = gateway.run_dir
        gateway.run_dir = gateway.folder / "elsewhere"
        gateway.write_ini()
        wait_for_end(gateway.upgrade())
        assert pid_file(gateway) == gateway.pid
        assert list(before.iterdir()) == []


@pytest.mark.parametrize(("role", "wish"), [("worker", "refuse"), ("worker", "crash"), ("side", "refuse")])
def test_children_that_do_not_start_leave_the_old_ones(gateway: Running, role: str, wish: str) -> None:
    gateway.write_ini(bind=f"127.0.0.1:0, unix:{gateway.folder}/g.sock")
    with gateway:
        workers = worker_pids(gateway, 2)
        (gateway.run_dir / f"boot-{role}").write_text(wish)
        gateway.send(signal.SIGUSR2)
        gateway.wait_for("upgrade failed, this program goes on")
        (gateway.run_dir / f"boot-{role}").unlink()
        eventually(lambda: len(gateway.children()) == 4 and len(psutil.Process(gateway.pid).children()) == 4)
        assert worker_pids(gateway, 2) == workers
        for index in range(2):
            assert gateway.ask(index=index)
        assert (gateway.folder / "g.sock").exists()
        assert pid_file(gateway) == gateway.pid
        wait_for_end(gateway.upgrade())
        assert gateway.ask()


def test_the_old_master_is_killed_meanwhile(gateway: Running) -> None:
    gateway.write_ini(bind=f"127.0.0.1:0, unix:{gateway.folder}/g.sock")
    with gateway:
        old = psutil.Process(gateway.pid)
        children = [psutil.Process(pid) for pid in gateway.children()]
        new = stalled(gateway)
        old.kill()
        with gateway.connect() as waiting:  # of old workers that end, of a queue, or of new ones: it is answered
            waiting.sendall(b"pid\n")
            gateway.process.wait()
            assert psutil.wait_procs(children, timeout=10)[1] == []
            go_on(gateway)
            gateway.pid = new
            gateway.wait_for(f"replaced={old.pid}")
            assert waiting.recv(100)
        assert "the old program has died, this one goes on alone" in gateway.log()
        assert pid_file(gateway) == new
        assert len(worker_pids(gateway, 2)) == 2
        assert gateway.ask(index=1)
        eventually(lambda: len(gateway.children()) == 4)


def test_a_stop_after_the_handover_waits_for_the_old_one(gateway: Running) -> None:
    with gateway, gateway.connect() as client:
        (gateway.run_dir / "stay").touch()
        client.sendall(b"wait\n")
        assert client.recv(100) == b"waiting\n"
        old = gateway.upgrade()
        gateway.send(signal.SIGTERM)
        gateway.wait_for("stopping ")
        (gateway.run_dir / "stay").unlink()
        assert client.recv(100) == b"done\n"
        wait_for_end(old)
        wait_for_end(gateway.pid)


def test_commands_meanwhile_reach_the_one_in_charge(gateway: Running) -> None:
    with gateway:
        old = gateway.pid
        gateway.send(signal.SIGHUP)
        gateway.send(signal.SIGUSR2)
        gateway.wait_for("starting beside the old program")
        gateway.send(signal.SIGTTIN)
        gateway.send(signal.SIGUSR2)
        gateway.send(signal.SIGUSR2)
        for times in (1, 2):
            gateway.pid = master_of(gateway.wait_for(" replaced=", times=times))
        wait_for_end(old)
        assert gateway.log().count(" reloaded ") == 1
        gateway.wait_for("one worker more workers=3")
        assert gateway.log().count(" replaced=") == 2
        assert "upgrade failed" not in gateway.log()
        assert gateway.ask()

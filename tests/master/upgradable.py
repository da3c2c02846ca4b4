"""A gateway with fake roles whose program can be replaced by another version, and ways to look at an upgrade."""

import signal
import stat
import sys
from pathlib import Path

from tests.master.running import ROOT, Running
from tests.master.test_arbiter import FAKES

SCRIPT = f"#!{sys.executable}\nimport sys; sys.path.insert(0, {str(ROOT)!r})\n"
GOOD = SCRIPT + "from tests.master.fakes import FAKES, main\nsys.exit(main(roles=FAKES))\n"


def upgradable(folder: Path) -> Running:
    """Return a gateway that is started by a script, which can be replaced by another version."""
    running = Running(folder, FAKES)
    running.command = [str(folder / "gproxy")]
    install(running, GOOD)
    return running


def install(gateway: Running, source: str) -> None:
    """Put a version of the program in the place of the last one."""
    path = gateway.folder / "gproxy"
    path.unlink(missing_ok=True)
    path.write_text(source)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def master_of(line: str) -> int:
    """Return the pid of the master that wrote a line of the log."""
    return int(line.partition("master[")[2].partition("]")[0])


def pid_file(gateway: Running) -> int:
    return int((gateway.run_dir / "gproxy.pid").read_text())


def stalled(gateway: Running) -> int:
    """Begin an upgrade whose workers do not come up; return the pid of the new master."""
    (gateway.run_dir / "boot-worker").write_text("stall")
    gateway.send(signal.SIGUSR2)
    line = gateway.wait_for("starting beside the old program")
    gateway.wait_for("worker-3 started")
    return master_of(line)


def go_on(gateway: Running) -> None:
    (gateway.run_dir / "boot-worker").unlink()

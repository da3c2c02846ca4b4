"""A new version installed over the running one: its virtual environment is deleted, made anew, and taken over from."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sysconfig
import venv
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import gproxy
from tests.harness.orphans import adopted
from tests.harness.waiting import eventually
from tests.master.running import Running, wait_for_end
from tests.system.test_supervision import accepting, stats, wait_for_workers


def install(environment: Path, version: str) -> None:
    """Make an environment with gproxy of this version in it; what that needs is found in the one of the tests."""
    venv.create(environment, symlinks=True)
    packages = next((environment / "lib").glob("python*")) / "site-packages"
    (packages / "needs.pth").write_text(sysconfig.get_path("purelib") + "\n")
    shutil.copytree(Path(gproxy.__file__).parent, packages / "gproxy")
    source = packages / "gproxy" / "__init__.py"
    source.write_text(re.sub(r'__version__ = "[^"]*"', f'__version__ = "{version}"', source.read_text()))
    script = environment / "bin" / "gproxy"
    script.write_text(f"#!{environment}/bin/python\nimport sys\nfrom gproxy.__main__ import main\nsys.exit(main())\n")
    script.chmod(0o755)


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Running]:
    environment = tmp_path / "environment"
    install(environment, "1.0.0")
    running = Running(tmp_path)
    running.command = [str(environment / "bin" / "gproxy")]
    with adopted(), running:
        wait_for_workers(running, 2)
        yield running


def test_a_new_environment_in_the_place_of_the_old_one(gateway: Running) -> None:
    assert stats(gateway)["version"] == "1.0.0"
    environment = gateway.folder / "environment"
    # Half of the old version is gone: whatever is started meanwhile has to run all the same.
    for module in ("worker", "core", "monitor", "shared"):
        shutil.rmtree(next(environment.glob(f"lib/python*/site-packages/gproxy/{module}")))
    victim = accepting(gateway)[0]
    psutil.Process(victim).kill()
    wait_for_workers(gateway, 2, without=victim)
    gateway.send(signal.SIGHUP)
    gateway.wait_for(" reloaded ")
    assert eventually(lambda: stats(gateway))["version"] == "1.0.0"
    # An upgrade to half a version fails ...
    gateway.send(signal.SIGUSR2)
    gateway.wait_for('upgrade failed, this program goes on reason="left with exit code 1"')
    # ... and to a whole one does not.
    shutil.rmtree(environment)
    gateway.send(signal.SIGUSR2)
    gateway.wait_for("bin/gproxy: No such file or directory")
    install(environment, "2.0.0")
    old = gateway.upgrade()
    wait_for_workers(gateway, 2)
    assert stats(gateway)["version"] == "2.0.0"
    wait_for_end(old)
    assert psutil.Process(gateway.pid).exe() == psutil.Process().exe()


def test_the_version_that_runs_is_the_one_of_the_link_that_was_turned(tmp_path: Path) -> None:
    for version in ("1.0.0", "2.0.0"):
        install(tmp_path / version, version)
    current = tmp_path / "current"
    current.symlink_to("1.0.0")
    running = Running(tmp_path)
    running.command = [str(current / "bin" / "gproxy")]
    with adopted(), running:
        wait_for_workers(running, 2)
        current.unlink()
        current.symlink_to("2.0.0")
        running.upgrade()
        wait_for_workers(running, 2)
        assert stats(running)["version"] == "2.0.0"
    told = subprocess.run([*running.command, "--version"], capture_output=True, text=True, check=True)
    assert told.stdout == "gproxy 2.0.0\n"

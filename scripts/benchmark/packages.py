"""The programs that are not ours: found, or installed from Debian when this runs as root."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from scripts.benchmark.process import BenchError

SEARCH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
#: Programs whose Debian package has another name.
PACKAGES = {"h2load": "nghttp2-client"}
POLICY = Path("/usr/sbin/policy-rc.d")


def find(program: str) -> str | None:
    """Return the path of a program, also where only root's PATH looks."""
    return shutil.which(program, path=SEARCH)


def need(programs: list[str]) -> dict[str, str]:
    """Return the path of each program, installing the missing ones; raises BenchError when it cannot."""
    missing = [name for name in programs if find(name) is None]
    if missing:
        install(missing)
    return {name: str(find(name)) for name in programs}


def install(names: list[str]) -> None:
    """Install Debian packages without letting their services start, now or at boot."""
    packages = [PACKAGES.get(name, name) for name in names]
    words = " ".join(packages)
    if os.geteuid() != 0 or find("apt-get") is None:
        raise BenchError(f"missing: {words}. Install them, for example: sudo apt-get install {words}")
    print(f"Installing the Debian packages {words} ...", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with services_held_back():
        for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", *packages]):
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise BenchError(f"{' '.join(command)} failed:\n{done.stderr.strip()}")
    if find("systemctl"):
        subprocess.run(["systemctl", "disable", "-q", *packages], capture_output=True, check=False)
    if still := [name for name in names if find(name) is None]:
        raise BenchError(f"installed, but not found: {' '.join(still)}")


@contextlib.contextmanager
def services_held_back() -> Iterator[None]:
    """Keep packages from starting their services, by the policy file that Debian has for this."""
    if POLICY.exists():  # the machine has a policy already: leave it alone
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink(missing_ok=True)


def version(path: str, flag: str) -> str:
    """Return the first line of what a program says about itself."""
    done = subprocess.run([path, flag], capture_output=True, text=True, check=False)
    return ((done.stdout or done.stderr).strip().splitlines() or [""])[0]

"""A gateway to be attacked, with what stands behind and beside it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from scripts.attacks.attacks import Attack
from scripts.attacks.polite import Service
from scripts.benchmark import certificate
from scripts.benchmark.process import cores
from scripts.processes import descendants, free_ports, started

_READY_S = 30.0
_NICE = -15
_PATHS = ("small", "large")
_READY = re.compile(r" ready addresses=(\S+) .*control=(\S+)")
#: Limits low enough to be seen acting within seconds; everything else is as it comes.
_SETTINGS: Mapping[str, Mapping[str, str]] = {
    "timeouts": {"head_s": "1", "body_s": "1", "handshake_s": "1", "client_idle_s": "60"},
    "limits": {},
    "log": {"access": "off"},
}


class AttackError(Exception):
    """The attack cannot be carried out; the text says why."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A running gateway of one worker: plain, TLS and PROXY addresses, and the control endpoint."""

    folder: Path
    port: int
    tls_port: int
    proxy_port: int
    control_port: int
    worker: psutil.Process

    def stats(self) -> dict[str, Any]:
        """Return what /stats says in total."""
        connection = http.client.HTTPConnection("127.0.0.1", self.control_port, timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", "/stats?history=none")
            totals: dict[str, Any] = json.loads(connection.getresponse().read())["totals"]
            return totals

    def cpu_s(self) -> float:
        """Return the processor time of the worker."""
        times = self.worker.cpu_times()
        return float(times.user + times.system)

    def memory(self) -> int:
        """Return the resident memory of the worker, in bytes."""
        return int(self.worker.memory_info().rss)

    def polite(self, seconds: float) -> Service:
        """Let a polite client ask for so long, from a process of its own."""
        command = [sys.executable, "-m", "scripts.attacks.polite", str(self.port), str(seconds)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
            favour(process.pid)
            said, _ = process.communicate(timeout=seconds + 60)
        if process.returncode:
            raise AttackError("the polite client failed")
        return Service(**json.loads(said))

    @contextlib.contextmanager
    def under(self, attack: Attack, scale: float) -> Iterator[None]:
        """Be attacked for a while."""
        ports = (str(self.port), str(self.tls_port), str(self.proxy_port))
        command = [sys.executable, "-m", "scripts.attacks.attackers", attack.attacker, *ports, str(scale)]
        with started([*command, str(attack.count)], self.folder / "attackers.log") as process:
            yield
            if process.poll() is not None:
                raise AttackError((self.folder / "attackers.log").read_text())


def favour(*pids: int) -> None:
    """Put processes before all others on the machine, where that is allowed: it is them that are measured."""
    for pid in pids:
        with contextlib.suppress(psutil.Error, OSError):
            psutil.Process(pid).nice(_NICE)
            Path(f"/proc/{pid}/autogroup").write_text(str(_NICE))  # its session: sched(7)


def ini(folder: Path, settings: Mapping[str, Mapping[str, str]]) -> str:
    """Return the settings of the gateway: those of all attacks, and `settings` over them. Ports are free ones."""
    sections: dict[str, dict[str, str]] = {
        "gproxy": {
            "bind": "127.0.0.1:0, localhost:0",
            "workers": "1",
            "run_dir": f"{folder}/run",
            "trusted_proxies": "10.0.0.0/8",
            "proxy_protocol": "localhost:0",
        },
        "tls": {"bind": "127.0.0.1:0", "certificates": f"{folder}/certificates"},
        "store": {"url": f"sqlite:///{folder}/gateway.db"},
        "control": {"bind": "127.0.0.1:0"},
    }
    for source in (_SETTINGS, settings):
        for section, keys in source.items():
            sections.setdefault(section, {}).update(keys)
    return "".join(
        f"[{section}]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items())
        for section, keys in sections.items()
    )


@contextlib.contextmanager
def standing(folder: Path, settings: Mapping[str, Mapping[str, str]]) -> Iterator[Stage]:
    """Run a gateway and the server behind it in `folder`."""
    ports = free_ports(2)
    certificate.write(folder / "certificates")
    (folder / "gproxy.ini").write_text(ini(folder, settings))
    # Attackers ask for large answers: those have a server of their own, or the polite client would wait for it.
    objects = {
        "servers": [{"name": name, "address": f"127.0.0.1:{port}"} for name, port in zip(_PATHS, ports, strict=True)],
        "clusters": [{"name": name, "servers": [name]} for name in _PATHS],
        "apis": [{"name": name, "path": f"/{name}", "nodes": [{"cluster": name}]} for name in _PATHS],
    }
    (folder / "objects.json").write_text(json.dumps(objects))
    store = f"sqlite:///{folder}/gateway.db"
    apply = [sys.executable, "-m", "gproxy.ctl", "--store", store, "apply", "-f", str(folder / "objects.json")]
    done = subprocess.run(apply, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AttackError(done.stdout + done.stderr)
    servers = [[sys.executable, "-m", "scripts.attacks.backend", str(port)] for port in ports]
    gateway = [sys.executable, "-m", "gproxy", "-c", str(folder / "gproxy.ini")]
    log = folder / "gproxy.log"
    with contextlib.ExitStack() as stack:
        backend, _ = [stack.enter_context(started(server, folder / "backend.log")) for server in servers]
        process = stack.enter_context(started(gateway, log))
        plain, proxy, tls, control = _ports(process, log)
        (worker,) = (child for child in descendants(process.pid) if child.name().startswith("gproxy-worker"))
        os.sched_setaffinity(worker.pid, {cores()[0]})  # what others take of its core it does not have
        favour(backend.pid, worker.pid)
        yield Stage(folder, plain, tls, proxy, control, worker)


def _ports(process: subprocess.Popen[bytes], log: Path) -> list[int]:
    """Wait until the gateway is ready and return the ports that it tells in its log, the control one last."""
    end_s = time.monotonic() + _READY_S
    while time.monotonic() < end_s and process.poll() is None:
        ready = _READY.search(log.read_text())
        if ready is not None:
            return [int(address.rpartition(":")[2]) for address in (*ready[1].split(","), ready[2])]
        time.sleep(0.05)
    raise AttackError(f"the gateway is not ready:\n{log.read_text()[-2000:]}")

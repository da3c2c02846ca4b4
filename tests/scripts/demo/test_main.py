import contextlib
import http.client
import importlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from scripts.demo.options import DemoError, Options, check_ports, read_options
from scripts.processes import free_ports
from tests.harness.waiting import eventually

main = importlib.import_module("scripts.demo.__main__")


def test_other_backend_ports_give_a_copy_of_the_example(tmp_path: Path) -> None:
    options = read_options(["--run-dir", str(tmp_path), "--backend-port", "9101"])
    copy = main.example(options)
    assert copy.parent == tmp_path
    addresses = [server["address"] for server in yaml.safe_load(copy.read_text())["servers"]]
    assert addresses == ["127.0.0.1:9101", "127.0.0.1:9102"]
    assert main.example(read_options([])) == main.EXAMPLE


def five_free_ports() -> tuple[int, int, int, int]:
    """Return the ports of gateway, control and admin, and the first of two in a row for the backends."""
    while True:
        port, control, admin, first = free_ports(4)
        with contextlib.suppress(DemoError):
            check_ports(Options(port, control, admin, (first, first + 1), 2, Path()))
            return port, control, admin, first


@contextlib.contextmanager
def demonstration(*words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run scripts/run; yields the process and what it has shown."""
    environment = {**os.environ, "NO_COLOR": "1"}
    command = [sys.executable, "-m", "scripts.demo", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as demo:
        assert demo.stdout is not None
        shown = ""
        for line in demo.stdout:
            shown += line
            if "Ctrl-C" in line:
                break
        yield demo, shown
        demo.send_signal(signal.SIGTERM)
        assert "stopped" in demo.stdout.read()
    assert demo.returncode == 0


def status(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", path)
    found = connection.getresponse().status
    connection.close()
    return found


def test_the_demonstration_runs_and_stops_cleanly(tmp_path: Path) -> None:
    port, control, admin, backend_port = five_free_ports()
    words = ["--port", str(port), "--control-port", str(control), "--admin-port", str(admin)]
    words += ["--backend-port", str(backend_port), "--run-dir", str(tmp_path / "run")]
    with demonstration(*words) as (_, shown):
        assert "gproxy is running" in shown, shown
        assert f"http://127.0.0.1:{admin}\n" in shown
        assert re.search(r"log in as admin with \S{20,} \(shown this once\)", shown), shown
        assert status(port, "/users/ada") == 404


def test_it_goes_on_without_a_backend_and_ends_with_its_gateway(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "demo.log").write_text("the last words")
    gone = subprocess.Popen(["false"])
    gateway = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    options = read_options(["--run-dir", str(tmp_path)])
    watching = threading.Thread(target=lambda: failures.append(failure_of(lambda: main.watch(programs, options))))
    failures: list[str] = []
    programs = {"backend 1": gone, "gproxy": gateway}
    watching.start()
    said = ""

    def told() -> str:
        nonlocal said
        said += capsys.readouterr().out
        return said

    eventually(lambda: "backend 1 has ended (exit code 1); the rest goes on" in told(), about="it is told")
    assert watching.is_alive()
    gateway.communicate()
    watching.join(5)
    assert failures == ["no gateway is left:\nthe last words"]


def failure_of(task: Callable[[], None]) -> str:
    with pytest.raises(DemoError) as caught:
        task()
    return str(caught.value)


def fleet_options(folder: Path) -> list[str]:
    """Return the arguments for two nodes and an etcd on ports that are free."""
    while True:
        port, control, admin, backend, etcd = free_ports(5)
        words = ["--fleet", "2", "--workers", "1", "--run-dir", str(folder), "--port", str(port)]
        words += ["--control-port", str(control), "--admin-port", str(admin), "--backend-port", str(backend)]
        words += ["--etcd-port", str(etcd)]
        with contextlib.suppress(DemoError, SystemExit):
            check_ports(read_options(words))
            return words


def test_a_fleet_runs_on_a_real_etcd(tmp_path: Path) -> None:
    words = fleet_options(tmp_path / "run")
    options = read_options(words)
    with demonstration(*words) as (_, shown):
        assert all(f"http://127.0.0.1:{node.port}" in shown for node in options.nodes), shown
        assert [status(node.port, "/users/1") for node in options.nodes] == [200, 200]
        command = [sys.executable, "-m", "gproxy.ctl", "--store", options.store, "nodes"]
        listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        assert [line.split()[0] for line in listed] == ["NODE", "node-1", "node-2"]

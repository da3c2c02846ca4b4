import contextlib
import http.client
import importlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import yaml

from scripts.demo.options import DemoError, Options, check_ports, read_options
from scripts.processes import free_ports

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


def test_the_demonstration_runs_and_stops_cleanly(tmp_path: Path) -> None:
    port, control, admin, backend_port = five_free_ports()
    command = [sys.executable, "-m", "scripts.demo", "--port", str(port), "--control-port", str(control)]
    command += ["--admin-port", str(admin), "--backend-port", str(backend_port), "--run-dir", str(tmp_path / "run")]
    environment = {**os.environ, "NO_COLOR": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as demo:
        assert demo.stdout is not None
        shown = ""
        for line in demo.stdout:
            shown += line
            if "Ctrl-C" in line:
                break
        assert "gproxy is running" in shown, shown
        assert f"http://127.0.0.1:{admin}\n" in shown
        assert re.search(r"log in as admin with \S{20,} \(shown this once\)", shown), shown
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/users/ada")
        assert connection.getresponse().status == 404
        connection.close()
        demo.send_signal(signal.SIGTERM)
        assert "stopped" in demo.stdout.read()
    assert demo.returncode == 0

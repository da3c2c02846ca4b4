"""The command line of scripts/run, and the ports it needs."""

import argparse
import socket
from dataclasses import dataclass
from pathlib import Path

EXAMPLE_PORTS = (9001, 9002)


class DemoError(Exception):
    """The demonstration cannot go on; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Options:
    """Where everything listens; `run_dir` receives the store, the logs and what gproxy keeps while it runs."""

    port: int
    control_port: int
    admin_port: int
    backend_ports: tuple[int, int]
    workers: int
    run_dir: Path

    @property
    def store(self) -> str:
        """The URL of the embedded store."""
        return f"sqlite:///{self.run_dir}/gateway.db"


def read_options(arguments: list[str]) -> Options:
    """Return the options; exits with 2 and a message when they are wrong."""
    parser = argparse.ArgumentParser(
        prog="scripts/run", description="Run gproxy in front of two small backends, until Ctrl-C."
    )
    parser.add_argument("--port", type=int, default=8080, help="where the gateway listens (8080)")
    parser.add_argument("--control-port", type=int, default=9900, help="where gproxy tells its health (9900)")
    parser.add_argument("--admin-port", type=int, default=9901, help="where gadmin shows its pages (9901)")
    parser.add_argument(
        "--backend-port", type=int, default=EXAMPLE_PORTS[0], help="of the first; the second has the next (9001)"
    )
    parser.add_argument("--workers", "-w", type=int, default=2, help="worker processes (2)")
    parser.add_argument("--run-dir", type=Path, default=Path("run"), help="folder for store and logs (run)")
    found = parser.parse_args(arguments)
    backend_ports = (found.backend_port, found.backend_port + 1)
    if found.workers < 1:
        parser.error("--workers is at least 1")
    ports = (found.port, found.control_port, found.admin_port, *backend_ports)
    if len(set(ports)) < len(ports) or not all(0 < port < 65536 for port in ports):
        parser.error("the gateway, control, admin and two backend ports are five different ones from 1 to 65535")
    return Options(found.port, found.control_port, found.admin_port, backend_ports, found.workers, found.run_dir)


def check_ports(options: Options) -> None:
    """Raise DemoError when a port is taken, naming every one and the option that changes it."""
    wanted = (
        ("gateway", options.port, "--port"),
        ("control endpoint", options.control_port, "--control-port"),
        ("admin", options.admin_port, "--admin-port"),
        *(("backend", port, "--backend-port") for port in options.backend_ports),
    )
    problems = []
    for purpose, port, option in wanted:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                problems.append(f"port {port} for the {purpose}: {error.strerror}; choose another with {option}")
    if problems:
        raise DemoError("it cannot start\n" + "\n".join(f"  {problem}" for problem in problems))

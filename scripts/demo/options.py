"""The command line of scripts/run, and the ports it needs."""

import argparse
import socket
from dataclasses import dataclass
from pathlib import Path

EXAMPLE_PORTS = (9001, 9002)


class DemoError(Exception):
    """The demonstration cannot go on; the text says why and what to do."""


#: Ports of the nodes of a fleet: the next one for each gateway, a hundred further for each control endpoint.
CONTROL_STEP = 100


@dataclass(frozen=True, slots=True)
class Node:
    """One gproxy of the demonstration."""

    name: str
    port: int
    control_port: int
    run_dir: Path


@dataclass(frozen=True, slots=True)
class Options:
    """Where everything listens; `run_dir` receives the store, the logs and what gproxy keeps while it runs.

    `fleet` is the number of nodes that share an etcd, 0 for one with an embedded store.
    """

    port: int
    control_port: int
    admin_port: int
    backend_ports: tuple[int, int]
    workers: int
    run_dir: Path
    fleet: int = 0
    etcd_port: int = 2379

    @property
    def store(self) -> str:
        """The URL of the store."""
        if self.fleet:
            return f"etcd://127.0.0.1:{self.etcd_port}/gateway"
        return f"sqlite:///{self.run_dir}/gateway.db"

    @property
    def nodes(self) -> list[Node]:
        """Every gproxy that runs, the first one at the ports that were asked for."""
        if not self.fleet:
            return [Node("gproxy", self.port, self.control_port, self.run_dir)]
        return [
            Node(
                f"node-{number + 1}",
                self.port + number,
                self.control_port + CONTROL_STEP * number,
                self.run_dir / f"node-{number + 1}",
            )
            for number in range(self.fleet)
        ]


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
    parser.add_argument("--fleet", type=int, default=0, metavar="N", help="run N gateways that share an etcd")
    parser.add_argument(
        "--etcd-port", type=int, default=2379, help="where that etcd listens (2379; the next for peers)"
    )
    found = parser.parse_args(arguments)
    backend_ports = (found.backend_port, found.backend_port + 1)
    if found.workers < 1:
        parser.error("--workers is at least 1")
    if found.fleet < 0:
        parser.error("--fleet is at least 1")
    options = Options(
        *(found.port, found.control_port, found.admin_port, backend_ports),
        *(found.workers, found.run_dir, found.fleet, found.etcd_port),
    )
    ports = [port for _, port, _ in _wanted(options)]
    if len(set(ports)) < len(ports) or not all(0 < port < 65536 for port in ports):
        parser.error("the gateway, control, admin and two backend ports are five different ones from 1 to 65535")
    return options


def _wanted(options: Options) -> list[tuple[str, int, str]]:
    """Return (purpose, port, the option that changes it) of everything that listens."""
    etcd = [("etcd", options.etcd_port, "--etcd-port"), ("etcd's peers", options.etcd_port + 1, "--etcd-port")]
    return [
        *(("gateway", node.port, "--port") for node in options.nodes),
        *(("control endpoint", node.control_port, "--control-port") for node in options.nodes),
        ("admin", options.admin_port, "--admin-port"),
        *(("backend", port, "--backend-port") for port in options.backend_ports),
        *(etcd if options.fleet else ()),
    ]


def check_ports(options: Options) -> None:
    """Raise DemoError when a port is taken, naming every one and the option that changes it."""
    problems = []
    for purpose, port, option in _wanted(options):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                problems.append(f"port {port} for the {purpose}: {error.strerror}; choose another with {option}")
    if problems:
        raise DemoError("it cannot start\n" + "\n".join(f"  {problem}" for problem in problems))

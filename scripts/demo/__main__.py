"""scripts/run: start the backends, apply the example configuration, run gproxy, say what to try, stop everything."""

import contextlib
import http.client
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from scripts.demo import backend, words
from scripts.demo.options import EXAMPLE_PORTS, DemoError, Node, Options, check_ports, read_options
from scripts.processes import started

EXAMPLE = Path("conf/examples/demo.yaml")
BIN = Path(sys.prefix) / "bin"
READY_TIMEOUT_S = 30.0
#: How gadmin tells the password of the first user, once.
FIRST_PASSWORD = re.compile(r"the first user is admin, the password is (\S+)")
Program = subprocess.Popen[bytes]


class Stopped(Exception):
    """Ctrl-C or TERM."""


def stop_asked(number: int, frame: FrameType | None) -> None:
    """Leave whatever is being done; everything started is stopped on the way out."""
    for caught in (signal.SIGINT, signal.SIGTERM):
        signal.signal(caught, signal.SIG_IGN)  # once is enough: stopping must not be interrupted
    raise Stopped


def settings(options: Options, node: Node) -> str:
    """Return the INI of a gateway: what differs from the defaults, all of it inside the run directory."""
    return f"""\
# Written by scripts/run.
[gproxy]
bind = 127.0.0.1:{node.port}
run_dir = {node.run_dir}
[store]
url = {options.store}
[node]
id = {node.name}
[log]
file = {node.run_dir}/gproxy.log
[control]
bind = 127.0.0.1:{node.control_port}
"""


def example(options: Options) -> Path:
    """Return the configuration to apply: the example, or a copy of it with the backends' other ports."""
    if options.backend_ports == EXAMPLE_PORTS:
        return EXAMPLE
    text = EXAMPLE.read_text(encoding="utf-8")
    for old, new in zip(EXAMPLE_PORTS, options.backend_ports, strict=True):
        text = text.replace(f'"127.0.0.1:{old}"', f'"127.0.0.1:{new}"')
    copy = options.run_dir / "demo.yaml"
    copy.write_text(text, encoding="utf-8")
    return copy


def apply(options: Options, path: Path) -> str:
    """Make the store equal to the file; return the last line that gproxyctl says about it."""
    command = [str(BIN / "gproxyctl"), "--store", options.store, "apply", "-f", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise DemoError(f"gproxyctl apply failed:\n{done.stdout}{done.stderr}")
    return (done.stdout.strip().splitlines() or [""])[-1]


def ask(port: int, path: str) -> tuple[int, str]:
    """Return (status, serving backend) of one GET; raises OSError or HTTPException when nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with contextlib.closing(connection):
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        return response.status, response.getheader("X-Served-By", "")


def wait_for(program: Program, port: int, path: str, log: Path) -> None:
    """Return once the path is answered 200; raises DemoError with the end of the log when it never is."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    while program.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if ask(port, path)[0] == 200:
                return
        time.sleep(0.02)
    raise DemoError(f"{program.args!r} does not serve http://127.0.0.1:{port}{path}:\n{ending(log)}")


def ending(log: Path) -> str:
    """Return the last lines of a log."""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])


@contextlib.contextmanager
def admin(options: Options, log: Path, programs: dict[str, Program]) -> Iterator[str]:
    """Run gadmin on the store of the demonstration; yields the first user's password, "" when there is one already."""
    command: list[str | Path] = [BIN / "gadmin", "--store", options.store, "-b", f"127.0.0.1:{options.admin_port}"]
    with started(command, log) as program:
        programs["gadmin"] = program
        wait_for(program, options.admin_port, "/healthz", log)
        found = FIRST_PASSWORD.search(log.read_text(encoding="utf-8", errors="replace"))
        yield found[1] if found else ""


def gproxy(options: Options, node: Node, log: Path) -> contextlib.AbstractContextManager[Program]:
    """Return the context in which a gateway runs."""
    node.run_dir.mkdir(exist_ok=True)
    ini = node.run_dir / "demo.ini"
    ini.write_text(settings(options, node), encoding="utf-8")
    return started([BIN / "gproxy", "-c", ini, "-w", str(options.workers)], log)


def etcd_command(options: Options) -> list[str]:
    """Return how to start etcd on loopback; it forgets what is a thousand writes old."""
    client, peer = f"http://127.0.0.1:{options.etcd_port}", f"http://127.0.0.1:{options.etcd_port + 1}"
    return [
        *(str(BIN / "etcd"), "--name", "demo", "--data-dir", str(options.run_dir / "etcd"), "--log-level", "error"),
        *("--listen-client-urls", client, "--advertise-client-urls", client),
        *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"demo={peer}"),
        *("--auto-compaction-mode", "revision", "--auto-compaction-retention", "1000"),
    ]


@contextlib.contextmanager
def running(options: Options) -> Iterator[tuple[dict[str, Program], str]]:
    """Run everything; yields (programs by name, the text to show) once requests are answered."""
    options.run_dir.mkdir(parents=True, exist_ok=True)
    log = options.run_dir / "demo.log"
    log.write_bytes(b"")
    programs: dict[str, Program] = {}
    with contextlib.ExitStack() as stack:
        for number, port in enumerate(options.backend_ports, 1):
            command = [sys.executable, "-m", backend.__name__, f"demo-{number}", str(port)]
            programs[f"backend demo-{number}"] = stack.enter_context(started(command, log))
        for name, port in zip(list(programs), options.backend_ports, strict=True):
            wait_for(programs[name], port, "/users/1", log)
        if options.fleet:
            programs["etcd"] = stack.enter_context(started(etcd_command(options), options.run_dir / "etcd.log"))
            wait_for(programs["etcd"], options.etcd_port, "/health", options.run_dir / "etcd.log")
        path = example(options)
        applied = apply(options, path)
        begin = time.monotonic()
        for node in options.nodes:
            programs[node.name] = stack.enter_context(gproxy(options, node, log))
        for node in options.nodes:
            wait_for(programs[node.name], node.port, "/users/1", log)
        ready_s = time.monotonic() - begin
        password = stack.enter_context(admin(options, log, programs))
        status, server = ask(options.port, "/users/1")
        first = f"GET /users/1 -> {status}, served by {server}"
        is_plain = not sys.stdout.isatty() or bool(os.environ.get("NO_COLOR"))
        text = words.opening(options, str(path), applied, ready_s, first, password, is_plain)
        text += "\n" + words.suggestions("Try it in another terminal", words.attempts(options.port), is_plain)
        if options.fleet:
            text += "\n" + words.suggestions("Look at the fleet", words.fleet(options, str(path)), is_plain)
        text += "\n" + words.suggestions(
            "Change the configuration while it runs", words.changes(options, str(path)), is_plain
        )
        yield programs, text


def watch(programs: dict[str, Program], options: Options) -> None:
    """Wait until somebody stops the demonstration, and say what else ends: gateways go on without it.

    Raises DemoError when no gateway is left.
    """
    gateways, ended = {node.name for node in options.nodes}, set[str]()
    while not gateways <= ended:
        for name, program in programs.items():
            if name not in ended and program.poll() is not None:
                ended.add(name)
                print(f"\n  {words.ended(name, program.returncode)}", flush=True)
        time.sleep(0.5)
    raise DemoError(f"no gateway is left:\n{ending(options.run_dir / 'demo.log')}")


def main() -> int:
    """Run the demonstration; exit code 0 after Ctrl-C or TERM, 1 when something fails, 2 for wrong arguments."""
    options = read_options(sys.argv[1:])
    for caught in (signal.SIGINT, signal.SIGTERM):
        signal.signal(caught, stop_asked)
    try:
        check_ports(options)
        with running(options) as (programs, text):
            print(f"{text}\n\n  Ctrl-C stops everything.", flush=True)
            watch(programs, options)
    except DemoError as error:
        print(f"scripts/run: {error}", file=sys.stderr)
        return 1
    except Stopped:
        print("\n  stopped: gateway and backends have ended", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

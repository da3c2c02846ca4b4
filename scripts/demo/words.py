"""What the demonstration prints: every line of it, as pure functions of what really happened."""

import signal
from collections.abc import Sequence

from scripts.demo.options import Options

BOLD, DIM, GREEN = "1", "2", "32"


def styled(text: str, style: str, is_plain: bool) -> str:
    """Return text in an ANSI style, or as it is."""
    return text if is_plain else f"\033[{style}m{text}\033[0m"


def opening(
    options: Options, example: str, applied: str, ready_s: float, first: str, password: str, is_plain: bool
) -> str:
    """Return what is shown once everything runs.

    `applied` is the last line that gproxyctl printed, `first` describes the first answer through the
    gateway, `password` is that of the first user of gadmin, "" when it was shown before.
    """
    gateways = ", ".join(f"http://127.0.0.1:{node.port}" for node in options.nodes)
    logs = ", ".join(f"{node.run_dir}/gproxy.log" for node in options.nodes)
    lines = [
        ("backends", ", ".join(f"http://127.0.0.1:{port}" for port in options.backend_ports)),
        ("configuration", f"{example} -> {options.store}"),
        ("", applied),
        (
            "gateway",
            f"{gateways} ({options.workers} workers{' each' if options.fleet else ''}, ready in {ready_s:.1f} s)",
        ),
        ("", first),
        ("admin", f"http://127.0.0.1:{options.admin_port}"),
        ("", f"log in as admin with {password} (shown this once)" if password else _new_password(options)),
        ("health", f"http://127.0.0.1:{options.control_port}/readyz"),
        ("log", logs),
    ]
    width = max(len(name) for name, _ in lines)
    shown = [f"  {styled(name.rjust(width), DIM, is_plain)}  {text}" for name, text in lines if text]
    return "\n".join(["", f"  {styled('gproxy is running', GREEN, is_plain)}", "", *shown])


def _new_password(options: Options) -> str:
    return f"forgotten the password? .venv/bin/gadmin --store {options.store} --reset-password admin"


def attempts(port: int) -> list[tuple[str, str]]:
    """Return (what it shows, command line) of everything worth trying."""
    site = f"http://127.0.0.1:{port}"
    return [
        ("the servers take turns: look at X-Served-By", f"curl -i {site}/users/1"),
        ("{id:int} takes digits only: 404", f"curl -i {site}/users/ada"),
        ("no API has this method here: 405 and Allow", f"curl -i -X DELETE {site}/users/1"),
        ("a request with a body", f"""curl -d '{{"user": 2, "items": ["tape"]}}' {site}/orders/"""),
        ("what a server is sent", f"curl {site}/headers"),
        ("a server slower than its API allows: 504", f"curl -i '{site}/slow?ms=2000'"),
    ]


def changes(options: Options, example: str) -> list[tuple[str, str]]:
    """Return (what it shows, command line) of changing the configuration while requests flow."""
    ctl = _ctl(options)
    drained = f'{{"name": "demo-1", "address": "127.0.0.1:{options.backend_ports[0]}", "status": "drain"}}'
    return [
        ("take one server out: every answer comes from demo-2 now", f"echo '{drained}' | {ctl} put server"),
        ("what would bring it back, and do it", f"{ctl} apply -f {example} --dry-run"),
        ("", f"{ctl} apply -f {example}"),
        ("who changed what, and when", f"{ctl} history"),
    ]


def fleet(options: Options, example: str) -> list[tuple[str, str]]:
    """Return (what it shows, command line) of what several nodes and an etcd can show."""
    ctl, etcdctl = _ctl(options), f".venv/bin/etcdctl --endpoints 127.0.0.1:{options.etcd_port}"
    edited = f'{{"address": "127.0.0.1:{options.backend_ports[0]}", "weight": 5}}'
    return [
        ("the nodes, and what their workers run", f"{ctl} nodes"),
        ("what is in etcd", f"{etcdctl} get --prefix /gateway/server/"),
        (
            "a change by hand is in effect everywhere, and in the history",
            f"{etcdctl} put /gateway/server/demo-1 '{edited}' && sleep 1 && {ctl} history",
        ),
        ("back to the example; returns when every worker of every node runs it", f"{ctl} apply -f {example} --wait"),
    ]


def ended(name: str, code: int) -> str:
    """Return the line about a program that has ended by itself or was killed."""
    how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    return f"{name} has ended ({how}); the rest goes on without it"


def _ctl(options: Options) -> str:
    """Return how to call gproxyctl for the store of the demonstration."""
    is_default = options.store == "sqlite:///run/gateway.db"
    return ".venv/bin/gproxyctl" + ("" if is_default else f" --store {options.store}")


def suggestions(title: str, commands: Sequence[tuple[str, str]], is_plain: bool) -> str:
    """Return a titled list of commands, each below what it shows; nothing is shown by one that goes on."""
    lines = ["", f"  {styled(title, BOLD, is_plain)}", ""]
    for shows, command in commands:
        lines += [f"  {styled('# ' + shows, DIM, is_plain)}"] if shows else []
        lines.append(f"  {command}")
    return "\n".join(lines)

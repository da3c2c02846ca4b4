"""The command line of scripts/bench."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from scripts.benchmark import contenders
from scripts.benchmark.workloads import WORKLOADS, Workload


@dataclass(frozen=True, slots=True)
class Options:
    """The command line, checked."""

    rounds: int
    seconds: int
    workloads: list[Workload]
    proxies: list[str]
    gproxy_command: str
    json: Path | None
    svg: Path | None


def known(values: str, names: list[str]) -> list[str]:
    """Return the comma list in the order of `names`; raises ArgumentTypeError on a name not among them."""
    wanted = [value.strip() for value in values.split(",") if value.strip()]
    if unknown := [value for value in wanted if value not in names]:
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; there are {', '.join(names)}")
    return [name for name in names if name in wanted]


def read_options(arguments: list[str]) -> Options:
    """Return the options; exits with 2 and a message when they are wrong."""
    names = [workload.name for workload in WORKLOADS]
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measure gproxy, nginx and haproxy side by side: one worker each on core 0, load on 1.",
        epilog=f"Workloads: {', '.join(names)}.",
    )
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each figure; the median counts (3)")
    parser.add_argument("--seconds", type=int, default=3, help="length of one measurement (3)")
    parser.add_argument("--quick", action="store_true", help="one round of one second: under a minute, rough figures")
    parser.add_argument("--only", type=lambda text: known(text, names), default=names, metavar="WORKLOAD,...")
    parser.add_argument(
        "--proxies",
        type=lambda text: known(text, list(contenders.NAMES)),
        default=list(contenders.NAMES),
        metavar="NAME,...",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="store every sample")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw the table")
    parser.add_argument(
        "--gproxy-command",
        metavar="COMMAND",
        default="",
        help="measure another program in gproxy's place; {port} {server1} {server2} are filled in",
    )
    found = parser.parse_args(arguments)
    if found.rounds < 1 or found.seconds < 1:
        parser.error("--rounds and --seconds are at least 1")
    if found.gproxy_command and "{port}" not in found.gproxy_command:
        parser.error("--gproxy-command needs the place {port}")
    return Options(
        rounds=1 if found.quick else found.rounds,
        seconds=1 if found.quick else found.seconds,
        workloads=[workload for workload in WORKLOADS if workload.name in found.only],
        proxies=found.proxies,
        gproxy_command=found.gproxy_command,
        json=found.json,
        svg=found.svg,
    )

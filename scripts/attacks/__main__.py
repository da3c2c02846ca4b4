"""scripts/attack: attack a gateway of its own in every known way and print what came of it."""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from scripts.attacks import table
from scripts.attacks.attacks import ATTACKS
from scripts.attacks.measure import Outcome, measure
from scripts.attacks.stage import AttackError, standing
from scripts.benchmark.process import allow_many_files, cores


def main(arguments: list[str]) -> int:
    """Run the attacks; exit code 1 when one could not be run or a limit that should have acted has not."""
    names = [attack.attacker for attack in ATTACKS]
    parser = argparse.ArgumentParser(prog="scripts/attack", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="how long each is looked at (5)")
    parser.add_argument("--scale", type=float, default=1.0, help="how many attackers, times the usual number (1)")
    parser.add_argument("--only", default=names, metavar="NAME,...", type=lambda value: value.split(","))
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.only if name not in names]:
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(names)}")
    allow_many_files()
    os.sched_setaffinity(0, {cores()[1]})
    outcomes: list[Outcome] = []
    try:
        for attack in ATTACKS:
            if attack.attacker in options.only:
                print(f"{attack.title} ...", file=sys.stderr)
                with (
                    tempfile.TemporaryDirectory(prefix="gproxy-attack-") as folder,
                    standing(Path(folder), attack.settings) as stage,
                ):
                    outcomes.append(measure(stage, attack, options.seconds, options.scale))
    except AttackError as error:
        print(f"scripts/attack: {error}", file=sys.stderr)
        return 1
    print(table.text(outcomes))
    idle = [outcome for outcome in outcomes if outcome.attack.counter and not outcome.acted]
    for outcome in idle:
        print(f"* {outcome.attack.title}: {outcome.attack.limit} has not acted", file=sys.stderr)
    return 1 if idle else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

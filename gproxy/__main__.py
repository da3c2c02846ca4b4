"""The command `gproxy`: read the settings, then run the master, or check (`-t`) and say what is wrong.

Exit codes: 0 clean stop or good settings, 1 cannot start or runtime failure, 2 wrong arguments or settings.
"""

import argparse
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from gproxy import __version__, logs, settings
from gproxy.master.arbiter import Arbiter, StartError
from gproxy.master.check import problems_here
from gproxy.master.child import ROLES
from gproxy.master.kept_code import keep_our_code
from gproxy.master.predecessor import NoEstate, Predecessor
from gproxy.master.program import Program
from gproxy.settings import Settings, SettingsError

log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None, roles: Mapping[str, str] = ROLES) -> int:
    """Run the command and return its exit code. `roles` says what the children run."""
    program = Program.of_this_process()
    options = _parser().parse_args(arguments)
    overrides = _overrides(options)

    def load() -> Settings:
        return settings.load(options.config, overrides)

    try:
        predecessor = Predecessor.from_environment()
    except NoEstate as error:
        _say([str(error)])
        return 1
    try:
        loaded = load()
        if options.test:
            with logs.remarks("gproxy"):
                found = problems_here(loaded)
            if found:
                raise SettingsError(found)
            print(f"gproxy: {settings.good(options.config)}")
            return 0
    except SettingsError as error:
        if not (predecessor and predecessor.fail(error.problems)):
            _say(error.problems)
        return 2
    keep_our_code()
    try:
        return Arbiter(loaded, load, program, roles, predecessor).run()
    except StartError as error:
        if predecessor and predecessor.fail(error.problems):
            return 1
        is_on_stderr = loaded.log.file == "-"
        if not is_on_stderr or loaded.log.format == "json":
            for problem in error.problems:
                log.error(problem)
        if not is_on_stderr or loaded.log.format == "text":
            _say(error.problems)
        return 1


def _say(problems: Sequence[str]) -> None:
    for problem in problems:
        print(f"gproxy: {problem}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "gproxy",
        description="A pre-forking HTTP gateway. Options win over the settings file, where every key has a default; "
        "what is routed where is in the store: see gproxyctl.",
        epilog="Exit codes: 0 clean stop or good settings, 1 cannot start or runtime failure, 2 wrong arguments or "
        "settings. Signals to a running gproxy: HUP reads the settings again, TERM finishes requests and stops, "
        "INT and QUIT stop at once, TTIN and TTOU add and remove a worker, USR1 reopens the log files, USR2 replaces "
        "the program, with a new version too, on the same sockets: this one finishes its requests and exits.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "-c",
        dest="config",
        metavar="INI",
        type=Path,
        help=f"settings (default: {settings.DEFAULT_PATH} if it exists)",
    )
    parser.add_argument("-w", dest="workers", metavar="N", help="worker processes: a number or auto")
    parser.add_argument(
        "-b",
        dest="bind",
        metavar="HOST:PORT",
        action="append",
        help="public address, may be repeated",
    )
    parser.add_argument("--store", metavar="URL", help="sqlite:///path or etcd://host:port/prefix")
    parser.add_argument("-t", dest="test", action="store_true", help="check the settings and exit")
    parser.add_argument("--version", action="version", version=f"gproxy {__version__}")
    return parser


def _overrides(options: argparse.Namespace) -> dict[str, dict[str, str]]:
    """Turn the options that were given into texts for the keys they stand for."""
    given: dict[str, dict[str, str]] = {"gproxy": {}, "store": {}}
    if options.workers is not None:
        given["gproxy"]["workers"] = options.workers
    if options.bind is not None:
        given["gproxy"]["bind"] = ", ".join(options.bind)
    if options.store is not None:
        given["store"]["url"] = options.store
    return given


if __name__ == "__main__":
    sys.exit(main())

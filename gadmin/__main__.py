"""The command `gadmin`: read the settings, begin, serve until told to stop.

Exit codes: 0 clean stop or good settings, 1 cannot start, 2 wrong arguments or settings.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from gadmin import serve, settings
from gadmin.accounts.accounts import FIRST_USER, AccountError
from gadmin.app import create_app
from gadmin.services import Services
from gproxy import __version__, logs
from gproxy.settings_table import SettingsError
from gproxy.store.base import StoreError
from gproxy.store.open import BadStoreUrl

log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        loaded = settings.load(options.config, _overrides(options))
        if options.test:
            print(f"gadmin: {settings.good(options.config)}")
            return 0
        services = Services.of(loaded)
    except SettingsError as error:
        return _say(2, *error.problems)
    except BadStoreUrl as error:
        return _say(2, str(error))
    try:
        logs.setup(loaded, "gadmin")
        first = services.begin()
        if options.reset:
            password = services.accounts.reset_password(options.reset, "gadmin")
            print(f"gadmin: the new password of {options.reset} is {password} (shown this once)")
            return 0
        server = serve.listening(create_app(services), loaded.gadmin)
    except (OSError, StoreError, AccountError, serve.ServeError) as error:
        return _say(1, str(error))
    else:
        if first is not None:
            print(f"gadmin: the first user is {FIRST_USER}, the password is {first} (shown this once)", flush=True)
        log.info("ready", extra={"address": server.address})
        serve.run(server)
        return 0
    finally:
        services.end()


def _say(code: int, *lines: str) -> int:
    for line in lines:
        print(f"gadmin: {line}", file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "gadmin",
        description="The gateway's configuration and figures, in the browser and over REST.",
        epilog="Exit codes: 0 clean stop or good settings, 1 cannot start, 2 wrong arguments or settings.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "-c",
        dest="config",
        metavar="INI",
        type=Path,
        help=f"settings (default: {settings.DEFAULT_PATH} if it exists)",
    )
    parser.add_argument("-b", dest="bind", metavar="HOST:PORT", help="address to listen on")
    parser.add_argument("--store", metavar="URL", help="sqlite:///path or etcd://host:port/prefix")
    parser.add_argument("-t", dest="test", action="store_true", help="check the settings and exit")
    parser.add_argument(
        "--reset-password", dest="reset", metavar="USER", help="print a new password for a user and exit"
    )
    parser.add_argument("--version", action="version", version=f"gadmin {__version__}")
    return parser


def _overrides(options: argparse.Namespace) -> dict[str, dict[str, str]]:
    given: dict[str, dict[str, str]] = {"gadmin": {}, "store": {}}
    if options.bind is not None:
        given["gadmin"]["bind"] = options.bind
    if options.store is not None:
        given["store"]["url"] = options.store
    return given


if __name__ == "__main__":
    sys.exit(main())

"""Start of `gproxyctl`: arguments in, exit code out (0 done, 1 failure, 2 wrong arguments or configuration)."""

import argparse
import os
import sys
from collections.abc import Sequence

from gproxy import settings
from gproxy.ctl import admin_commands
from gproxy.ctl.admin import TOKEN_VARIABLE, Admin, AdminError
from gproxy.ctl.arguments import parser
from gproxy.ctl.commands import NoSuchObject
from gproxy.ctl.explain import BadUrl
from gproxy.ctl.files import FileError
from gproxy.ctl.node import BadAddress, NodeError
from gproxy.ctl.nodes import NotApplied
from gproxy.settings import SettingsError
from gproxy.store.access import NOBODY, Access
from gproxy.store.base import StoreError, StoreMissing
from gproxy.store.edit import Rejected
from gproxy.store.open import BadStoreUrl

DONE, FAILED, WRONG = 0, 1, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code."""
    arguments = parser().parse_args(argv)
    try:
        _run(arguments)
        sys.stdout.flush()
    except Rejected as error:
        count = len(error.problems)
        summary = f"refused, nothing was written: {count} problem{'s' if count > 1 else ''}"
        return _fail(WRONG, *map(str, error.problems), *getattr(error, "__notes__", ()), summary)
    except SettingsError as error:
        return _fail(WRONG, *error.problems)
    except (FileError, BadStoreUrl, BadAddress, BadUrl) as error:
        return _fail(WRONG, str(error))
    except StoreMissing as error:
        return _fail(FAILED, f"{error}; is this the right folder and --store? `gproxyctl apply` creates it")
    except (StoreError, NoSuchObject, NodeError, NotApplied, AdminError) as error:
        return _fail(FAILED, *str(error).splitlines())
    except BrokenPipeError:
        # Nobody reads on (`| head`): leave quietly, also when the interpreter flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeyboardInterrupt:
        return FAILED
    return DONE


def _run(arguments: argparse.Namespace) -> None:
    """Run the command: on the store, or through an admin."""
    name = arguments.run.__name__
    if arguments.admin is None:
        _locate(arguments)
        arguments.run(arguments, arguments.store)
        return
    admin = Admin(arguments.admin, _token(arguments), arguments.ca_file)
    through_admin = getattr(admin_commands, name, None)
    if through_admin is not None:
        through_admin(arguments, admin)
    else:  # a question to one node
        arguments.asked = admin.node(arguments.node)
        arguments.run(arguments, "")


def _token(arguments: argparse.Namespace) -> str:
    """Return the token for the admin. Raises FileError."""
    if arguments.token_file is None:
        return os.environ.get(TOKEN_VARIABLE, "")
    try:
        return str(arguments.token_file.read_text(encoding="ascii").strip())
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"{arguments.token_file}: {getattr(error, 'strerror', None) or error}") from None


def _locate(arguments: argparse.Namespace) -> None:
    """Add the store's URL and the access to it: from the command line, else from the INI. Raises SettingsError."""
    arguments.access = NOBODY
    if not arguments.store or arguments.ini or arguments.store.startswith("etcd://"):
        store = settings.load(arguments.ini).store
        arguments.access = Access.of(store)
        arguments.store = arguments.store or store.url


def _fail(code: int, *lines: str) -> int:
    for line in lines:
        print(f"gproxyctl: {line}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())

"""Start of `gproxyctl`: arguments in, exit code out (0 done, 1 failure, 2 wrong arguments or configuration)."""

import os
import sys
from collections.abc import Sequence

from gproxy import settings
from gproxy.ctl.arguments import parser
from gproxy.ctl.commands import NoSuchObject
from gproxy.ctl.files import FileError
from gproxy.ctl.node import BadAddress, NodeError
from gproxy.settings import SettingsError
from gproxy.store.base import StoreError
from gproxy.store.edit import Rejected
from gproxy.store.open import BadStoreUrl

DONE, FAILED, WRONG = 0, 1, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code."""
    arguments = parser().parse_args(argv)
    try:
        arguments.run(arguments, arguments.store or settings.load(arguments.ini).store.url)
        sys.stdout.flush()
    except Rejected as error:
        count = len(error.problems)
        summary = f"refused, nothing was written: {count} problem{'s' if count > 1 else ''}"
        return _fail(WRONG, *map(str, error.problems), summary)
    except SettingsError as error:
        return _fail(WRONG, *error.problems)
    except (FileError, BadStoreUrl, BadAddress) as error:
        return _fail(WRONG, str(error))
    except (StoreError, NoSuchObject, NodeError) as error:
        return _fail(FAILED, str(error))
    except BrokenPipeError:
        # Nobody reads on (`| head`): leave quietly, also when the interpreter flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeyboardInterrupt:
        return FAILED
    return DONE


def _fail(code: int, *lines: str) -> int:
    for line in lines:
        print(f"gproxyctl: {line}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())

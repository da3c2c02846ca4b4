"""`gproxyctl status`: a node in a terminal, refreshed until Ctrl-C, or shown once."""

import argparse
import contextlib
import shutil
import sys
import time
from typing import Any, Final

from gproxy.ctl.node import Asked, node_of
from gproxy.ctl.status_view import view

#: Cursor to the top left, and each line cleared behind its text: no flicker, unlike clearing the screen.
_TOP: Final = "\x1b[H"
_CLEAR_LINE: Final = "\x1b[K\n"
_CLEAR_BELOW: Final = "\x1b[J"
_CLEAR_SCREEN: Final = "\x1b[2J"
#: Lines of a screen that nobody can measure, and of one that is not a screen: all.
_ALL_LINES: Final = 1000


def status(arguments: argparse.Namespace, _url: str) -> None:
    """Show the node whose control endpoint is named, or that of the INI. Raises NodeError, BadAddress."""
    node = node_of(arguments)
    if arguments.once:
        print("\n".join(view(_ask(node), None, 80, _ALL_LINES)))
        return
    with contextlib.suppress(KeyboardInterrupt):  # the way to end it
        _refresh(node, arguments.interval)


def _refresh(node: Asked, interval_s: float) -> None:
    """Show the node again and again, on the whole screen."""
    before: dict[str, Any] | None = None
    sys.stdout.write(_CLEAR_SCREEN)
    while True:
        told = _ask(node)
        columns, lines = shutil.get_terminal_size()
        shown = view(told, before, columns, lines - 1)
        sys.stdout.write(_TOP + "".join(line + _CLEAR_LINE for line in shown) + _CLEAR_BELOW)
        sys.stdout.flush()
        before = told
        time.sleep(interval_s)


def _ask(node: Asked) -> dict[str, Any]:
    """Return /stats with the events, and with when it was asked (`asked_s`, monotonic)."""
    return {
        **node.ask("/stats?history=none"),
        "events": node.ask("/events")["events"],
        "asked_s": time.monotonic(),
    }

"""Who this node is among all that follow a store: its id, and the address where others find it."""

import logging
import re
import secrets
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from gproxy.entrances import entrances
from gproxy.settings import Settings

log = logging.getLogger(__name__)

#: In the run_dir, so that a node is the same one after a restart, and two nodes of one machine are two.
FILE_NAME: Final = "node_id"

_NO_NAME: Final = re.compile(r"[^A-Za-z0-9._:-]+")
_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def node_id(given: str, run_dir: Path) -> str:
    """Return the id from the settings, else the one in the run_dir, which is made when there is none."""
    if given:
        return given
    file = run_dir / FILE_NAME
    try:
        known = file.read_text(encoding="ascii").strip()
        if _ID.fullmatch(known):
            return known
    except (OSError, ValueError):
        pass  # there is none yet, or it cannot be used
    made = f"{_NO_NAME.sub('-', socket.gethostname())[:100]}-{secrets.token_hex(3)}"
    try:
        file.write_text(made + "\n", encoding="ascii")
    except OSError as error:
        log.warning("cannot keep the id of this node", extra={"file": str(file), "reason": error.strerror})
    return made


def control_address(settings: Settings, port: int) -> str:
    """Return where others reach the control endpoint that listens on `port` (0: not on one)."""
    if settings.node.control:
        return settings.node.control
    bind = settings.control.bind
    if bind.startswith("unix:"):
        return bind
    host, _, given = bind.rpartition(":")
    return f"{_reachable(host)}:{port or given}"


def public_addresses(settings: Settings, bound: Sequence[str]) -> Iterator[str]:
    """Yield URLs at which others can send requests to this node; `bound` are the real addresses of its entrances.

    Left out are unix sockets, addresses that only redirect, and those where a PROXY header is expected.
    """
    for entrance, address in zip(entrances(settings), bound, strict=False):
        if not (address.startswith("unix:") or entrance.redirects or entrance.announces):
            host, _, port = address.rpartition(":")
            yield f"{'https' if entrance.speaks_tls else 'http'}://{_reachable(host)}:{port}"


def _reachable(host: str) -> str:
    """Return the host of a bind as others reach it."""
    return socket.gethostname() if host in ("", "0.0.0.0", "[::]") else host

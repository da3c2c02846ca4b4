"""Looks after the folder of certificates while the node runs; free when no address speaks TLS."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from gproxy.role import Context

if TYPE_CHECKING:
    from gproxy.certificates.keeper import Keeper

#: A look at a folder of a thousand takes 5 ms.
LOOK_EVERY_S: Final = 0.5


class Certificates:
    """Has the folder looked at every LOOK_EVERY_S."""

    def __init__(self, context: Context) -> None:
        self._next_s = 0.0
        self._keeper: Keeper | None = None
        if context.tls is not None:
            from gproxy.certificates.keeper import Keeper  # a node without TLS has no use for it

            self._keeper = Keeper(context.settings.tls, context.tls.vault, time.time())

    def look(self, now_s: float) -> None:
        """Have a look if it is time for one; `now_s` is monotonic."""
        if self._keeper is not None and now_s >= self._next_s:
            self._keeper.look(time.time())
            self._next_s = now_s + LOOK_EVERY_S

"""Waiting for newer keys: a token may be signed with one that its issuer has begun to use a moment ago."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Final

from gproxy.core.key_source import KeySource
from gproxy.shared import layout
from gproxy.worker.pause import Pause

if TYPE_CHECKING:
    from gproxy.core.jwt_keys import KeySet
    from gproxy.worker.exchange import Exchange

#: Keys that were fetched so lately are not asked for again.
FRESH_S: Final = 5.0
#: How long a request waits at most, and how often it looks meanwhile.
_WAIT_S: Final = 3.0
_STEP_S: Final = 0.02


def newer_keys(exchange: Exchange, source: KeySource) -> KeySet | None:
    """Have the keys of a URL fetched again, unless that was lately, and return what there is then.

    Waits up to three seconds, never beyond the deadline of the request; raises ClientGone.
    """
    runtime = exchange.client.runtime
    files = runtime.key_files
    began = monotonic()
    if not source.url or files.age_s(source) < FRESH_S or began < files.hopeless.get(source, 0.0):
        return files.get(source, at_once=True)
    runtime.count(layout.KEYS_WANTED)
    until = min(exchange.deadline, began + _WAIT_S)
    client = exchange.client
    while monotonic() < until:
        client.waits_for = pause = Pause()
        try:
            pause.sleep(_STEP_S)
        finally:
            client.waits_for = None
        if files.age_s(source) < FRESH_S:
            return files.get(source, at_once=True)
    files.hopeless[source] = monotonic() + FRESH_S  # nobody else need wait for a server that is away
    return files.get(source, at_once=True)

"""What the store would have to say to a request that is only asked about: told by what serves, without an effect."""

from __future__ import annotations

from time import monotonic
from typing import Any

from gproxy.core.cache_rule import CacheRule
from gproxy.monitor.asked import Asked
from gproxy.shared.cache import CacheMemory
from gproxy.worker.cache.question import Question, key_of, passes_by, question
from gproxy.worker.cache.shelf import look


def verdict(
    memory: CacheMemory | None, asked: Asked, rule: CacheRule, cluster: str, target: bytes, block: bytes
) -> dict[str, Any]:
    """Return {verdict, reason, ...} for a request to `target` of this cluster with these field lines.

    `verdict` is off, bypass, miss, stale or hit; the last two have status, age_s, fresh_s (for how long, in all) and
    stands_in (whether it is given when the server fails).
    """
    if memory is None:
        return {"verdict": "off", "reason": "[cache] bytes is 0"}
    request: Any = asked
    wanted = question(request, rule, key_of(request, rule, cluster, target), block, _nobody)
    why = passes_by(request, wanted.asked)
    if why:
        return {"verdict": "bypass", "reason": wanted.asked.passes_by or why.decode("ascii").partition("=")[2]}
    entry = look(memory, wanted.key, wanted.block)
    if entry is None:
        return {"verdict": "miss", "reason": "nothing is stored"}
    if not wanted.may_have(entry):
        return {"verdict": "miss", "reason": "what is stored is not for one who says who he is"}
    now = monotonic()
    is_hit = entry.answers(wanted.asked, now, rule.obeys_clients)
    is_fresh = not entry.is_checked and entry.age_s(now) < entry.fresh_s
    return {
        "verdict": "hit" if is_hit else "stale",
        "reason": "fresh" if is_hit else "the client wants it anew" if is_fresh else "its server is asked first",
        "status": entry.status,
        "age_s": int(entry.age_s(now)),
        "fresh_s": int(entry.fresh_s),
        "stands_in": entry.stands_in(now),
    }


def _nobody(asked: Question, entry: object, why: bytes) -> None:
    """Give it to nobody."""

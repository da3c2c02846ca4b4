"""How a request ended, in two characters in the tradition of haproxy: who ended it, and in which phase it was then.

docs/access-log.md says the same for users.
"""

from __future__ import annotations

from typing import Final

#: What ends a request that was served as it should be.
NORMAL: Final = "--"
#: The phases: the request itself, a queue, the connection to a server, the head of its response, and its body.
REQUEST, QUEUE, CONNECT, HEAD, DATA = "R", "Q", "C", "H", "D"

#: code -> who ended it; what is not here was refused by the gateway.
_WHO: Final = {
    "": "-",
    "client_gone": "C",
    "request_timeout": "c",
    "bad_upstream": "S",
    "response_broken": "S",
    "answer_too_large": "S",
    "upstream_timeout": "s",
    "rate_limited": "R",
    "overloaded": "R",
    "no_server": "D",
    "circuit_open": "D",
    "no_configuration": "D",
    "keys_unavailable": "D",
    "internal_error": "I",
}
#: code -> the one phase in which it is found
_WHERE: Final = {"no_server": QUEUE, "circuit_open": QUEUE, "response_broken": DATA}


def end_state(code: str, has_begun: bool, has_body: bool, phase: str) -> str:
    """Return how a request ended that has this `code` ("": it was answered).

    `has_begun`: some of the response was sent, `has_body`: all of the request's body had come. `phase` is REQUEST,
    QUEUE or CONNECT for what was waited for when it ended, HEAD when a server was busy with it, "" otherwise.
    """
    if not code:
        return NORMAL
    who = _WHO.get(code, "P")
    if who == "C":
        return who + (DATA if has_begun else REQUEST if not has_body else phase or REQUEST)
    if who in "PRDc":
        return who + (_WHERE.get(code) or (QUEUE if phase == QUEUE else REQUEST))
    return who + (_WHERE.get(code) or phase or HEAD)

"""What the node is told when the health of a server changes."""

import logging

from gproxy.core.health import State
from gproxy.monitor.health import Subject

log = logging.getLogger(__name__)


def announce(subject: Subject, before: State) -> None:
    """Log that a server has left the state `before`; that a server is well from the beginning is no news."""
    about = {"server": subject.target.name, "address": str(subject.target.endpoint)}
    if subject.health.state is State.DOWN:
        log.warning("a server is down", extra={**about, "reason": subject.fault})
    elif before is State.DOWN:
        log.info("a server is up again", extra=about)

"""Long work beside the loop, in threads of the worker's own.

Those of the hub resolve names, and all of them may be waiting for a name server that does not answer: neither a
configuration nor the body of a request shall wait for that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from gevent.threadpool import ThreadPool

from gproxy.worker.link import hub

T = TypeVar("T")
#: Most of the work holds the interpreter lock: more threads would not do more of it.
_MOST_THREADS: Final = 4

_threads = ThreadPool(_MOST_THREADS, hub)


def aside(work: Callable[..., T], *arguments: object) -> T:
    """Do work that takes long in a thread; park until it is done, and return or raise what it does."""
    done: T = _threads.apply(work, arguments)
    return done

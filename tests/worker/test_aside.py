import threading

import pytest

from gproxy.worker.aside import aside
from gproxy.worker.link import hub
from tests.worker.peer import limited


def test_it_is_done_in_another_thread() -> None:
    assert aside(lambda text: (text, threading.get_ident() != hub.thread_ident), "done") == ("done", True)


def test_what_it_raises_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        aside(divmod, 1, 0)


def test_it_does_not_wait_for_names_that_are_looked_up() -> None:
    answered = threading.Event()
    waiting = [hub.threadpool.spawn(answered.wait) for _ in range(hub.threadpool.maxsize)]
    try:
        with limited():
            assert aside(sum, [1, 2]) == 3
    finally:
        answered.set()
        for lookup in waiting:
            lookup.get()

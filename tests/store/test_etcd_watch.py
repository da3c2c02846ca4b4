import threading
import time

from gproxy.store.base import Store
from gproxy.store.open import open_store
from tests.store.contract import U1, put
from tests.store.test_nodes import a_node


def test_watching_costs_no_polling_and_wakes_up_at_once(store: Store, url: str) -> None:
    store.write([put(U1)], "ann")
    assert store.watch(1, 0.3) is None
    took = []
    with open_store(url) as other:
        for revision in range(1, 6):
            written: list[float] = []

            def write(weight: int = revision, written: list[float] = written) -> None:
                other.write([put({**U1, "weight": weight})], "bob")
                written.append(time.monotonic())

            timer = threading.Timer(0.1, write)
            timer.start()
            news = store.watch(revision, 5)
            seen = time.monotonic()
            timer.join()
            assert news is not None
            took.append(seen - written[0])
    assert sorted(took)[2] < 0.2


def test_news_of_nodes_end_a_watch(url: str, store: Store) -> None:
    store.watch(0, 0.2)
    with open_store(url) as other:
        timer = threading.Timer(0.1, other.registry.announce, (a_node(),))
        timer.start()
        began = time.monotonic()
        assert store.watch(0, 10) is None
        assert time.monotonic() - began < 5
        timer.join()

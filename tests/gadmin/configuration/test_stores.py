import threading
from pathlib import Path

import pytest

from gadmin.configuration.stores import Stores
from gproxy.store.access import NOBODY
from gproxy.store.base import Conflict, Store, StoreUnavailable, Write


def test_each_thread_has_its_own_connection_and_keeps_it(tmp_path: Path) -> None:
    stores = Stores(f"sqlite:///{tmp_path}/a.db", NOBODY)
    seen: list[Store] = []

    def look() -> None:
        for _ in range(2):
            with stores.use() as store:
                store.read()
                seen.append(store)
        stores.close()

    look()
    other = threading.Thread(target=look)
    other.start()
    other.join()
    assert seen[0] is seen[1]
    assert seen[2] is seen[3]
    assert seen[0] is not seen[2]


def test_after_a_failure_it_is_opened_anew_but_not_after_an_answer(tmp_path: Path) -> None:
    stores = Stores(f"sqlite:///{tmp_path}/a.db", NOBODY)
    with pytest.raises(Conflict), stores.use() as first:
        first.write([Write("server", "a", {}, expected=7)], "test")
    with stores.use() as second:
        assert second is first
    with pytest.raises(StoreUnavailable), stores.use():
        raise StoreUnavailable("gone")
    with stores.use() as third:
        assert third is not first
    stores.close()

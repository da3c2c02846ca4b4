"""Many writers at the same time: each reads, checks and writes the whole, as the admin and gproxyctl do.

With GPROXY_LARGE_TESTS in the environment there are 1,000 of them, else 24.
"""

import multiprocessing
import os
import threading
import time
from pathlib import Path

import pytest

from gproxy.core.change import Objects
from gproxy.store import edit
from gproxy.store.base import State
from gproxy.store.open import open_store
from tests.harness.etcd import Etcd

WRITERS = 1_000 if "GPROXY_LARGE_TESTS" in os.environ else 24
PROCESSES = 2


def one_more(state: State) -> Objects:
    counter = state.objects.get(("server", "counter"))
    count = int(counter.document["address"].rpartition(":")[2]) + 1 if counter else 1
    return {"server": {"counter": {"name": "counter", "address": f"127.0.0.1:{count}"}}}


def write(url: str, barrier: threading.Barrier, done: list[int]) -> None:
    with open_store(url, wait_s=60) as store:
        barrier.wait(60)
        done.append(edit.write(store, one_more, threading.current_thread().name).revision)


def write_many(url: str, count: int) -> None:
    """Run in a process of its own: so many threads, each a writer with a connection of its own."""
    barrier, done = threading.Barrier(count), list[int]()
    threads = [threading.Thread(target=write, args=(url, barrier, done)) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(done)) == count


@pytest.mark.timeout(900)
def test_no_update_is_lost(tmp_path: Path) -> None:
    with Etcd(tmp_path) as etcd:
        url = etcd.url()
        began = time.monotonic()
        context = multiprocessing.get_context("spawn")
        processes = [context.Process(target=write_many, args=(url, WRITERS // PROCESSES)) for _ in range(PROCESSES)]
        for process in processes:
            process.start()
        for process in processes:
            process.join(880)
            assert process.exitcode == 0
        with open_store(url) as store:
            counter = {"name": "counter", "address": f"127.0.0.1:{WRITERS}"}
            assert store.read().documents() == {"server": {"counter": counter}}
            assert [entry.revision for entry in store.history()] == list(range(WRITERS, 0, -1))
        print(f"{WRITERS} writers: {time.monotonic() - began:.1f} s")

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from gproxy import settings
from gproxy.master.generation import Generation, Unlistenable
from gproxy.settings import Settings


def asked(bind: str, control: str = "127.0.0.1:0", workers: int = 2) -> Settings:
    return settings.load(None, {"gproxy": {"bind": bind, "workers": str(workers)}, "control": {"bind": control}})


def test_a_generation_has_its_sockets_and_a_place_for_each_worker() -> None:
    made = Generation.open(asked("127.0.0.1:0, [::1]:0", workers=3))
    assert [listener.bind for listener in made.listeners] == ["127.0.0.1:0", "[::1]:0"]
    assert len(made.workers) == 3
    assert made.workers[0].listeners == made.sockets()
    made.close_unless_in(None)


def test_the_next_one_takes_over_what_it_shares_and_the_rest_is_closed(tmp_path: Path) -> None:
    old = Generation.open(asked(f"127.0.0.1:0, unix:{tmp_path}/old.sock"))
    new = Generation.open(asked(f"unix:{tmp_path}/new.sock, 127.0.0.1:0"), old.by_section())
    assert new.listeners[1] is old.listeners[0]
    assert new.control is old.control
    old.close_unless_in(new)
    assert [path.name for path in tmp_path.iterdir()] == ["new.sock"]
    assert old.listeners[1].socket.fileno() == -1
    assert new.listeners[1].socket.fileno() > 0
    new.close_unless_in(None)
    assert list(tmp_path.iterdir()) == []


def test_an_address_can_move_between_sections(tmp_path: Path) -> None:
    one, two = f"unix:{tmp_path}/1", f"unix:{tmp_path}/2"
    old = Generation.open(asked(one, two))
    new = Generation.open(asked(two, one), old.by_section())
    assert (new.listeners[0], new.control) == (old.control, old.listeners[0])
    new.close_unless_in(None)


def test_all_binds_that_fail_are_named_and_nothing_stays_open(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(Unlistenable) as caught:
            Generation.open(asked(f"unix:{tmp_path}/g.sock, {address}", f"unix:{tmp_path}/none/c.sock"))
    assert caught.value.problems == [
        f"[gproxy] bind = {address}: is in use by another program",
        f"[control] bind = unix:{tmp_path}/none/c.sock: is in a folder that does not exist",
    ]
    assert list(tmp_path.iterdir()) == []


def test_stored_answers_stay_while_the_memory_is_as_large(tmp_path: Path) -> None:
    def with_cache(size: int) -> Settings:
        loaded = asked("127.0.0.1:0")
        return replace(loaded, cache=replace(loaded.cache, bytes=size))

    old = Generation.open(with_cache(1 << 20))
    same = Generation.open(with_cache(1 << 20), before=old)
    assert same.cache is old.cache
    assert same.worker_place().cache is same.cache
    old.close_unless_in(same)
    assert same.cache is not None
    assert same.cache.fd >= 0
    larger = Generation.open(with_cache(1 << 21), before=same)
    assert larger.cache is not same.cache
    same.close_unless_in(larger)
    assert same.cache.fd == -1
    without = Generation.open(with_cache(0), before=larger)
    assert without.cache is None
    larger.close_unless_in(without)
    without.close_unless_in(None)

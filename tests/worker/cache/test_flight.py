"""Several that want the same: one is forwarded, and nobody waits in vain."""

from __future__ import annotations

import gevent
import gevent.event
import pytest

from gproxy.worker.cache import cache
from tests.worker.cache.origin import FRESH, Clock, Origin, ask, fields_of
from tests.worker.peer import eventually, response, settled
from tests.worker.stage import Stage


def asking(stage: Stage, count: int, *lines: bytes) -> list[gevent.Greenlet]:
    return [gevent.spawn(ask, stage, *lines) for _ in range(count)]


def waiting_for_one(stage: Stage, server: Origin) -> list[gevent.Greenlet]:
    """Ask five times while the server holds its answer back: one alone reaches it, until it answers."""
    clients = asking(stage, 5)
    eventually(lambda: server.got)
    settled(lambda: len(stage.runtime.clients))
    assert len(server.got) == 1
    server.gate.set()
    return clients


def test_one_is_forwarded_for_all_that_wait(stage: Stage, server: Origin) -> None:
    server.gate = gevent.event.Event()
    stage.proxy_to(server.address, cache={})
    clients = asking(stage, 10)
    eventually(lambda: server.got)
    settled(lambda: len(stage.runtime.clients))
    server.gate.set()
    told = sorted(client.get().told for client in clients)
    assert (told[0], [one[:14] for one in told[1:]]) == ("fwd=uri-miss; stored", ["hit; collapsed"] * 9)
    assert len(server.got) == 1


def test_nobody_waits_when_the_answer_will_not_be_stored(stage: Stage, server: Origin) -> None:
    server.gate = gevent.event.Event()
    server.answer = response(b"ok", b"Cache-Control: private")
    stage.proxy_to(server.address, cache={})
    clients = waiting_for_one(stage, server)
    assert [client.get().body for client in clients] == [b"ok"] * 5
    server.gate.clear()
    again = asking(stage, 5)
    eventually(lambda: len(server.got) == 10)
    server.gate.set()
    gevent.joinall(again)


def test_nobody_hangs_when_the_one_that_is_forwarded_fails(stage: Stage, server: Origin) -> None:
    server.gate = gevent.event.Event()
    stage.proxy_to(server.address, cache={})
    server.answer = lambda head: b""
    clients = asking(stage, 5)
    eventually(lambda: server.got)
    settled(lambda: len(stage.runtime.clients))
    server.gate.set()
    assert [client.get().status for client in clients] == [502] * 5
    assert stage.is_quiet()


def test_another_one_is_forwarded_when_the_first_client_leaves(stage: Stage, server: Origin) -> None:
    server.gate = gevent.event.Event()
    stage.proxy_to(server.address, cache={})
    first = stage.connect()
    first.send(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: server.got)
    clients = asking(stage, 3)
    settled(lambda: len(stage.runtime.clients))
    first.reset()
    eventually(lambda: len(server.got) == 2)
    settled(lambda: len(server.got))
    assert len(server.got) == 2
    server.gate.set()
    assert [client.get().body for client in clients] == [b"ok"] * 3
    assert len(server.got) == 2


def test_a_client_that_waits_may_leave_and_has_its_deadline(stage: Stage, server: Origin) -> None:
    server.gate = gevent.event.Event()
    stage.proxy_to(server.address, cache={}, timeouts={"total_s": 0.3})
    clients = asking(stage, 2)
    eventually(lambda: server.got)
    leaving = stage.connect()
    leaving.send(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
    settled(lambda: len(stage.runtime.clients))
    leaving.reset()
    assert [client.get().status for client in clients] == [504, 504]
    eventually(stage.is_quiet)
    server.gate.set()


def test_those_who_want_other_answers_do_not_wait_for_each_other(stage: Stage, server: Origin) -> None:
    server.answer = lambda head: response(fields_of(head).get("lang", "-").encode(), FRESH, b"Vary: Lang")
    stage.proxy_to(server.address, cache={})
    ask(stage)
    server.gate = gevent.event.Event()
    clients = [gevent.spawn(ask, stage, line) for line in (b"Lang: de", b"Lang: en", b"Lang: de")]
    clients += asking(stage, 1, b"Lang: de", b"Cookie: a=b")
    eventually(lambda: len(server.got) == 4)
    server.gate.set()
    assert [client.get().body for client in clients] == [b"de", b"en", b"de", b"de"]
    assert len(server.got) == 4


def test_those_who_turn_out_to_want_other_answers_are_forwarded_at_once(
    stage: Stage, server: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "_WAIT_S", 60.0)  # else they would be after that
    server.answer = lambda head: response(fields_of(head).get("lang", "-").encode(), FRESH, b"Vary: Lang")
    server.gate = gevent.event.Event()
    stage.proxy_to(server.address, cache={})
    clients = asking(stage, 1)
    eventually(lambda: server.got)
    clients += [gevent.spawn(ask, stage, b"Lang: %d" % number) for number in range(5)]
    settled(lambda: len(stage.runtime.clients))
    assert len(server.got) == 1
    server.gate.set()
    clients[0].join()
    server.gate.clear()
    eventually(lambda: len(server.got) == 6)
    server.gate.set()
    assert [client.get().body for client in clients] == [b"-", b"0", b"1", b"2", b"3", b"4"]


@pytest.mark.parametrize("is_known", [False, True])
def test_what_was_asked_for_before_a_purge_is_not_stored_after_it(
    stage: Stage, server: Origin, clock: Clock, is_known: bool
) -> None:
    assert stage.cache is not None
    server.answer = response(b"old", FRESH, b'ETag: "1"')
    stage.proxy_to(server.address, cache={})
    if is_known:
        ask(stage)
        server.answer = b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\n\r\n'
        clock.advance(61)
    server.gate = gevent.event.Event()
    first = gevent.spawn(ask, stage)
    eventually(lambda: len(server.got) == 1 + is_known)
    stage.cache.purge()
    later = gevent.spawn(ask, stage)
    settled(lambda: len(stage.runtime.clients))
    answers = [server.answer, response(b"new", FRESH)]
    server.answer = lambda head: answers.pop(0)
    server.gate.set()
    assert [first.get().body, later.get().body, ask(stage).body] == [b"old", b"new", b"new"]


@pytest.mark.parametrize("line", [b"Cache-Control: no-cache", b"Cache-Control: max-age=0"])
def test_what_has_to_be_confirmed_is_given_to_nobody_who_waits(stage: Stage, server: Origin, line: bytes) -> None:
    numbers = iter(range(100))
    server.answer = lambda head: response(b"%d" % next(numbers), line, b'ETag: "1"')
    server.gate = gevent.event.Event()
    stage.proxy_to(server.address, cache={})
    clients = waiting_for_one(stage, server)
    assert {client.get().body for client in clients} == {b"%d" % number for number in range(5)}


@pytest.mark.parametrize("line", [b"Cache-Control: no-cache", b"Cache-Control: max-age=0", b"Pragma: no-cache"])
def test_who_wants_it_from_the_server_waits_for_nobody(stage: Stage, server: Origin, line: bytes) -> None:
    server.gate = gevent.event.Event()
    stage.proxy_to(server.address, cache={})
    first = gevent.spawn(ask, stage)
    eventually(lambda: server.got)
    second = gevent.spawn(ask, stage, line)
    eventually(lambda: len(server.got) == 2)
    server.gate.set()
    assert [client.get().told for client in (first, second)] == ["fwd=uri-miss; stored"] * 2
    stage.proxy_to(server.address, cache={"obey_clients": False, "version": 2})
    server.gate.clear()
    clients = [gevent.spawn(ask, stage, line) for _ in range(2)]
    eventually(lambda: len(server.got) == 3)
    settled(lambda: len(stage.runtime.clients))
    server.gate.set()
    assert {client.get().told[:14] for client in clients} == {"fwd=uri-miss; ", "hit; collapsed"}


def test_what_was_forgotten_does_not_stand_in(stage: Stage, server: Origin, clock: Clock) -> None:
    assert stage.cache is not None
    stage.proxy_to(server.address, cache={"stale_if_error_s": 600})
    ask(stage)
    clock.advance(61)
    server.answer = b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"
    assert ask(stage).status == 200
    server.gate = gevent.event.Event()
    client = gevent.spawn(ask, stage)
    eventually(lambda: len(server.got) == 3)
    stage.cache.purge()
    server.gate.set()
    assert client.get().status == 500

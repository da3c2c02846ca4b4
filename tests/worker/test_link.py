import contextlib
import select
import socket
import ssl
from collections.abc import Callable, Iterator

import gevent
import pytest
from greenlet import greenlet

from gproxy.worker.deadlines import TICK_S, Deadlines
from gproxy.worker.link import Link, LinkBroken, hub, tune, unsent
from tests.worker.peer import Peer, eventually, settled

BIG = bytes(range(256)) * 40_000  # more than any socket buffer takes


class Wheel(Deadlines):
    """A wheel that turns by itself until it is stopped."""

    def __init__(self, stall_s: float = 30) -> None:
        super().__init__(stall_s)
        self.timer = hub.loop.timer(TICK_S, TICK_S)
        self.timer.start(self.sweep)


@pytest.fixture
def wheel() -> Iterator[Wheel]:
    wheel = Wheel()
    yield wheel
    wheel.timer.stop()
    wheel.timer.close()


@pytest.fixture
def ends(wheel: Wheel) -> Iterator[tuple[Link, Peer]]:
    """A link over a real socket, and the other end of it."""
    ours, theirs = socket.socketpair()
    tune(ours)
    link = Link(ours, wheel)
    theirs.setblocking(False)
    peer = Peer(gevent.socket.socket(fileno=theirs.detach()))
    yield link, peer
    link.close()
    peer.close()


def aside(task: Callable[[], object]) -> greenlet:
    """Run `task` in a greenlet of its own from the loop, as the worker does."""
    started = greenlet(task, hub)
    hub.loop.run_callback(started.switch)
    return started


def test_recv_parks_until_bytes_arrive(ends: tuple[Link, Peer]) -> None:
    link, peer = ends
    got: list[bytes] = []
    aside(lambda: got.append(link.recv()))
    eventually(lambda: link.reader is not None)
    assert got == []
    peer.send(b"hello")
    eventually(lambda: got)
    assert got == [b"hello"]
    assert link.reader is None


def test_recv_takes_at_most_what_is_asked_for(ends: tuple[Link, Peer]) -> None:
    link, peer = ends
    peer.send(b"abcdef")
    assert [link.recv(4), link.recv(4)] == [b"abcd", b"ef"]


def test_recv_at_the_end(ends: tuple[Link, Peer]) -> None:
    link, peer = ends
    peer.send(b"x")
    peer.close()
    assert [link.recv(), link.recv(), link.recv()] == [b"x", b"", b""]


@pytest.mark.parametrize("eager", [False, True])
def test_recv_into(ends: tuple[Link, Peer], eager: bool) -> None:
    link, peer = ends
    buffer = memoryview(bytearray(4))
    gevent.spawn(peer.send, b"abcdef")
    assert link.recv_into(buffer, eager) == 4
    assert bytes(buffer) == b"abcd"
    assert link.recv_into(buffer[:1], True) == 1
    assert bytes(buffer) == b"ebcd"
    assert link.recv_into(buffer, eager) == 1
    peer.close()
    assert link.recv_into(buffer, eager) == 0


def test_data_that_nobody_wants_is_told_once(wheel: Wheel) -> None:
    calls = []

    class Watched(Link):
        __slots__ = ()

        def unattended(self) -> None:
            calls.append(self)
            super().unattended()

    ours, theirs = socket.socketpair()
    tune(ours)
    link = Watched(ours, wheel)
    theirs.send(b"abc")
    eventually(lambda: calls)
    theirs.send(b"def")
    gevent.idle()  # the loop has looked at every descriptor
    assert calls == [link]
    assert link.recv() == b"abcdef"
    theirs.send(b"ghi")
    eventually(lambda: len(calls) == 2)
    link.close()
    theirs.close()


def test_a_reset_breaks_the_link(wheel: Wheel) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        peer = Peer.connect(listener.getsockname())
        sock, _ = listener.accept()
    tune(sock)
    link = Link(sock, wheel)
    peer.reset()
    with pytest.raises(LinkBroken, match="reset"):
        link.recv()
    with pytest.raises(LinkBroken) as broken:
        link.send(b"x")
    assert broken.value.unsent
    link.close()


def test_recv_into_of_a_broken_link(wheel: Wheel) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        peer = Peer.connect(listener.getsockname())
        sock, _ = listener.accept()
    tune(sock)
    link = Link(sock, wheel)
    peer.reset()
    with pytest.raises(LinkBroken, match="reset"):
        link.recv_into(memoryview(bytearray(4)), False)
    link.close()


def test_a_slow_reader_gets_every_byte(ends: tuple[Link, Peer]) -> None:
    link, peer = ends
    sender = aside(lambda: link.send(BIG))
    got = peer.exactly(100_003)
    assert not sender.dead
    assert got + peer.exactly(len(BIG) - 100_003) == BIG
    eventually(lambda: sender.dead)


def test_one_greenlet_reads_while_another_one_writes(ends: tuple[Link, Peer]) -> None:
    link, peer = ends
    got: list[bytes] = []
    sender = aside(lambda: link.send(BIG))
    reader = aside(lambda: got.append(link.recv()))
    peer.exactly(1000)
    peer.send(b"hello")
    eventually(lambda: reader.dead)
    assert got == [b"hello"]
    assert not sender.dead
    assert peer.exactly(len(BIG) - 1000) == BIG[1000:]


def test_a_write_that_waits_for_the_peer_to_speak_is_tried_again_when_it_does(ends: tuple[Link, Peer]) -> None:
    """TLS may ask for that, and the socket is writable all the while."""
    link, peer = ends
    tries: list[int] = []
    readable = select.poll()
    readable.register(link.wire.fileno(), select.POLLIN)

    def reluctant(data: bytes | memoryview) -> int:
        tries.append(len(data))
        if not readable.poll(0):
            raise ssl.SSLWantReadError
        return link.wire.send(data)

    link._send = reluctant
    sender = aside(lambda: link.send(b"hello"))
    settled(lambda: len(tries))
    assert len(tries) == 2, "it does not spin"
    peer.send(b"go on")
    assert peer.exactly(5) == b"hello"
    eventually(lambda: sender.dead)


def test_small_writes_do_not_park(ends: tuple[Link, Peer]) -> None:
    link, peer = ends
    link.send(b"a")
    link.send(memoryview(b"bc"))
    assert peer.exactly(3) == b"abc"


def test_a_peer_that_leaves_breaks_a_parked_write(ends: tuple[Link, Peer]) -> None:
    link, peer = ends
    errors: list[LinkBroken] = []

    def send() -> None:
        try:
            link.send(BIG)
        except LinkBroken as error:
            errors.append(error)

    aside(send)
    peer.exactly(1000)
    peer.close()
    eventually(lambda: errors)
    assert not errors[0].unsent


def test_closing_a_link_breaks_a_parked_write(ends: tuple[Link, Peer]) -> None:
    link, peer = ends
    errors: list[LinkBroken] = []

    def send() -> None:
        try:
            link.send(BIG)
        except LinkBroken as error:
            errors.append(error)

    aside(send)
    peer.exactly(1000)
    link.close()
    assert not errors, "the one who closes is not interrupted"
    eventually(lambda: errors)  # and libev has looked at its descriptors: it aborts over a closed one
    assert not errors[0].unsent
    peer.rest()


def test_a_peer_that_takes_nothing_is_given_up() -> None:
    wheel = Wheel(stall_s=0.06)
    ours, theirs = socket.socketpair()
    tune(ours)
    link = Link(ours, wheel)
    with pytest.raises(LinkBroken, match="timed out"):
        link.send(BIG)
    link.close()
    theirs.close()
    wheel.timer.stop()
    wheel.timer.close()


def test_a_read_that_waits_too_long_is_given_up(ends: tuple[Link, Peer], wheel: Wheel) -> None:
    link, peer = ends
    wheel.set(link, 0)
    with pytest.raises(LinkBroken, match="timed out"):
        link.recv()
    peer.send(b"late")
    assert link.recv() == b"late"  # the deadline was used up


def test_a_deadline_of_an_idle_link_is_its_own_matter(wheel: Wheel) -> None:
    expired: list[Link] = []

    class Idle(Link):
        __slots__ = ()

        def idle_expired(self) -> None:
            expired.append(self)

    ours, theirs = socket.socketpair()
    tune(ours)
    link = Idle(ours, wheel)
    wheel.set(link, 0)
    eventually(lambda: expired)
    assert expired == [link]
    link.close()
    theirs.close()


def test_interrupt(ends: tuple[Link, Peer]) -> None:
    link, peer = ends
    got: list[object] = []

    class Stop(Exception):
        pass

    def read() -> None:
        try:
            link.recv()
        except Stop as stop:
            got.append(stop)

    assert link.interrupt(Stop()) is False
    reader = aside(read)
    eventually(lambda: link.reader is reader)
    stop = Stop()
    hub.loop.run_callback(lambda: got.append(link.interrupt(stop)))
    eventually(lambda: len(got) == 2)
    assert got == [stop, True]
    peer.send(b"x")
    assert link.recv() == b"x"


def test_a_closed_link_is_out_of_the_loop(ends: tuple[Link, Peer], wheel: Wheel) -> None:
    link, peer = ends
    wheel.set(link, 0)
    link.close()
    link.close()
    assert link.closed
    assert peer.rest() == b""
    wheel.sweep()


def test_hundreds_of_links_at_once(wheel: Wheel) -> None:
    got: dict[int, bytes] = {}
    links: list[Link] = []
    others: list[socket.socket] = []
    for number in range(300):
        ours, theirs = socket.socketpair()
        tune(ours)
        link = Link(ours, wheel)
        links.append(link)
        others.append(theirs)
        aside(lambda number=number, link=link: got.setdefault(number, link.recv()))  # type: ignore[misc]
    for number in reversed(range(300)):
        others[number].send(b"%d" % number)
    eventually(lambda: len(got) == 300)
    assert all(got[number] == b"%d" % number for number in range(300))
    for link, other in zip(links, others, strict=True):
        link.close()
        other.close()


def test_sockets_are_tuned() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as sock:
        tune(sock)
        assert sock.getblocking() is False
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_what_the_other_side_has_not_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
        with near, far:
            assert unsent(near) == 0
            near.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while near.send(b"x" * 65536):
                    pass
            assert unsent(near) > 0

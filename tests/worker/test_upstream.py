import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

import gevent.socket
import pytest

from gproxy.core.backends import Endpoint, Tls
from gproxy.core.errors import BadUpstream, UpstreamTimeout
from gproxy.worker import upstream as module
from gproxy.worker.deadlines import NEVER, TICK_S, Deadlines
from gproxy.worker.link import hub
from gproxy.worker.upstream import Pool, Upstream, UpstreamBroken
from tests.worker.authority import Authority
from tests.worker.peer import Backend, Peer, eventually

MakePool = Callable[..., Pool]


def keep_open(peer: Peer) -> None:
    peer.rest()


def say_abcdef(peer: Peer) -> None:
    peer.send(b"abcdef")
    peer.rest()


@pytest.fixture
def pool_to() -> Iterator[MakePool]:
    """Return what makes a pool; the wheel turns, and all ends with the test."""
    wheel, pools = Deadlines(30), []
    timer = hub.loop.timer(TICK_S, TICK_S)
    timer.start(wheel.sweep)

    def make(address: str, idle_s: float = 60, tls: Tls | None = None) -> Pool:
        pool = Pool(Endpoint.parse(address, tls), idle_s, wheel)
        pools.append(pool)
        return pool

    yield make
    for pool in pools:
        pool.close()
    timer.stop()
    timer.close()


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Put the pool's clock forward."""
    ahead = [0.0]
    monkeypatch.setattr(module, "monotonic", lambda: monotonic() + ahead[0])
    return lambda seconds: ahead.__setitem__(0, ahead[0] + seconds)


def idle_for(upstream: Upstream) -> float:
    """Return how long an idle connection will be kept."""
    return round(upstream.deadline - upstream.idle_since, 6)


def test_an_empty_pool(pool_to: MakePool) -> None:
    assert pool_to("127.0.0.1:1").take(True) is None


def test_the_last_used_is_taken_first(pool_to: MakePool) -> None:
    with Backend(keep_open) as backend:
        pool = pool_to(backend.address)
        first, second = pool.connect(5), pool.connect(5)
        pool.give(first, 0)
        pool.give(second, 0)
        assert first.idle_since > 0
        assert [pool.take(True), pool.take(True), pool.take(True)] == [second, first, None]
        assert first.idle_since == 0
        pool.give(first, 0)
        second.close()


def test_bytes_go_both_ways(pool_to: MakePool) -> None:
    with Backend(lambda peer: peer.send(peer.exactly(4)[::-1])) as backend:
        upstream = pool_to(backend.address).connect(5)
        upstream.send(b"ping")
        assert upstream.recv() == b"gnip"
        upstream.close()


@pytest.mark.parametrize("ending", [Peer.close, Peer.reset, lambda peer: peer.send(b"HTTP/1.1 408 Timeout\r\n\r\n")])
def test_a_connection_that_is_closed_or_speaks_while_idle_leaves_at_once(
    pool_to: MakePool, ending: Callable[[Peer], None]
) -> None:
    with Backend(keep_open) as backend:
        pool = pool_to(backend.address)
        gone, kept = pool.connect(5), pool.connect(5)
        eventually(lambda: len(backend.peers) == 2)
        pool.give(gone, 0)
        pool.give(kept, 0)
        ending(next(peer for peer in backend.peers if peer.sock.getpeername() == gone.wire.getsockname()))  # type: ignore[union-attr]
        eventually(lambda: gone.closed)
        assert [pool.take(True), pool.take(True)] == [kept, None]
        kept.close()


def test_a_connection_that_ended_unseen_is_not_used_again(pool_to: MakePool) -> None:
    # The loop has not looked at the descriptor between the last response and the next request.
    with Backend(keep_open) as backend:
        pool = pool_to(backend.address)
        upstream = pool.connect(5)
        eventually(lambda: backend.peers)
        backend.peers[0].close()
        upstream.wait_readable()
        pool.give(upstream, 0)
        eventually(lambda: upstream.closed)
        assert pool.take(True) is None


def test_what_cannot_be_resent_gets_no_connection_that_ended_in_this_turn(pool_to: MakePool) -> None:
    with Backend(keep_open) as backend:
        pool = pool_to(backend.address)
        ended, other = pool.connect(5), pool.connect(5)
        eventually(lambda: len(backend.peers) == 2)
        next(peer for peer in backend.peers if peer.sock.getpeername() == ended.wire.getsockname()).close()  # type: ignore[union-attr]
        ended.wait_readable()
        pool.give(other, 0)
        pool.give(ended, 0)
        assert pool.take(False) is other
        assert ended.closed
        other.close()


def test_idle_connections_are_retired(pool_to: MakePool) -> None:
    with Backend(keep_open) as backend:
        pool = pool_to(backend.address, idle_s=0.05)
        upstream = pool.connect(5)
        pool.give(upstream, 0)
        eventually(lambda: upstream.closed)
        assert pool.take(True) is None


def test_no_limit(pool_to: MakePool) -> None:
    with Backend(keep_open) as backend:
        pool = pool_to(backend.address, idle_s=NEVER)
        upstream = pool.connect(5)
        pool.give(upstream, 0)
        assert upstream.deadline == NEVER


@pytest.mark.parametrize(
    ("said", "kept_s"),
    [(0, 60), (8, 6), (1, 0.75), (100, 60)],
)
def test_what_a_server_says_of_its_limit_is_undercut(pool_to: MakePool, said: int, kept_s: float) -> None:
    with Backend(keep_open) as backend:
        pool = pool_to(backend.address)
        upstream = pool.connect(5)
        pool.give(upstream, said)
        assert idle_for(upstream) == kept_s


def test_the_age_at_which_a_server_closes_is_learned(pool_to: MakePool, later: Callable[[float], None]) -> None:
    with Backend(keep_open) as backend:
        pool = pool_to(backend.address)
        for age, kept_s in [(0.1, 60), (8, 6), (20, 6), (4, 3)]:
            upstream = pool.connect(5)
            pool.give(upstream, 0)
            eventually(lambda: backend.peers)
            later(age)
            backend.peers.pop().close()
            eventually(lambda upstream=upstream: upstream.closed)  # type: ignore[misc]
            fresh = pool.connect(5)
            pool.give(fresh, 0)
            assert idle_for(fresh) == pytest.approx(kept_s, abs=0.2)
            assert pool.take(True) is fresh
            fresh.close()
            eventually(lambda: backend.peers)
            backend.peers.pop().close()


def test_a_limit_that_was_learned_grows_back(pool_to: MakePool) -> None:
    with Backend(keep_open) as backend:
        pool = pool_to(backend.address)
        kept = []
        for said in (1, 0, 0):
            upstream = pool.connect(5)
            pool.give(upstream, said)
            kept.append(idle_for(upstream))
            pool.retire(upstream)
            assert upstream.closed
        assert kept == [0.75, pytest.approx(0.825), pytest.approx(0.9075)]


def test_the_number_of_idle_connections_is_limited(pool_to: MakePool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_IDLE", 2)
    with Backend(keep_open) as backend:
        pool = pool_to(backend.address)
        upstreams = [pool.connect(5) for _ in range(3)]
        for upstream in upstreams:
            pool.give(upstream, 0)
        assert [upstream.closed for upstream in upstreams] == [False, False, True]


def test_a_closed_pool_keeps_nothing(pool_to: MakePool) -> None:
    with Backend(keep_open) as backend:
        pool = pool_to(backend.address)
        idle, used = pool.connect(5), pool.connect(5)
        pool.give(idle, 0)
        pool.close()
        assert idle.closed
        assert not used.closed
        pool.give(used, 0)
        assert used.closed


def test_unix_socket(pool_to: MakePool, tmp_path: Path) -> None:
    with Backend(keep_open, path=tmp_path / "s") as backend:
        pool = pool_to(backend.address)
        upstream = pool.connect(5)
        pool.give(upstream, 0)
        eventually(lambda: backend.peers)
        backend.peers[0].close()
        eventually(lambda: upstream.closed)


def test_refused(pool_to: MakePool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = "127.0.0.1:{1}".format(*listener.getsockname())
    with pytest.raises(BadUpstream, match=r"^The server could not be reached\.$") as refused:
        pool_to(address).connect(5)
    assert "refused" in refused.value.reason


@pytest.mark.parametrize(
    ("address", "tls"),
    [("127.0.0.1:1", Tls(ca_file="/nowhere/ca.pem")), ("a" * 64 + ".example:80", None), ("unix:/nowhere/s", None)],
)
def test_what_cannot_be_connected_to(pool_to: MakePool, address: str, tls: Tls | None) -> None:
    with pytest.raises(BadUpstream):
        pool_to(address, tls=tls).connect(5)


def test_a_server_that_does_not_accept(pool_to: MakePool) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [gevent.socket.socket() for _ in range(4)]
        for sock in waiting:  # fill the queue, so that nobody answers any more
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
        with pytest.raises(UpstreamTimeout) as slow:
            pool_to("127.0.0.1:{1}".format(*listener.getsockname())).connect(0.1)
        assert slow.value.reason == "connect timed out"
        for sock in waiting:
            sock.close()


def test_a_server_that_does_not_shake_hands(pool_to: MakePool) -> None:
    ended = []

    def script(peer: Peer) -> None:
        ended.append(peer.rest())

    with Backend(script) as backend:
        with pytest.raises(UpstreamTimeout):
            pool_to(backend.address, tls=Tls(verify=False)).connect(0.1)
        eventually(lambda: ended)  # the connection was closed, not left to the garbage collection


def test_no_time_left(pool_to: MakePool) -> None:
    with Backend(keep_open) as backend, pytest.raises(UpstreamTimeout):
        pool_to(backend.address, tls=Tls(verify=False)).connect(-1)


def test_the_time_for_connecting_may_be_unlimited(pool_to: MakePool) -> None:
    with Backend(keep_open) as backend:
        pool_to(backend.address).connect(NEVER).close()


def test_a_server_that_is_too_slow(pool_to: MakePool) -> None:
    with Backend(keep_open) as backend:
        upstream = pool_to(backend.address).connect(5)
        upstream.deadlines.set(upstream, 0)
        with pytest.raises(UpstreamTimeout):
            upstream.recv()
        upstream.close()


def test_a_server_that_resets(pool_to: MakePool) -> None:
    with Backend(keep_open) as backend:
        upstream = pool_to(backend.address).connect(5)
        eventually(lambda: backend.peers)
        backend.peers[0].reset()
        with pytest.raises(UpstreamBroken):
            upstream.recv()
        upstream.close()


def test_session_tickets_do_not_end_an_idle_tls_connection(pool_to: MakePool, authority: Authority) -> None:
    # TLS 1.3 sends them after the handshake: the descriptor is readable, and there is nothing for us in it.
    served = []

    def script(peer: Peer) -> None:
        served.append(peer.sock.version())
        peer.send(peer.exactly(4))
        peer.rest()

    with Backend(script, tls=authority.server("127.0.0.1")) as backend:
        pool = pool_to(backend.address, tls=Tls(ca_file=authority.ca_file))
        upstream = pool.connect(5)
        pool.give(upstream, 0)
        eventually(lambda: served)
        gevent.idle()  # the loop has looked at every descriptor
        assert pool.take(True) is upstream
        upstream.send(b"ping")
        assert upstream.recv() == b"ping"
        pool.give(upstream, 0)
        backend.peers[0].close()
        eventually(lambda: upstream.closed)
        assert pool.take(True) is None


def test_decrypted_bytes_are_read_although_the_descriptor_is_silent(pool_to: MakePool, authority: Authority) -> None:
    with Backend(say_abcdef, tls=authority.server("127.0.0.1")) as backend:
        upstream = pool_to(backend.address, tls=Tls(ca_file=authority.ca_file)).connect(5)
        assert [upstream.recv(2), upstream.recv(2), upstream.recv()] == [b"ab", b"cd", b"ef"]
        upstream.close()


def test_one_decoder_serves_a_connection_as_long_as_its_bodies_are_whole(pool_to: MakePool) -> None:
    with Backend(keep_open) as backend:
        upstream = pool_to(backend.address).connect(5)
        first = upstream.dechunker()
        assert first.feed_body(b"1\r\nx\r\n0\r\n\r\n") == b"x"
        assert upstream.dechunker() is first
        first.feed_body(b"1\r\nx")
        second = upstream.dechunker()
        assert second is not first
        assert second.feed_body(b"1\r\ny\r\n") == b"y"
        upstream.close()

"""Memory that an idle keep-alive connection costs a proxy."""

import contextlib
import socket
import time

from scripts.benchmark.process import BenchError, rss_bytes

SETTLE_TIMEOUT_S = 3.0
REQUEST = b"GET /small HTTP/1.1\r\nHost: bench\r\n\r\n"


def ask(connection: socket.socket) -> None:
    """Send one request and read its answer; raises BenchError unless it is 200 and complete."""
    connection.sendall(REQUEST)
    answer = b""
    while not answer.rstrip().endswith(b"}"):  # the backend's small JSON object, whatever the framing
        data = connection.recv(65536)
        if not data:
            raise BenchError("the proxy closed a connection that should stay open")
        answer += data
    if not answer.startswith(b"HTTP/1.1 200"):
        raise BenchError(f"unexpected answer: {answer[:60]!r}")


def bytes_per_connection(port: int, pids: tuple[int, ...], count: int) -> float:
    """Open that many connections, use each once, let all idle; return the growth of memory for each."""
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(socket.create_connection(("127.0.0.1", port), 10)) for _ in range(10)]
        for connection in connections:  # lets the proxy connect to its servers and build what it builds once
            ask(connection)
        before = settled_rss(pids)
        for _ in range(count):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), 10))
            ask(connection)
            connections.append(connection)
        after = settled_rss(pids)
        for connection in connections[::100]:  # still there, still served
            ask(connection)
    return (after - before) / count


def settled_rss(pids: tuple[int, ...]) -> int:
    """Return the resident bytes of the processes once two looks in a row agree."""
    deadline = time.monotonic() + SETTLE_TIMEOUT_S
    last, now = -1, sum(rss_bytes(pid) for pid in pids)
    while now != last and time.monotonic() < deadline:
        time.sleep(0.2)
        last, now = now, sum(rss_bytes(pid) for pid in pids)
    return now

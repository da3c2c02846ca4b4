"""A backend that answers every request after a fixed delay, at little cost of its own.

Run as a program: slow_backend.py DELAY_MS PORT PORT. The delay is the same for all, so answers fall due in
the order of arrival: a queue and one epoll are enough. It understands what a benchmark sends: requests
without body, one at a time on a connection.
"""

import select
import socket
import sys
import time
from collections import deque

BODY = b'{"id": 1, "name": "Ada Lovelace", "email": "ada@example.com"}'
ANSWER = b"HTTP/1.1 200 OK\r\nServer: slow\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
    len(BODY),
    BODY,
)


def listen(port: int) -> socket.socket:
    """Return a non-blocking loopback socket that listens on the port."""
    listener = socket.create_server(("127.0.0.1", port), backlog=4096)
    listener.setblocking(False)
    return listener


def serve(listeners: list[socket.socket], delay_s: float) -> None:
    """Answer requests for ever."""
    poll = select.epoll()
    accepting = {listener.fileno(): listener for listener in listeners}
    for descriptor in accepting:
        poll.register(descriptor, select.EPOLLIN)
    connections: dict[int, socket.socket] = {}
    due: deque[tuple[float, socket.socket]] = deque()
    while True:
        wait_s = max(0.0, due[0][0] - time.monotonic()) if due else -1
        for descriptor, _ in poll.poll(wait_s):
            if descriptor in accepting:
                connection = accepting[descriptor].accept()[0]
                connection.setblocking(False)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connections[connection.fileno()] = connection
                poll.register(connection.fileno(), select.EPOLLIN)
            else:
                read(connections, descriptor, due, time.monotonic() + delay_s)
        answer(due, time.monotonic())


def read(
    connections: dict[int, socket.socket],
    descriptor: int,
    due: deque[tuple[float, socket.socket]],
    at: float,
) -> None:
    """Take what a connection has sent: the end of a request is queued, the end of everything closes it."""
    connection = connections[descriptor]
    try:
        data = connection.recv(65536)
    except OSError:
        data = b""
    if not data:
        del connections[descriptor]
        connection.close()
    elif data.endswith(b"\r\n\r\n"):
        due.append((at, connection))


def answer(due: deque[tuple[float, socket.socket]], now: float) -> None:
    """Send the answers whose time has come, to those still there."""
    while due and due[0][0] <= now:
        connection = due.popleft()[1]
        if connection.fileno() >= 0:
            try:
                connection.send(ANSWER)
            except OSError:
                continue  # the reader of this connection meets the same error and closes it


if __name__ == "__main__":
    serve([listen(int(port)) for port in sys.argv[2:]], int(sys.argv[1]) / 1000)

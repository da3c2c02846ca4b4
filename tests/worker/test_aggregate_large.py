"""Large parts: they reach the client to the byte, and hold nobody else up."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from gproxy.worker.link import hub
from tests.worker.aggregation import Kitchen, says, whole
from tests.worker.peer import eventually
from tests.worker.stage import Stage

#: Servers in a process of their own, so that their work is not taken for the worker's: the second one says [].
SERVERS = """
import socket, sys, threading
body = sys.stdin.buffer.read()
def serve(listener, body):
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=answer, args=(sock, body), daemon=True).start()
def answer(sock, body):
    head = b"HTTP/1.1 200 OK\\r\\nContent-Type: %s\\r\\nContent-Length: %d\\r\\n\\r\\n"
    while sock.recv(65536):
        sock.sendall(head % (sys.argv[1].encode(), len(body)) + body)
listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*[listener.getsockname()[1] for listener in listeners], flush=True)
threading.Thread(target=serve, args=(listeners[1], b"[]"), daemon=True).start()
serve(listeners[0], body)
"""
#: A client that asks three times and says how many bytes it got the last time.
CLIENT = """
import socket, sys
sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
for _ in range(3):
    sock.sendall(b"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
    data = b""
    while b"\\r\\n\\r\\n" not in data:
        data += sock.recv(65536)
    head, _, body = data.partition(b"\\r\\n\\r\\n")
    left = length = int(head.lower().split(b"content-length: ")[1].split()[0])
    left -= len(body)
    while left:
        left -= len(sock.recv(min(left, 1 << 20)))
print(length)
"""


@contextmanager
def program(text: str, *arguments: object, data: bytes = b"") -> Iterator[subprocess.Popen[bytes]]:
    """Run a program that reads `data`, and end it."""
    command = [sys.executable, "-c", text, *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(data)
        process.stdin.close()
        try:
            yield process
        finally:
            process.kill()


class Holds:
    """How long the loop was held at a time, in milliseconds of CPU: what others take of the machine does not count.

    Nor does what the tests before have left, which a collection of garbage would look through in between.
    """

    def __init__(self) -> None:
        self.worst = 0.0
        self._last = time.thread_time()
        self._timer = hub.loop.timer(0.001, 0.001)

    def __enter__(self) -> Holds:
        gc.collect()
        gc.freeze()
        self._last = time.thread_time()
        self._timer.start(self._tick)
        return self

    def __exit__(self, *error: object) -> None:
        self._timer.stop()
        self._timer.close()
        gc.unfreeze()

    def _tick(self) -> None:
        now = time.thread_time()
        self.worst = max(self.worst, (now - self._last) * 1000)
        self._last = now


def yardstick() -> float:
    """Return the milliseconds of CPU in which json reads a megabyte now: some 10, and more on a busy machine."""
    text = json.dumps(objects(10_000))
    began = time.thread_time()
    json.loads(text)
    return (time.thread_time() - began) * 1000


def relative_hold(stage: Stage, media: str, body: bytes, **node: Any) -> float:
    """Return the longest hold by the yardstick, the best of three."""

    def once() -> float:
        before = yardstick()
        return worst_hold(stage, media, body, **node) / max(before, yardstick())

    return min(once() for _ in range(3))


def worst_hold(stage: Stage, media: str, body: bytes, **node: Any) -> float:
    """Return the longest hold while a client gets such a part, beside a small one, three times."""
    with program(SERVERS, media, data=body) as servers:
        assert servers.stdout is not None
        ports = servers.stdout.readline().split()
        documents = [
            {"name": name, "address": f"127.0.0.1:{int(port)}"} for name, port in zip("ab", ports, strict=True)
        ]
        nodes = [{"cluster": "a", "attr": "a", **node}, {"cluster": "b", "attr": "b"}]
        clusters = [{"name": name, "servers": [name]} for name in "ab"]
        stage.use(documents, clusters, [{"name": "whole", "path": "/*", "nodes": nodes}])
        with Holds() as holds, program(CLIENT, stage.listener.getsockname()[1]) as client:
            eventually(lambda: client.poll() is not None)
            assert client.stdout is not None
            assert int(client.stdout.read()) > 10
    return holds.worst


def objects(count: int) -> Any:
    tags = ["a", "b", 1.5, None, True]
    return [
        {"id": number, "name": f"Ada {number}", "email": "ada@example.com", "tags": tags} for number in range(count)
    ]


LARGE = {
    "a list": (objects(50_000), {}),
    "a list within": ({"total": 50_000, "items": objects(50_000), "next": None}, {}),
    "numbers": (list(range(700_000)), {}),
    "a list of which fields are selected": (objects(50_000), {"select": ["id", "name"]}),
}


@pytest.mark.parametrize("shape", LARGE)
def test_a_part_of_five_megabytes_holds_nobody_up(stage: Stage, shape: str) -> None:
    value, node = LARGE[shape]
    body = json.dumps(value).encode()
    assert 4_700_000 < len(body) < 6_000_000
    assert relative_hold(stage, "application/json", body, **node) < 1  # at once it is 2 to 30


@pytest.mark.parametrize("media", ["text/plain", "application/json"])
def test_nor_does_a_long_text(stage: Stage, media: str) -> None:
    body = b'"%b"' % (b"hello, world " * 600_000)
    assert relative_hold(stage, media, body) < 0.8  # at once it is 1 or more


def test_a_large_part_reaches_the_client_to_the_byte(stage: Stage) -> None:
    body = json.dumps(objects(20_000), indent=1).encode()
    answer = whole(stage, {"a": says(body), "b": says(b"1")})
    assert answer.body == b'{"a":%b,"b":1}' % body


def test_a_large_part_that_is_no_json_is_a_string(stage: Stage) -> None:
    body = json.dumps(objects(20_000)).encode()[:-1]
    assert whole(stage, {"a": says(body)}).json() == {"a": body.decode()}


def test_large_parts_are_flattened_and_selected(stage: Stage) -> None:
    a = {"items": objects(10_000), "x": 1}
    more = {"a": {"select": ["items.id", "x"], "rename": {"x": "y"}}}
    answer = whole(stage, {"a": says(json.dumps(a).encode()), "b": says(b'{"z": 2}')}, more, merge={"flatten": True})
    assert answer.json() == {"items": [{"id": number} for number in range(10_000)], "y": 1, "z": 2}


def test_as_large_as_it_may_be(staged: Callable[..., Stage]) -> None:
    stage = staged(limits={"part_bytes": 1_000_000})
    fits, exceeds = says(b'"%b"' % (b"x" * 999_998)), says(b'"%b"' % (b"x" * 999_999))
    with Kitchen(stage, {"a": fits, "b": exceeds}, merge={"on_failure": "partial"}) as kitchen:
        assert kitchen.ask().parts == ["a;status=200", "b;status=502"]


def test_without_a_limit(staged: Callable[..., Stage]) -> None:
    stage = staged(limits={"part_bytes": 0})
    assert len(whole(stage, {"a": says(b'"%b"' % (b"x" * 9_000_000))}).json()["a"]) == 9_000_000

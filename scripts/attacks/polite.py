"""The polite client: one connection, a request now and then, and how long each took.

Run as a program: python -m scripts.attacks.polite PORT SECONDS. Prints a line of JSON.
"""

import json
import socket
import sys
import time
from dataclasses import asdict, dataclass

REQUEST = b"GET /small HTTP/1.1\r\nHost: a\r\n\r\n"
PAUSE_S = 0.005


@dataclass(frozen=True, slots=True)
class Service:
    """How a polite client was served: latencies in milliseconds; `failures`: requests without their answer."""

    requests: int
    failures: int
    p50_ms: float
    p99_ms: float
    worst_ms: float


def ask(port: int, seconds: float) -> Service:
    """Ask for so long."""
    end_s, took, failures = time.monotonic() + seconds, [], 0
    connection = socket.create_connection(("127.0.0.1", port), 10)
    while time.monotonic() < end_s:
        began_s = time.monotonic()
        try:
            connection.sendall(REQUEST)
            if not connection.recv(65536).endswith(b"ok"):
                raise ConnectionError("closed or refused")
        except OSError:
            failures += 1
            connection.close()
            connection = socket.create_connection(("127.0.0.1", port), 10)
            continue
        took.append(1000 * (time.monotonic() - began_s))
        time.sleep(PAUSE_S)
    connection.close()
    took.sort()
    if not took:
        return Service(0, failures, 0.0, 0.0, 0.0)
    return Service(len(took), failures, took[len(took) // 2], took[int(len(took) * 0.99)], took[-1])


if __name__ == "__main__":
    print(json.dumps(asdict(ask(int(sys.argv[1]), float(sys.argv[2])))))

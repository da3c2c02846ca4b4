"""Steady load: clients that ask without pause over keep-alive connections and note everything that was lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from tests.harness.client import RawClient
from tests.harness.waiting import eventually
from tests.harness.wire import Malformed

#: a pause before a client that lost a request tries again, as real ones do
_AFTER_LOSS_S = 0.02


@dataclass(frozen=True, slots=True)
class Loss:
    """A request without its answer; `is_first`: it was the first one of its connection, or could not even connect."""

    reason: str
    is_first: bool


class Load:
    """`clients` threads, each with its own connection, from entering the context to leaving it.

    A request is lost when its answer is missing, broken, or not the expected one. Nothing is forgiven: a connection
    that the gateway closes without saying so in the answer before costs a request.
    """

    def __init__(
        self, connect: Callable[[], RawClient], clients: int = 4, method: str = "GET", target: str = "/load"
    ) -> None:
        self._connect = connect
        self._request = f"{method} {target} HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 0\r\n\r\n".encode()
        self._method = method
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(n,), daemon=True) for n in range(clients)]
        self._done = [0] * clients
        self.lost: list[Loss] = []

    @property
    def done(self) -> int:
        """How many requests were answered as expected."""
        return sum(self._done)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        self.wait_for(len(self._threads))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(30)

    def wait_for(self, more: int, within_s: float = 20.0) -> None:
        """Wait until `more` requests than now are answered."""
        goal = self.done + more
        eventually(lambda: self.done >= goal, within_s, f"{more} more answered requests; lost: {self.lost[:3]}")

    def _run(self, number: int) -> None:
        client: RawClient | None = None
        is_first = True
        while not self._stopping.is_set():
            try:
                if client is None:
                    is_first = True
                    client = self._connect()
                client.send(self._request)
                answer = client.receive(self._method)
                if answer.status != 200:
                    self.lost.append(Loss(f"status {answer.status}: {answer.body[:200]!r}", is_first))
                else:
                    self._done[number] += 1
                is_first = False
                keeps = "close" not in (answer.head.value("connection") or "").lower()
            except (OSError, Malformed) as error:
                self.lost.append(Loss(f"{type(error).__name__}: {error}", is_first))
                keeps = False
                self._stopping.wait(_AFTER_LOSS_S)
            if not keeps and client is not None:
                client.close()
                client = None
        if client is not None:
            client.close()

"""Load at a fixed pace: each request goes out at its own moment, whatever became of the ones before."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(slots=True)
class Outcome:
    """What became of the requests: (number, status, seconds it took) of each.

    `lasted_s` is how long the whole took: longer than planned where the machine could not keep the pace.
    """

    answers: list[tuple[int, int, float]] = field(default_factory=list)
    lasted_s: float = 0.0

    def count(self, status: int) -> int:
        """Return how many answers had this status."""
        return sum(answer[1] == status for answer in self.answers)

    def took_s(self, status: int, part: float) -> float:
        """Return the time within which this part (0 to 1) of the answers with a status came."""
        times = sorted(answer[2] for answer in self.answers if answer[1] == status)
        return times[min(len(times) - 1, int(part * len(times)))]


def paced(
    address: tuple[str, int], per_s: float, seconds: float, lines: Callable[[int], str], connections: int = 64
) -> Outcome:
    """Send `per_s` GET requests per second; number n has the extra field lines `lines(n)` (each ends in CRLF).

    Number n goes over connection n modulo `connections`, so neighbours meet different workers. A request whose
    connection is still busy goes out late.
    """
    outcome = Outcome()
    asyncio.run(_run(outcome, address, per_s, seconds, lines, connections))
    return outcome


async def _run(
    outcome: Outcome,
    address: tuple[str, int],
    per_s: float,
    seconds: float,
    lines: Callable[[int], str],
    connections: int,
) -> None:
    streams = await asyncio.gather(*(asyncio.open_connection(*address) for _ in range(connections)))
    clock = asyncio.get_running_loop().time
    start, total = clock() + 0.1, int(per_s * seconds)

    async def work(first: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in range(first, total, connections):
            await asyncio.sleep(max(0.0, start + number / per_s - clock()))
            sent = clock()
            writer.write(f"GET /paced HTTP/1.1\r\nHost: gateway.test\r\n{lines(number)}\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            found = _LENGTH.search(head)
            assert found is not None, head
            await reader.readexactly(int(found[1]))
            outcome.answers.append((number, int(head[9:12]), clock() - sent))
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(work(number, *stream) for number, stream in enumerate(streams)))
    outcome.lasted_s = max(seconds, clock() - start)

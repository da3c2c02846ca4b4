import asyncio
import json

import pytest

from scripts.long_run import clients
from scripts.long_run.clients import Site


def test_ends_are_counted_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    async def well(site: Site) -> str:
        return "200"

    async def badly(site: Site) -> str:
        raise ConnectionError

    async def run() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(clients.run(Site(1, 2), 100, told.append), 1.0)

    monkeypatch.setattr(clients, "_REPORT_S", 0.2)
    monkeypatch.setattr(clients, "KINDS", {"a": (1, well), "b": (1, badly)})
    asyncio.run(run())
    ends: dict[str, int] = {}
    for line in told:
        for end, count in json.loads(line).items():
            ends[end] = ends.get(end, 0) + count
    assert set(ends) == {"a: 200", "b: ConnectionError"}
    assert 10 <= sum(ends.values()) <= 120

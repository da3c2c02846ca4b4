"""Gateways that follow one etcd, with load on each of them: what a test of outages and fleets needs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gproxy.store.base import Write
from gproxy.store.open import open_store
from tests.harness.gateway import Documents, Gateway
from tests.harness.load import Load
from tests.harness.waiting import eventually


class Fleet:
    """Gateways n0, n1 and so on, in folders of these names; the first one's store gets `documents`."""

    def __init__(
        self,
        folder: Path,
        url: str,
        documents: Documents | None,
        count: int,
        settings: Mapping[str, Mapping[str, object]] | None = None,
    ) -> None:
        self.url = url
        self.folder = folder
        self._settings = settings or {}
        self.gateways: list[Gateway] = []
        try:
            for number in range(count):
                self.gateways.append(self.started(number, None if number else documents))
        except BaseException:
            self.stop()
            raise

    def started(self, number: int, documents: Documents | None = None) -> Gateway:
        """Start a gateway, or start it again on what it has left in its folder."""
        name = f"n{number}"
        settings: dict[str, dict[str, object]] = {"node": {"id": name}, "log": {"access": "off"}}
        for section, values in self._settings.items():
            settings.setdefault(section, {}).update(values)
        return Gateway(self.folder / name, documents, settings, self.url)

    def stop(self) -> None:
        """Stop all."""
        with contextlib.ExitStack() as stack:
            for gateway in self.gateways:
                stack.callback(gateway.stop)

    def write(self, kind: str, name: str, **fields: Any) -> int:
        """Write an object and return the revision."""
        with open_store(self.url) as store:
            return store.write([Write(kind, name, {"name": name, **fields})], "test")

    def until_all_run(self, revision: int, within_s: float = 20.0) -> None:
        """Wait until every worker runs exactly this revision."""
        for gateway in self.gateways:
            eventually(
                lambda gateway=gateway: {worker["revision"] for worker in gateway.workers()} == {revision},
                within_s,
                f"every worker runs revision {revision}",
            )

    def until_sync_is(self, state: str, within_s: float = 20.0) -> None:
        """Wait until the sync of every node is in this state, by its name in /stats."""
        for gateway in self.gateways:
            eventually(lambda gateway=gateway: gateway.stats()["sync"]["state"] == state, within_s, f"sync is {state}")

    @contextlib.contextmanager
    def loaded(self) -> Iterator[None]:
        """Send requests to every gateway inside; not one may fail."""
        loads = [Load(gateway.client, clients=2) for gateway in self.gateways]
        with contextlib.ExitStack() as stack:
            for load in loads:
                stack.enter_context(load)
            yield
            for load in loads:
                load.wait_for(10)
        for load in loads:
            assert not load.lost, load.lost[:3]

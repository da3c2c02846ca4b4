from collections.abc import Iterator

import pytest

from tests.worker.cache.origin import Clock, Origin, origin


@pytest.fixture
def server() -> Iterator[Origin]:
    """A server whose answers are fresh for a minute."""
    with origin() as made:
        yield made


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the store."""
    return Clock(monkeypatch)

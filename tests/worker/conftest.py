from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.worker.authority import Authority
from tests.worker.stage import Stage


@pytest.fixture
def staged(tmp_path: Path) -> Iterator[Callable[..., Stage]]:
    """Return what makes a worker with these INI sections over the defaults."""
    with ExitStack() as stack:

        def make(**sections: Mapping[str, object]) -> Stage:
            stage = Stage(tmp_path, **sections)
            stack.callback(stage.close)
            return stage

        yield make


@pytest.fixture
def stage(staged: Callable[..., Stage]) -> Stage:
    """A worker with the default settings."""
    return staged()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Who vouches for the TLS servers of the tests."""
    return Authority(tmp_path_factory.mktemp("authority"))

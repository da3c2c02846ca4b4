import uuid
from collections.abc import Iterator

import pytest

from gproxy.store.base import Store
from gproxy.store.open import open_store
from tests.harness.etcd import SERVERS, Etcd


@pytest.fixture(scope="module", params=[name for name, server in SERVERS.items() if server.exists()])
def etcd(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etcd]:
    """A real etcd of each version that is installed."""
    with Etcd(tmp_path_factory.mktemp("etcd"), version=request.param) as etcd:
        yield etcd


@pytest.fixture
def prefix() -> str:
    """A prefix that no other test uses."""
    return f"/test/{uuid.uuid4().hex}"


@pytest.fixture
def url(etcd: Etcd, prefix: str) -> str:
    """The URL of an empty store in etcd."""
    return etcd.url(prefix)


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """A store in etcd."""
    with open_store(url) as store:
        yield store


def keys(etcd: Etcd, prefix: str) -> list[str]:
    return [key.removeprefix(prefix) for key in etcd.ctl("get", "--prefix", f"{prefix}/", "--keys-only").split()]

"""Choosing a store by its URL."""

from pathlib import Path

from gproxy.store.access import NOBODY, Access
from gproxy.store.base import WAIT_S, Store
from gproxy.store.sqlite import SqliteStore


class BadStoreUrl(ValueError):
    """The URL names no store that this version can use."""


def open_store(url: str, create: bool = False, wait_s: float = WAIT_S, access: Access = NOBODY) -> Store:
    """Open the store at `url`: `sqlite:///relative/file` or `sqlite:////absolute/file`.

    With `create` an embedded store that is not there yet is made. `wait_s` is how long every use of the store
    waits for others. Raises BadStoreUrl, StoreError.
    """
    return SqliteStore(_path(url), create, wait_s)


def canonical(url: str) -> str:
    """Return the `source` that the opened store will have. Raises BadStoreUrl."""
    return f"sqlite:///{_path(url).absolute()}"


def _path(url: str) -> Path:
    scheme, found, rest = url.partition("://")
    if not found or scheme not in ("sqlite", "etcd"):
        raise BadStoreUrl(f"{url}: a store is sqlite:///relative/file or sqlite:////absolute/file")
    if scheme == "etcd":
        raise BadStoreUrl(f"{url}: etcd is not supported by this version")
    if not rest.startswith("/") or rest.endswith("/"):
        raise BadStoreUrl(f"{url}: sqlite:// is followed by /relative/file or //absolute/file")
    return Path(rest[1:])

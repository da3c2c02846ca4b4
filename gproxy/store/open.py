"""Choosing a store by its URL."""

from pathlib import Path

from gproxy.store.access import NOBODY, Access
from gproxy.store.base import WAIT_S, Store
from gproxy.store.etcd_address import EtcdAddress
from gproxy.store.sqlite import SqliteStore


class BadStoreUrl(ValueError):
    """The URL names no store that this version can use."""


def open_store(url: str, create: bool = False, wait_s: float = WAIT_S, access: Access = NOBODY) -> Store:
    """Open the store at `url`: `sqlite:///relative/file`, `sqlite:////absolute/file` or `etcd://host:port/prefix`.

    With `create` an embedded store that is not there yet is made. `wait_s` is how long every use of the store
    waits for others, and for a store that does not answer. Raises BadStoreUrl, StoreError.
    """
    if _is_etcd(url):
        address = _etcd(url)
        from gproxy.store.etcd import EtcdStore  # loads gRPC and its threads

        return EtcdStore(address, wait_s, access)
    return SqliteStore(_path(url), create, wait_s)


def canonical(url: str) -> str:
    """Return the `source` that the opened store will have. Raises BadStoreUrl."""
    return _etcd(url).source if _is_etcd(url) else f"sqlite:///{_path(url).absolute()}"


def _is_etcd(url: str) -> bool:
    return url.startswith("etcd://")


def _etcd(url: str) -> EtcdAddress:
    try:
        return EtcdAddress.parse(url)
    except ValueError as error:
        raise BadStoreUrl(f"{url}: {error}") from None


def _path(url: str) -> Path:
    scheme, found, rest = url.partition("://")
    if not found or scheme != "sqlite":
        forms = "sqlite:///relative/file, sqlite:////absolute/file or etcd://host:port/prefix"
        raise BadStoreUrl(f"{url}: a store is {forms}")
    if not rest.startswith("/") or rest.endswith("/"):
        raise BadStoreUrl(f"{url}: sqlite:// is followed by /relative/file or //absolute/file")
    return Path(rest[1:])

"""The etcd3 package, wrapped: one client per endpoint, the requests of its API, and what its errors mean.

Importing this module loads gRPC, whose threads survive no fork and know nothing of gevent: it is imported only where
a store is opened, in `sync`, in the admin and in `gproxyctl`. What is not left to the package's defaults:

- protobuf must run in Python, its generated code is too old for the other implementation. That costs 22 us per key.
- Every request has a deadline of its own (by default there is none, and a stopped server is waited for for ever).
- A channel that has failed is tried again within half a second (by default after up to two minutes), and shares
  nothing with channels to the same place before it.
- Answers may have any size (by default 4 MB, a few thousand objects).
- The token of a user goes along as metadata; as "call credentials", which the package makes of it, it is refused on
  connections without TLS.
- Its watcher asks a server that is away again and again without a pause: see etcd_watch.
"""

import os
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from gproxy.store.access import Access
from gproxy.store.base import StoreError, StoreUnavailable

os.environ.setdefault("PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION", "python")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its generated code is of an older protobuf
    import etcd3
    import grpc
    from etcd3 import etcdrpc

rpc: Any = etcdrpc
RpcError: Final = grpc.RpcError
Status: Final = grpc.StatusCode

_CHANNEL_OPTIONS: Final = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 2_000),  # despite its name how long connecting may take
    ("grpc.max_reconnect_backoff_ms", 500),
    # A connection whose other end is gone without a word; more often than every 10 s would annoy the server.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 3_000),
)


#: What comes last in the tale of a connection that could not be made: the address and the reason.
_CONNECTING: Final = re.compile(r"ipv[46]:(\S+): (?:Failed to connect to remote host: )?(.+)$")


class Compacted(Exception):
    """etcd has forgotten the revision that was asked for."""


class NoLease(Exception):
    """The lease has ended."""


class Refused(StoreUnavailable):
    """An endpoint does not let us in."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A key and its value; `revision` is etcd's own, of when it was last put."""

    key: str
    value: bytes
    revision: int


def connect(endpoint: str, access: Access, timeout_s: float) -> Any:
    """Return a client for "host:port"; with a user it has asked for a token. Raises RpcError, StoreUnavailable."""
    host, _, port = endpoint.rpartition(":")
    try:
        password = access.password_file.read_text("utf-8").rstrip("\r\n") if access.password_file else None
        return etcd3.Etcd3Client(
            host,
            int(port),
            ca_cert=_path(access.ca_file),
            cert_cert=_path(access.cert_file),
            cert_key=_path(access.key_file),
            timeout=timeout_s,
            user=access.username or None,
            password=password if access.username else None,
            grpc_options=_CHANNEL_OPTIONS,
        )
    except OSError as error:
        raise StoreUnavailable(f"{error.filename}: {error.strerror}") from None
    except ValueError:
        raise StoreUnavailable("cert_file and key_file need each other and ca_file") from None


def _path(path: Any) -> str | None:
    return str(path) if path else None


def translated(error: Any, source: str) -> Exception:
    """Return what an error of gRPC or etcd means here: Compacted, NoLease, Refused or a StoreError, one line."""
    code, details = error.code(), (error.details() or "").splitlines()
    text = details[0] if details else code.name
    if code is Status.OUT_OF_RANGE and "compacted" in text:
        return Compacted(text)
    if "requested lease not found" in text:
        return NoLease(text)
    if "invalid user ID or password" in text:
        return Refused(f"{source}: the user name or the password is wrong")
    if "user name is empty" in text or code is Status.UNAUTHENTICATED:
        return Refused(f"{source}: it wants a user name and a password")
    if code is Status.PERMISSION_DENIED or "permission denied" in text:
        return Refused(f"{source}: no permission")
    if "database space exceeded" in text:
        return StoreUnavailable(
            f"{source}: its disk quota is used up: compact and defragment it, then disarm the alarm"
        )
    if "too large" in text or "too many operations" in text:
        return StoreError(f"{source}: {text}")
    if code is Status.DEADLINE_EXCEEDED:
        return StoreUnavailable(f"{source}: no answer in time")
    return StoreUnavailable(f"{source}: {_plain(text)}")


def _plain(text: str) -> str:
    """Return what a person wants to know of gRPC's words about a connection, or of etcd's about itself."""
    found = _CONNECTING.search(text)
    return f"{found[1]}: {found[2]}" if found else text.removeprefix("etcdserver: ")


# -- requests and answers ------------------------------------------------------------------------------------------


def get(key: str, end: str = "", *, at: int = 0, limit: int = 0, newest_first: bool = False, bare: bool = False) -> Any:
    """Ask for a key, or for those from `key` to before `end`, as they were `at` a revision; `bare`: without values."""
    request = rpc.RangeRequest(key=_bytes(key), range_end=_bytes(end), revision=at, limit=limit, keys_only=bare)
    if newest_first:
        request.sort_order, request.sort_target = rpc.RangeRequest.DESCEND, rpc.RangeRequest.KEY
    return request


def put(key: str, value: bytes, lease: int = 0) -> Any:
    """Ask to store a value."""
    return rpc.PutRequest(key=_bytes(key), value=value, lease=lease)


def delete(key: str, end: str = "") -> Any:
    """Ask to delete a key, or those from `key` to before `end`."""
    return rpc.DeleteRangeRequest(key=_bytes(key), range_end=_bytes(end))


def unchanged(key: str, revision: int) -> Any:
    """Demand that a key was last put at etcd's `revision` (0: that there is none)."""
    return rpc.Compare(target=rpc.Compare.MOD, result=rpc.Compare.EQUAL, key=_bytes(key), mod_revision=revision)


def transaction(demands: Sequence[Any], then: Sequence[Any], otherwise: Sequence[Any] = ()) -> Any:
    """Ask for all of `then` if all demands hold, else for `otherwise`."""
    return rpc.TxnRequest(compare=demands, success=map(_operation, then), failure=map(_operation, otherwise))


def _operation(request: Any) -> Any:
    kind = {"RangeRequest": "request_range", "PutRequest": "request_put"}.get(type(request).__name__)
    return rpc.RequestOp(**{kind or "request_delete_range": request})


def pairs(response: Any) -> list[Pair]:
    """Return what a `get` has found; of a transaction's answers, too."""
    found = response.response_range if hasattr(response, "response_range") else response
    return [Pair(kv.key.decode("utf-8", "replace"), kv.value, kv.mod_revision) for kv in found.kvs]


def end_of(prefix: str) -> str:
    """Return the end of the range of all keys with a prefix (that ends in ASCII)."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8")

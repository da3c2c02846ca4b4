"""Requests to an etcd cluster through whichever of its endpoints answers."""

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from gproxy.store import etcd_client as client
from gproxy.store.access import Access
from gproxy.store.etcd_address import EtcdAddress
from gproxy.store.etcd_client import Pair, Status

#: How long one endpoint may take for one request: etcd answers in milliseconds, and within seconds when its disk is
#: slow. Behind a stopped or unreachable one the next is asked.
ATTEMPT_S: Final = 2.0
#: Between two rounds over all endpoints, while there is patience: a cluster elects a leader in about a second.
PAUSE_S: Final = 0.1

#: Answers that every member of a cluster would give. All others, of a member without a leader, say, come and go.
_FINAL: Final = (
    Status.INVALID_ARGUMENT,
    Status.OUT_OF_RANGE,
    Status.PERMISSION_DENIED,
    Status.UNAUTHENTICATED,
    Status.RESOURCE_EXHAUSTED,
    Status.FAILED_PRECONDITION,
    Status.NOT_FOUND,
)


class EtcdLink:
    """The endpoints of `address`; every request is asked for again for `patience_s` while none answers.

    A transaction that was asked for twice must be one that happens once: all of ours demand what they change.
    """

    def __init__(self, address: EtcdAddress, access: Access, patience_s: float) -> None:
        self.source = address.source
        self._endpoints = address.endpoints
        self._access = access
        self._patience_s = patience_s
        self._clients: dict[str, Any] = {}
        self._current = 0

    @property
    def endpoint(self) -> str:
        """The endpoint that answered last."""
        return self._endpoints[self._current]

    def get(self, key: str, end: str = "", **how: Any) -> tuple[list[Pair], int]:
        """Return what is there (see `etcd_client.get`), and etcd's revision. Raises Compacted, StoreError."""
        answer = self._ask(lambda one: one.kvstub.Range, client.get(key, end, **how))
        return client.pairs(answer), answer.header.revision

    def transact(
        self, demands: Sequence[Any], then: Sequence[Any], otherwise: Sequence[Any] = ()
    ) -> tuple[bool, list[Any]]:
        """Return whether all demands held, and the answers to `then` or `otherwise`."""
        answer = self._ask(lambda one: one.kvstub.Txn, client.transaction(demands, then, otherwise))
        return answer.succeeded, list(answer.responses)

    def grant(self, ttl_s: int) -> int:
        """Return a new lease."""
        lease: int = self._ask(lambda one: one.leasestub.LeaseGrant, client.rpc.LeaseGrantRequest(TTL=ttl_s)).ID
        return lease

    def renew(self, lease: int) -> bool:
        """Keep a lease alive; False when it has ended."""

        def method(one: Any) -> Callable[..., Any]:
            return lambda request, **how: next(one.leasestub.LeaseKeepAlive(iter([request]), **how), None)

        answer = self._ask(method, client.rpc.LeaseKeepAliveRequest(ID=lease))
        return answer is not None and bool(answer.TTL)

    def watch(self, requests: Any) -> Any:
        """Open a stream of watch events from the endpoint that answered last. Raises RpcError, StoreError."""
        one = self._client(self.endpoint)
        return client.rpc.WatchStub(one.channel).Watch(requests, metadata=one.metadata)

    def close(self) -> None:
        """Close all connections."""
        for endpoint in list(self._clients):
            self._drop(endpoint)

    def _ask(self, method: Callable[[Any], Callable[..., Any]], request: Any) -> Any:
        """Ask the endpoints in turn, beginning with the one that answered last."""
        until_s = time.monotonic() + self._patience_s
        while True:
            for _ in self._endpoints:
                try:
                    return self._ask_one(method, request)
                except client.RpcError as error:
                    trouble = client.translated(error, self.source)
                    if error.code() in _FINAL:
                        raise trouble from None
                    if error.code() is not Status.UNAVAILABLE:
                        self._drop(self.endpoint)
                self._current = (self._current + 1) % len(self._endpoints)
            if time.monotonic() + PAUSE_S > until_s:
                raise trouble
            time.sleep(PAUSE_S)

    def _ask_one(self, method: Callable[[Any], Callable[..., Any]], request: Any) -> Any:
        one = self._client(self.endpoint)
        try:
            return method(one)(request, timeout=ATTEMPT_S, metadata=one.metadata)
        except client.RpcError as error:
            # A token ends after five minutes without a request, and with a restart of the server.
            if error.code() is not Status.UNAUTHENTICATED or one.metadata is None:
                raise
        self._drop(self.endpoint)
        one = self._client(self.endpoint)
        return method(one)(request, timeout=ATTEMPT_S, metadata=one.metadata)

    def _client(self, endpoint: str) -> Any:
        found = self._clients.get(endpoint)
        if found is None:
            found = self._clients[endpoint] = client.connect(endpoint, self._access, ATTEMPT_S)
        return found

    def _drop(self, endpoint: str) -> None:
        found = self._clients.pop(endpoint, None)
        if found is not None:
            with contextlib.suppress(client.RpcError):
                found.close()

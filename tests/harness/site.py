"""The configuration documents that most tests need, and the site that they share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.harness.backend import ScriptedBackend
from tests.harness.echo import EchoBackend
from tests.harness.gateway import Gateway


@dataclass(frozen=True, slots=True)
class Site:
    """A gateway with default settings: `script.test` leads to `script`, every other host to `echo`."""

    gateway: Gateway
    echo: EchoBackend
    script: ScriptedBackend


def documents(
    addresses: Mapping[str, str],
    api: Mapping[str, Any] | None = None,
    server: Mapping[str, Any] | None = None,
) -> dict[str, list[dict[str, Any]]]:
    """Return a server, a cluster and an API for each name; the API answers to the host `<name>.test`.

    The first one also answers to every other host. `api` and `server` are further fields of each of them.
    """
    first = next(iter(addresses))
    return {
        "servers": [{"name": name, "address": address, **(server or {})} for name, address in addresses.items()],
        "clusters": [{"name": name, "servers": [name]} for name in addresses],
        "apis": [
            {
                "name": name,
                "hosts": [] if name == first else [f"{name}.test"],
                "path": "/*",
                "nodes": [{"cluster": name}],
                **(api or {}),
            }
            for name in addresses
        ],
    }

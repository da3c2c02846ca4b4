"""Letting nodes drain: what somebody wishes is written to the store, where the nodes read it."""

from gproxy.store.base import StoreError
from gproxy.store.nodes import Drain, Registry, now_ms


class NoSuchNode(StoreError):
    """There is no node for which that could be wished."""


def wish(registry: Registry, node: str, author: str) -> None:
    """Let a node drain; who wished it first stays its author. Raises NoSuchNode, StoreError."""
    if node not in (known.id for known in registry.nodes()):
        raise NoSuchNode(f"no node {node} has registered with the store")
    if node not in registry.drains():
        registry.drain(node, Drain(author, now_ms()))


def withdraw(registry: Registry, node: str) -> None:
    """Let a node take traffic again, whether it is there or not. Raises NoSuchNode, StoreError."""
    if node not in registry.drains():
        raise NoSuchNode(f"nobody drains a node {node}")
    registry.drain(node, None)

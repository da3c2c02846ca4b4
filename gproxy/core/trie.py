"""The trie of path segments: the templates and prefixes of one host value, and how the first match is found.

Strategy: a path goes down along literals as long as there are some; where a variable fits as well, that
branch is put aside. Each node knows the smallest key at or beneath it, so of the branches put aside only
those are tried that may still hold something better than what has been found.
"""

from bisect import insort
from collections.abc import Callable
from operator import attrgetter
from typing import Any, NamedTuple

from gproxy.core.pattern import Accepts, Form, Pattern, Rank

# The place of an entry in the order of all: minus the priority, the rank of the pattern, minus how specific
# the host is, the name.
Key = tuple[int, Rank, int, str]
_KEY = attrgetter("key")


class Found(NamedTuple):
    """The winner's target and the values of its variables in canonical form, in the order of its `Pattern.names`."""

    target: Any
    values: tuple[bytes, ...]


class Entry:
    """A route at one of its hosts: its place in the order and its answer.

    `methods` None accepts all.
    """

    __slots__ = ("found", "key", "methods", "pattern", "positions")

    def __init__(self, key: Key, methods: frozenset[bytes] | None, pattern: Pattern, found: Found) -> None:
        self.key = key
        self.methods = methods
        self.pattern = pattern
        self.found = found
        self.positions = pattern.positions


class Node:
    """A place in the trie; `best` is the smallest key at or beneath it.

    `ends` are the templates that end here, `prefixes` those whose `*` stands for all that follows.
    """

    __slots__ = ("best", "ends", "literals", "prefixes", "typed", "untyped")

    def __init__(self, best: Key) -> None:
        self.best = best
        self.ends: list[Entry] | None = None
        self.prefixes: list[Entry] | None = None
        self.literals: dict[bytes, Node] = {}
        self.untyped: Node | None = None
        self.typed: dict[Accepts, tuple[Callable[[bytes], bool], Node]] | None = None

    def take_apart(self) -> "list[Node]":
        """Let go of the places right beneath this one, and return them."""
        found = list(self.literals.values())
        if self.untyped is not None:
            found.append(self.untyped)
        if self.typed is not None:
            found += [node for _, node in self.typed.values()]
        self.literals, self.untyped, self.typed = {}, None, None
        return found


def put(entries: list[Entry] | None, entry: Entry) -> list[Entry]:
    """Put an entry in its place among those that match the same paths; None is the list not made yet."""
    if entries is None:
        return [entry]
    insort(entries, entry, key=_KEY)
    return entries


def first(entries: list[Entry], method: bytes, best: Entry | None) -> Entry | None:
    """Return the first of these entries (in order, all matching the path) that the method allows, or `best`."""
    for entry in entries:
        if best is not None and best.key < entry.key:
            break
        if entry.methods is None or method in entry.methods:
            return entry
    return best


def insert(root: Node, entry: Entry) -> None:
    """Index the entry of a template or a prefix."""
    key = entry.key
    node = root
    if key < node.best:
        node.best = key
    for part in entry.pattern.parts:
        node = _child(node, part, key)
        if key < node.best:
            node.best = key
    if entry.pattern.form == Form.TEMPLATE:
        node.ends = put(node.ends, entry)
    else:
        node.prefixes = put(node.prefixes, entry)


def _child(node: Node, part: bytes | tuple[Accepts], key: Key) -> Node:
    """Return the node below for one segment of a pattern, a new one if need be."""
    if isinstance(part, bytes):
        child = node.literals.get(part)
        if child is None:
            child = node.literals[part] = Node(key)
        return child
    (accepts,) = part
    if accepts is None:
        if node.untyped is None:
            node.untyped = Node(key)
        return node.untyped
    if node.typed is None:
        node.typed = {}
    if accepts not in node.typed:
        test = bytes.isdigit if accepts == "int" else accepts.__contains__
        node.typed[accepts] = (test, Node(key))
    return node.typed[accepts][1]


def walk(node: Node, parts: list[bytes], method: bytes, best: Entry | None) -> Entry | None:
    """Return the first in order of `best` and the entries of this trie that match.

    `parts` are the segments of the path after the empty text before its first slash.
    """
    count = len(parts)
    index = 1
    untried: list[tuple[Node, int]] = []
    while True:
        following: Node | None = None
        if index < count:
            if node.prefixes is not None:
                best = first(node.prefixes, method, best)
            part = parts[index]
            index += 1
            following = node.literals.get(part)
            untyped = node.untyped
            if untyped is not None and part:
                if following is None:
                    following = untyped
                else:
                    untried.append((untyped, index))
            if node.typed is not None:
                typed = node.typed.values()
                untried += [(child, index) for accepts, child in typed if accepts(part)]
        elif node.ends is not None:
            best = first(node.ends, method, best)
        while following is None or (best is not None and best.key < following.best):
            if not untried:
                return best
            following, index = untried.pop()
        node = following

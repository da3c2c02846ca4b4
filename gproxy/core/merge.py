"""Aggregation: which failure of a part decides the whole, what stands in for a part, and what the parts make together.

    {"user": {"id": 7}, "account": {"total": 12}}

Batches run in order, the nodes of one at the same time. A failure that decides the whole is the first one in the order
of the nodes, whoever was slower: the answer to a request does not depend on chance.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Self

from gproxy.core.json_check import Rest, no_rest
from gproxy.core.json_text import NULL, Text, is_object, members, object_of, quoted
from gproxy.core.rewrite import families
from gproxy.core.shape import Shape

Document = Mapping[str, Any]
#: Methods that say nothing with a body: a node that asks with one gets none.
BODILESS: Final = frozenset((b"GET", b"HEAD", b"DELETE", b"OPTIONS", b"TRACE"))


@dataclass(frozen=True, slots=True)
class PartRule:
    """What a node is to the whole.

    `is_needed`: its failure fails the whole. Else `stand_in`, its default or null, takes its place; `is_made_up_for`
    says whether the whole counts as complete then. `needs` are what variables of its rewrite begin with, earlier parts
    among them.
    """

    name: str
    is_needed: bool
    has_default: bool
    stand_in: bytes
    is_made_up_for: bool
    shape: Shape | None
    needs: tuple[str, ...]

    @classmethod
    def compiled(cls, node: Document, on_failure: str) -> Self:
        """Return the rule of a node of a normalised document; it has `default` only where one was given."""
        has_default, required = "default" in node, node["required"]
        is_needed = on_failure == "fail" or (on_failure == "default" and not has_default)
        return cls(
            name=node["attr"],
            is_needed=is_needed if required is None else required,
            has_default=has_default,
            stand_in=json.dumps(node["default"], separators=(",", ":")).encode("ascii") if has_default else NULL,
            is_made_up_for=on_failure == "default" and has_default,
            shape=Shape.compiled(node["select"], node["rename"]),
            needs=tuple(families(node["rewrite"])) if node["rewrite"] else (),
        )


@dataclass(frozen=True, slots=True)
class Merge:
    """How the nodes of an API make one answer. `parts` are their rules in the same order, `batches` their indexes.

    `frame` is what stands around the texts of the parts, with a place for each; or for the one of all with `flatten`.
    """

    parts: tuple[PartRule, ...]
    batches: tuple[tuple[int, ...], ...]
    flatten: bool
    frame: tuple[bytes, ...]

    @classmethod
    def compiled(cls, nodes: Sequence[Document], merge: Document | None) -> Self | None:
        """Return what the normalised `nodes` and `merge` of an API mean together, None when they make no parts."""
        if not nodes or nodes[0]["attr"] is None:
            return None
        numbers = sorted({node["batch"] for node in nodes})
        group, flatten = (merge["group"], merge["flatten"]) if merge else (None, False)
        names = [] if flatten else [node["attr"] for node in nodes]
        return cls(
            parts=tuple(PartRule.compiled(node, merge["on_failure"] if merge else "fail") for node in nodes),
            batches=tuple(tuple(at for at, node in enumerate(nodes) if node["batch"] == number) for number in numbers),
            flatten=flatten,
            frame=_frame(b"{%b:" % quoted(group) if group else b"", names, b"}" if group else b""),
        )

    def earlier(self, index: int) -> list[str]:
        """Return the names of the parts that are there when the batch of this one begins."""
        before = itertools.takewhile(lambda batch: index not in batch, self.batches)
        return [self.parts[at].name for batch in before for at in batch]

    # -- who decides -------------------------------------------------------------------------------------------

    def decisive(self, batch: Sequence[int], came: Sequence[bool | None]) -> int | None:
        """Return which part of a batch fails the whole, None while none does or an earlier one still might.

        `came` says for every part whether it came, None while nobody knows.
        """
        for index in batch:
            if came[index] is None:
                return None
            if not came[index] and self.parts[index].is_needed:
                return index
        return None

    def needless(self, batch: Sequence[int], came: Sequence[bool | None]) -> Sequence[int]:
        """Return those of a batch whose outcome does not matter: what stands behind a failure that fails the whole."""
        for place, index in enumerate(batch):
            if came[index] is False and self.parts[index].is_needed:
                return batch[place + 1 :]
        return ()

    def is_complete(self, came: Sequence[bool | None]) -> bool:
        """Say whether every part came, or has somebody to stand in for it who is as good."""
        return all(here or rule.is_made_up_for for here, rule in zip(came, self.parts, strict=True))

    # -- what they make ----------------------------------------------------------------------------------------

    def document(self, texts: Sequence[Text], rest: Rest = no_rest) -> bytes:
        """Return the whole made of the JSON texts of the parts."""
        found: list[Text] = list(self.frame)
        found[1::2] = [object_of(self._flat(texts, rest), rest)] if self.flatten else texts
        return b"".join(found)

    def _flat(self, texts: Sequence[Text], rest: Rest) -> dict[str, Text]:
        """Return the members of all objects, of those with one name the last, and what is no object by its attr."""
        found: dict[str, Text] = {}
        for rule, text in zip(self.parts, texts, strict=True):
            rest()
            if is_object(text):
                found.update(members(text, rest))
            else:
                found[rule.name] = text
        return found


def _frame(opening: bytes, names: Sequence[str], closing: bytes) -> tuple[bytes, ...]:
    """Return what stands around values of these names in an object, or around one value without a name."""
    if not names:
        return opening, b"", closing
    found = [b"", b""] * len(names)
    found[::2] = [b",%b:" % quoted(name) for name in names]
    found[0] = opening + b"{" + found[0][1:]
    return *found, b"}" + closing


class Told(NamedTuple):
    """One part in X-Gateway-Parts."""

    name: str
    status: int
    ms: int
    attempts: int
    has_stand_in: bool


def parts_field(parts: Sequence[Told]) -> str:
    """Return the value of X-Gateway-Parts: `user;status=200;ms=12, account;status=504;ms=70;source=default`."""
    return ", ".join(
        f"{part.name};status={part.status};ms={part.ms}"
        + (f";attempts={part.attempts}" if part.attempts > 1 else "")
        + (";source=default" if part.has_stand_in else "")
        for part in parts
    )

"""`select` and `rename` of a node: which fields of a JSON part are kept, and what they are called.

A path is made of field names: `address.zip`. Where it meets a list it goes on in every object there. A renamed field
stays where it is; a field that had the name already is replaced. What is no object, or list of objects, stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from gproxy.core.json_check import Rest, no_rest
from gproxy.core.json_text import Text, is_list, is_object, items, list_of, members, object_of


@dataclass(slots=True)
class Shape:
    """What becomes of the fields of one object. `keeps_all`: those that `below` does not know are kept."""

    keeps_all: bool
    below: dict[str, Shape] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    @classmethod
    def compiled(cls, select: Sequence[str], rename: Mapping[str, str]) -> Self | None:
        """Return what these paths mean, None when nothing changes. Without `select` everything is kept."""
        if not select and not rename:
            return None
        top = cls(keeps_all=not select)
        for path in select:
            top._down(path.split("."), keeps_all=False).keeps_all = True
        for path, name in rename.items():
            *steps, last = path.split(".")
            top._down(steps, keeps_all=True).names[last] = name
        return top

    def _down(self, steps: Sequence[str], keeps_all: bool) -> Shape:
        """Return the shape at a path; those that are made on the way keep all, or nothing yet."""
        shape = self
        for step in steps:
            shape = shape.below.setdefault(step, Shape(keeps_all))
        return shape

    def apply(self, text: Text, rest: Rest = no_rest) -> Text:
        """Return a valid JSON text in this shape."""
        if is_list(text):
            return list_of([self.apply(item, rest) if is_object(item) else item for item in items(text, rest)])
        rest()
        if not is_object(text):
            return text
        found: dict[str, Text] = {}
        value: Text
        for name, value in members(text, rest).items():
            below = self.below.get(name)
            if below is None:
                if not self.keeps_all:
                    continue
            elif is_object(value) or is_list(value):
                value = below.apply(value, rest)
            elif not below.keeps_all:  # something deeper is wanted, and there is nothing
                continue
            renamed = self.names.get(name)
            if renamed is None:
                found.setdefault(name, value)
            else:
                found[renamed] = value
        return object_of(found, rest)

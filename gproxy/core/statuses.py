"""Sets of HTTP statuses as users write them: "200", "200-299, 301"."""

import re
from typing import Final

_RANGE: Final = re.compile(r"([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?")


def parse(text: str) -> frozenset[int]:
    """Return the statuses that `text` lists, none for an empty one; raises ValueError with a sentence for the user."""
    statuses: set[int] = set()
    for part in text.split(",") if text.strip() else ():
        found = _RANGE.fullmatch(part.strip())
        if found is None:
            raise ValueError(f'must be statuses and ranges such as "200-299,301", not "{part.strip()}"')
        first, last = int(found[1]), int(found[2] or found[1])
        if first > last:
            raise ValueError(f'"{part.strip()}" ends before it begins')
        statuses.update(range(first, last + 1))
    return frozenset(statuses)

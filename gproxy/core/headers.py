"""Edits of header fields as an API describes them: `{set, add, remove}`, compiled once, applied to a block of lines.

Order: remove, then set (which replaces every field of that name), then add.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HeaderEdits:
    """What to take out of a block of field lines and what to put behind it."""

    taken: re.Pattern[bytes] | None
    added: bytes

    @classmethod
    def compile(
        cls,
        set: Mapping[str, str] | None = None,
        add: Mapping[str, str] | None = None,
        remove: Sequence[str] = (),
    ) -> HeaderEdits | None:
        """Build the edits, None when there is nothing to do. Values are sent as UTF-8."""
        set, add = set or {}, add or {}
        names = sorted({name.lower() for name in (*set, *remove)})
        added = b"".join(
            b"%b: %b\r\n" % (name.encode("ascii"), value.encode()) for name, value in (*set.items(), *add.items())
        )
        if not names and not added:
            return None
        pattern = b"|".join(re.escape(name.encode("ascii")) for name in names)
        taken = re.compile(rb"^(?:" + pattern + rb"):[^\n]*\n", re.IGNORECASE | re.MULTILINE) if names else None
        return cls(taken, added)

    def apply(self, block: bytes) -> bytes:
        """Return the edited block of field lines (each ending in CRLF)."""
        if self.taken is not None:
            block = self.taken.sub(b"", block)
        return block + self.added

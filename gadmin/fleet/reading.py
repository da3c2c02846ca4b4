"""What is known of one node at a moment."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

Document = Mapping[str, Any]

#: A node whose latest answer is older than this is not counted in what happens now.
STALE_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Reading:
    """The latest answer of a node (None: never one), how old it is, and the trouble since."""

    id: str
    address: str
    told: Document | None
    age_s: float
    trouble: str

    @property
    def state(self) -> str:
        """`ok`, `slow` (the last answers are late), `down`."""
        if self.told is None or self.age_s > STALE_S:
            return "down"
        return "slow" if self.trouble else "ok"

    @property
    def is_live(self) -> bool:
        """Tell whether its figures are those of now."""
        return self.state != "down"

"""One page of a list: which objects, out of how many, and the addresses of the pages around it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from gadmin.configuration.configuration import Configuration
from gadmin.forms.spec import spec
from gproxy.store.base import Stored

SIZE: Final = 50


@dataclass(frozen=True, slots=True)
class Page:
    """Objects from `offset` on; `search` and `filters` are what was asked for."""

    items: Sequence[Stored]
    total: int
    offset: int
    search: str
    filters: Mapping[str, str]

    @classmethod
    def of(cls, configuration: Configuration, kind: str, query: Mapping[str, str]) -> Self:
        """Return the page that a query asks for; what it asks for that is no field does not count."""
        search = query.get("search", "").strip()
        names = {field.name for field in spec(kind)}
        filters = {name: value for name, value in query.items() if name in names and value}
        found = list(configuration.search(kind, search, filters))
        text = query.get("offset", "")
        offset = int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
        offset = min(offset, max(0, len(found) - 1)) // SIZE * SIZE
        return cls(found[offset : offset + SIZE], len(found), offset, search, filters)

    @property
    def query(self) -> dict[str, str]:
        """What the addresses of other pages have to say again."""
        return {**self.filters, **({"search": self.search} if self.search else {})}

    @property
    def last(self) -> int:
        """The number of the last object on the page, counted from 1."""
        return self.offset + len(self.items)

    @property
    def before(self) -> int | None:
        """The offset of the page before, None for the first."""
        return self.offset - SIZE if self.offset else None

    @property
    def after(self) -> int | None:
        """The offset of the next page, None for the last."""
        return self.offset + SIZE if self.last < self.total else None

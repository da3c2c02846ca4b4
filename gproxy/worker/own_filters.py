"""The user's own filters in one worker: loaded when it starts, so that a reload brings their newest code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gproxy.core.events import Event, FilterCause, FilterState, Kind, Thing
from gproxy.core.fuse import Fuse
from gproxy.filters.extra import Extra, find
from gproxy.shared.filters import FilterMeter
from gproxy.shared.rings import RingWriter

if TYPE_CHECKING:
    from gproxy.role import Context


def own_filters(context: Context) -> list[Extra]:
    """Return the filters that the INI names, in its order; raises FilterError."""
    section = context.settings.filters
    return [
        Extra(
            name,
            find(name, section.path),
            Fuse(section.most_errors, section.rest_s),
            FilterMeter(context.table, context.slot, place, name),
            section.after_errors == "bypass",
            _Teller(context, place).tell,
        )
        for place, name in enumerate(section.extra)
    ]


class _Teller:
    """Makes events of a filter's rests."""

    def __init__(self, context: Context, place: int) -> None:
        self._ring = RingWriter(context.table, context.slot)
        self._slot = context.slot
        self._place = place

    def tell(self, rests: bool) -> None:
        before, after = FilterState.IN_SERVICE, FilterState.RESTS
        cause = FilterCause.ERRORS if rests else FilterCause.RECOVERED
        states = (before, after) if rests else (after, before)
        self._ring.tell(Event(Kind.FILTER, cause, Thing.FILTER, self._place, *states, (self._slot, 0, 0)))

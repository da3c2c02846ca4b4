"""Whether the store is there, as events: one when it is lost, one when it is back."""

from gproxy.core.events import Event, Kind, StoreCause, StoreState
from gproxy.shared import layout
from gproxy.shared.rings import RingWriter

_KNOWN = {layout.SYNC_FOLLOWING: StoreState.FOLLOWED, layout.SYNC_STARTING: StoreState.UNKNOWN}


class Lookout:
    """Tells the changes; `sync_state` is the SYNC_STATE cell: how it was when an earlier sync looked last."""

    def __init__(self, ring: RingWriter, sync_state: int, now_ms: int) -> None:
        self._ring = ring
        self._state = _KNOWN.get(sync_state, StoreState.LOST)
        self._since_ms = now_ms

    def note(self, is_following: bool, now_ms: int) -> None:
        """Take note of the present state."""
        state = StoreState.FOLLOWED if is_following else StoreState.LOST
        if state is self._state:
            return
        before, self._state = self._state, state
        cause = StoreCause.BACK if is_following else StoreCause.UNREACHABLE
        if before is not StoreState.UNKNOWN or not is_following:  # found at the start, as it should be: no event
            lasted_ms = now_ms - self._since_ms
            self._ring.tell(Event(Kind.STORE, cause, before=before, after=state, figures=(lasted_ms, 0, 0)))
        self._since_ms = now_ms

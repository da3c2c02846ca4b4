"""Rate limits that all workers of a node keep together, without a lock, a message or a delay.

Each worker has a share of each limit (core/limiter.py) in cells that only it writes; a decision reads the shares of
all workers and writes to the own one. What was weighed:

- A part of the rate for each worker, or one handed out per time slice, is wrong whenever the load is uneven: a busy
  worker refuses what another one leaves unused, and what a dead worker was given is lost until the next slice.
- Counts per time slice, summed over workers, let through twice the rate around the edge of a slice.
- A token bucket with a level that is written by all would need a lock (4 us under `lockf`), or lose updates.
- GCRA needs nothing but sums and maxima of numbers that never fall. So each number can be split into one per worker
  that is merged when it is read, no update can be lost, and nothing is given out in advance: a worker that dies takes
  nothing with it, its successor goes on with the cells of the slot, and what it let through stays counted.

The race. Two workers that read the same sum at the same moment both let a request through where one was left. That is
at most one request per worker and moment, and it is not forgotten: it is owed, so the next one waits longer. The count
over any time is off by less than the number of workers, not by a percentage. Only a new epoch forgets what was let
through since its beginning: a worker that was held up before it could write one decides again.

The order. A share is written epoch first, then end, and read the other way round: whoever sees an end also sees the
epoch in which it counts. (A new end read with an old epoch would look like a debt of the whole time in between.) What
is seen too old owes too little, never too much. Aligned cells are not reordered on x86; elsewhere a reader could be
wrong about a single request, since nothing of what it read is written back but times that have passed. Shares carry
the tag of their limit: one that is changed begins anew.
"""

from collections.abc import Callable, Sequence
from time import monotonic_ns
from typing import Final

from gproxy.core.limiter import Limit, merged
from gproxy.shared import layout
from gproxy.shared.fleet import FleetCells
from gproxy.shared.keys import Keys

# Used for every request: a name of the module is found faster than one of another module.
from gproxy.shared.layout import LIMIT_CELLS, LIMIT_END, LIMIT_EPOCH, LIMIT_REFUSED, LIMIT_TAG, SLOTS_USED
from gproxy.shared.table import Table

#: A decision takes microseconds. One that took longer was made by a worker that had lost the processor meanwhile.
_TOO_LATE_NS: Final = 200_000


class Share:
    """What this worker has noted in the cells of a row, whose first is `base`: nobody else writes there.

    So the cells are read once, and from then on only written. A share whose epoch was written and whose end was not,
    because its worker was killed in between, has let nothing through in that epoch.
    """

    __slots__ = ("base", "end", "epoch", "refused", "tag")

    def __init__(self, base: int, end: int, epoch: int, refused: int, tag: int) -> None:
        self.base = base
        self.end = max(end, epoch)
        self.epoch = epoch
        self.refused = refused
        self.tag = tag


class Limits:
    """The limits as the worker in `slot` keeps them; `clock` is monotonic nanoseconds, the same for all workers."""

    def __init__(self, table: Table, slot: int, clock: Callable[[], int] = monotonic_ns) -> None:
        self._cells = table.cells
        self._slot = slot
        self._clock = clock
        self._first = table.limit_base(0, 0)
        self._row_cells = table.limit_base(0, 1) - self._first if table.rows > 1 else 0
        self._shares: dict[int, Share] = {}
        self._keys = Keys(table, slot)
        self._fleet = FleetCells(table)
        #: by row: the part of a limit that the node had, of which limit, and what that was
        self._parts: dict[int, tuple[int, Limit, Limit]] = {}

    def take(self, row: int, limit: Limit) -> int:
        """Let a request of a server or an API through: returns 0, else in how many nanoseconds to ask again."""
        if limit.is_shared:
            limit = self._part(row, limit)
        share = self._shares.get(row) or self._share(row)
        if share.tag != limit.tag:
            self._begin(share.base, limit.tag)
            share.end = share.epoch = share.refused = 0
            share.tag = limit.tag
        used = self._cells[SLOTS_USED]
        if used > 1:
            return self._take_among(row, used, share, limit)
        # Nothing to merge, and nobody to race with.
        now = self._clock()
        if share.end < now and not share.refused:  # most are: `decide` says the same, but it takes as long as all this
            wait, count_in = 0, now
        else:
            wait, count_in = limit.decide(now, share.epoch, share.end, share.refused)
        if wait:
            self._cells[share.base + LIMIT_REFUSED] = share.refused = now
        else:
            self._count(share, count_in, limit.unit_ns)
        return wait

    def _take_among(self, row: int, used: int, share: Share, limit: Limit) -> int:
        """The same when there are, or have been, workers in `used` slots."""
        cells, tag, own = self._cells, limit.tag, share.base
        first = self._first + row * self._row_cells
        bases = range(first, first + used * LIMIT_CELLS, LIMIT_CELLS)
        while True:
            now, ends, epoch, refused = self._clock(), [share.end], share.epoch, share.refused
            for base in bases:
                if base == own or cells[base + LIMIT_TAG] != tag:  # or it is of the limit that was here before
                    continue
                end = cells[base]  # LIMIT_END: before the epoch
                if end > epoch:  # else it adds nothing, and its epoch is none of the greatest
                    ends.append(end)
                    begun = cells[base + LIMIT_EPOCH]
                    if begun > epoch:
                        epoch = begun
                last = cells[base + LIMIT_REFUSED]
                if last > refused:
                    refused = last
            due = epoch  # `merged` without its calls
            for end in ends:
                if end > epoch:
                    due += end - epoch
            wait, count_in = limit.decide(now, epoch, due, refused)
            if wait:
                cells[own + LIMIT_REFUSED] = share.refused = now
                return wait
            if count_in == epoch or self._clock() - now <= _TOO_LATE_NS:
                self._count(share, count_in, limit.unit_ns)
                return 0

    def _count(self, share: Share, count_in: int, unit_ns: int) -> None:
        """Note one request more in the own share, of the epoch `count_in`."""
        cells, end = self._cells, share.end
        if count_in != share.epoch:
            cells[share.base + LIMIT_EPOCH] = share.epoch = count_in
            if count_in > end:
                end = count_in
        cells[share.base] = share.end = end + unit_ns  # LIMIT_END

    def _share(self, row: int) -> Share:
        """Return the own share of a row as this worker, or the one before in its slot, has left it in the cells."""
        base = self._first + row * self._row_cells + self._slot * LIMIT_CELLS
        share = self._shares[row] = Share(base, *self._cells[base : base + 4].tolist())  # LIMIT_END to LIMIT_TAG
        return share

    def take_key(self, row: int, key: bytes, limit: Limit) -> int:
        """The same for the requests of an API that have `key` in common."""
        if limit.is_shared:
            limit = self._part(row, limit)
        while True:
            now = self._clock()
            own, shares = self._keys.find(row, limit.tag, key, now)
            ends, epochs, refusals = zip(*shares, strict=True)
            wait = self._decide(own, limit, now, ends, epochs, max(refusals))
            if wait >= 0:
                return wait

    def peek(self, row: int, limit: Limit, key: bytes | None) -> int:
        """Return what `take` or `take_key` would, without counting anything."""
        if limit.is_shared:
            limit = self._part(row, limit)
        cells = self._cells
        if key is None:
            first = self._first + row * self._row_cells
            last = first + cells[SLOTS_USED] * LIMIT_CELLS
            lines = [cells[base : base + LIMIT_CELLS].tolist() for base in range(first, last, LIMIT_CELLS)]
            of_it = [line for line in lines if line[LIMIT_TAG] == limit.tag]
            shares = [(line[LIMIT_END], line[LIMIT_EPOCH], line[LIMIT_REFUSED]) for line in of_it]
        else:
            shares = self._keys.peek(row, limit.tag, key)
        ends, epochs, refusals = zip(*(shares or [(0, 0, 0)]), strict=True)
        epoch, due = merged(ends, epochs)
        return limit.decide(self._clock(), epoch, due, max(refusals))[0]

    def _part(self, row: int, limit: Limit) -> Limit:
        """Return what this node may let through of a limit that all nodes share."""
        part = self._fleet.part(row)
        if not part:
            return limit
        known = self._parts.get(row)
        if known is None or known[0] != part or known[1] is not limit:
            known = self._parts[row] = part, limit, limit.part(part / layout.FLEET_WHOLE)
        return known[2]

    def _begin(self, own: int, tag: int) -> None:
        """Make the own share one of a limit that is new here."""
        self._cells[own + LIMIT_TAG] = 0
        for cell in (LIMIT_END, LIMIT_EPOCH, LIMIT_REFUSED):
            self._cells[own + cell] = 0
        self._cells[own + LIMIT_TAG] = tag

    def _decide(
        self, own: int, limit: Limit, now: int, ends: Sequence[int], epochs: Sequence[int], refused: int
    ) -> int:
        """Decide on these shares and write to the own one, whose first cell is `own`.

        Returns as `take` does, -1 when the decision came too late to be written.
        """
        cells = self._cells
        epoch, due = merged(ends, epochs)
        wait, count_in = limit.decide(now, epoch, due, refused)
        if wait:
            cells[own + LIMIT_REFUSED] = now
            return wait
        if count_in != epoch and self._clock() - now > _TOO_LATE_NS:
            return -1
        end = cells[own + LIMIT_END]
        cells[own + LIMIT_EPOCH] = count_in
        cells[own + LIMIT_END] = max(end, count_in) + limit.unit_ns
        return 0

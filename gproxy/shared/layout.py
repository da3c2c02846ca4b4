"""Where each cell lives in the shared memory.

It is an array of native unsigned 64-bit cells: a header, the global cells, then the regions, in the order of
`Regions`. Every part starts on a multiple of 8 cells, so that no two writing processes share a 64-byte cache
line. Only pages that were touched take memory: a region that nobody uses is free, but *reading* a cell touches
its page too, so readers look at the slots and rows in use only.

While one program replaces another, both work on the same table if they lay it out alike: `fingerprint` tells every
change of the numbers here, `LAYOUT_VERSION` is raised by a change of meaning that does not show in them.
"""

import zlib
from typing import Final, NamedTuple

from gproxy.core.histogram import BUCKETS

#: First cell of every table: "gproxyT" and a zero byte, little-endian.
MAGIC: Final = int.from_bytes(b"gproxyT\0", "little")
LAYOUT_VERSION: Final = 2
CELL_BYTES: Final = 8
LINE_CELLS: Final = 8
PAGE_CELLS: Final = 512

# Header, written once by `Table.create`.
HEADER_MAGIC: Final = 0
HEADER_VERSION: Final = 1
HEADER_SLOTS: Final = 2
HEADER_ROWS: Final = 3
HEADER_SECRET: Final = 4  # random: what users choose is hashed with it
HEADER_FINGERPRINT: Final = 5
HEADER_CELLS: Final = 8

# Global cells (absolute indexes), each on the line of its writer: sync, monitor, master, sync again.
PUBLISHED: Final = 8  # snapshot version counter, raised after the snapshot file is in place
REVISION: Final = 9  # store revision of that snapshot
SYNC_STATE: Final = 10  # one of SYNC_* below
SYNC_REJECTED: Final = 11  # configurations rejected since the node started
STORE_SEEN_MS: Final = 12  # wall clock (ms since 1970) of the last answer of the store
SYNC_HEARTBEAT: Final = 13  # monotonic ms
PUBLISHED_MS: Final = 14  # wall clock (ms since 1970) at which PUBLISHED was last raised
MONITOR_HEARTBEAT: Final = 16  # monotonic ms
HEALTH_GENERATION: Final = 17  # raised by each change of a server's health
CONTROL_PORT: Final = 18  # of the control endpoint, 0 for a unix socket
SPANS_EXPORTED: Final = 19  # of traces: taken by the collector since the node started
SPANS_FAILED: Final = 20  # not taken by it
MASTER_HEARTBEAT: Final = 24  # monotonic ms
WORKERS_WANTED: Final = 25  # workers the master means to run now
SYNC_PID: Final = 26
MONITOR_PID: Final = 27
GENERATION: Final = 28  # raised by each reload
WORKER_RESTARTS: Final = 29  # workers replaced because they died or hung
SLOTS_USED: Final = 30  # slots below this number have been claimed at least once
UPGRADES: Final = 31  # raised by each program that takes the node over from another one
ROWS_USED: Final = 32  # rows below this number have been given to a server or an API at least once
FLEET_CHANGES: Final = 33  # raised when other nodes begin or cease to have a server given a rest here
FLEET_NODES: Final = 34  # nodes that follow the same store and count here, this one among them
DRAINED: Final = 35  # 1 while the node takes no more traffic because somebody wants it so
GLOBAL_END: Final = 72

# SYNC_STATE values.
SYNC_STARTING: Final = 0
SYNC_FOLLOWING: Final = 1
SYNC_STORE_LOST: Final = 2  # serving the last good snapshot
SYNC_NOTHING: Final = 3  # store unreachable and nothing to serve
SYNC_STATE_NAMES: Final = ("starting", "following", "store_lost", "nothing_to_serve")

# Slot cells: offsets from `Table.base(slot)`. Gauges first.
HEARTBEAT: Final = 0  # monotonic ms
PID: Final = 1
STATE: Final = 2  # one of STATE_* below
VERSION: Final = 3  # PUBLISHED value of the snapshot that the worker runs
RUNNING_REVISION: Final = 4
CONNECTIONS: Final = 5  # open client connections
ACTIVE: Final = 6  # requests in flight
LOOP_LAG_US: Final = 7  # the longest delay of the worker's tick in the last second or two
GAUGES: Final = range(8)

# Counters: never zeroed.
ACCEPTED: Final = 8
STATUS_1XX: Final = 10
STATUS_2XX: Final = 11
STATUS_3XX: Final = 12
STATUS_4XX: Final = 13
STATUS_5XX: Final = 14
CLIENT_GONE: Final = 15
BAD_REQUEST: Final = 16
TIMEOUTS: Final = 17
BYTES_IN: Final = 18
BYTES_OUT: Final = 19
UPSTREAM_CONNECTS: Final = 20
UPSTREAM_REUSED: Final = 21
RESENDS: Final = 22
REFUSED_CONNECTIONS: Final = 23
LOG_DROPPED: Final = 24
TUNNELS: Final = 44
HTTP2_CONNECTIONS: Final = 38
HTTP2_ABUSE: Final = 39  # connections that were ended because they only kept us busy
# TLS with clients.
HANDSHAKES: Final = 40
RESUMED: Final = 41  # those of them that took an earlier session up again
FAILED_HANDSHAKES: Final = 42
SLOW_HANDSHAKES: Final = 43
# Limits that acted on clients.
REFUSED_ANNOUNCEMENTS: Final = 45  # PROXY headers that are wrong, or from somebody who is not trusted
CROWDED: Final = 46  # connections of an address that has too many
LARGE_HEADS: Final = 47
LARGE_BODIES: Final = 48
SLOW_HEADS: Final = 49
SLOW_BODIES: Final = 50
SLOW_READERS: Final = 51
SPANS_DROPPED: Final = 52  # of traces, because the monitor did not take them in time
# Not a counter: 1 when the worker counts connections by address, see shared/addresses.py.
COUNTS_ADDRESSES: Final = 63
#: Not a counter that is told: raised by who wants the keys for tokens fetched again, read by the monitor.
KEYS_WANTED: Final = 62
SLOT_CELLS: Final = 64

#: Every request ends in exactly one of these, so their sum is the number of requests that are over.
OUTCOMES: Final = range(STATUS_1XX, CLIENT_GONE + 1)

#: Public names of the counters, in file order: the keys of /stats.
COUNTER_NAMES: Final = {
    "accepted": ACCEPTED,
    "status_1xx": STATUS_1XX,
    "status_2xx": STATUS_2XX,
    "status_3xx": STATUS_3XX,
    "status_4xx": STATUS_4XX,
    "status_5xx": STATUS_5XX,
    "client_gone": CLIENT_GONE,
    "bad_request": BAD_REQUEST,
    "timeouts": TIMEOUTS,
    "bytes_in": BYTES_IN,
    "bytes_out": BYTES_OUT,
    "upstream_connects": UPSTREAM_CONNECTS,
    "upstream_reused": UPSTREAM_REUSED,
    "resends": RESENDS,
    "refused_connections": REFUSED_CONNECTIONS,
    "log_dropped": LOG_DROPPED,
    "spans_dropped": SPANS_DROPPED,
    "tunnels": TUNNELS,
    "http2_connections": HTTP2_CONNECTIONS,
    "http2_abuse": HTTP2_ABUSE,
    "tls_handshakes": HANDSHAKES,
    "tls_resumed": RESUMED,
    "tls_failed": FAILED_HANDSHAKES,
    "slow_handshakes": SLOW_HANDSHAKES,
    "refused_announcements": REFUSED_ANNOUNCEMENTS,
    "refused_per_ip": CROWDED,
    "large_heads": LARGE_HEADS,
    "large_bodies": LARGE_BODIES,
    "slow_heads": SLOW_HEADS,
    "slow_bodies": SLOW_BODIES,
    "slow_readers": SLOW_READERS,
}

# STATE values.
STATE_FREE: Final = 0
STATE_STARTING: Final = 1
STATE_ACCEPTING: Final = 2
STATE_DRAINING: Final = 3
STATE_NAMES: Final = ("free", "starting", "accepting", "draining")

# Row cells: offsets from `Table.row_base(slot, row)`; a row is a server or an API as one worker sees it.
# Gauges first: they describe the worker that holds the slot now.
ROW_ACTIVE: Final = 0  # requests in flight
ROW_CONNECTIONS: Final = 1  # open connections to the server
ROW_IDLE: Final = 2  # those of them that wait in the pool
ROW_REPEATING: Final = 3  # requests of an API that are at a further attempt
ROW_QUEUED: Final = 4  # requests that wait for a place
ROW_HELD: Final = 5  # places that are taken: shared/places.py
ROW_QUEUED_SINCE: Final = 6  # since when the first of those that wait has waited (monotonic us), 0: nobody waits
ROW_TUNNELS: Final = 7  # open tunnels of an API
ROW_GAUGES: Final = range(8)

# Counters: never zeroed. A new owner of a row begins at the row's zero line, see ROW_ZERO.
ROW_UNANSWERED: Final = 8  # attempts that ended without a response head
ROW_STATUS_1XX: Final = 9
ROW_STATUS_2XX: Final = 10
ROW_STATUS_3XX: Final = 11
ROW_STATUS_4XX: Final = 12
ROW_STATUS_5XX: Final = 13
ROW_CLIENT_GONE: Final = 14
ROW_FAILURES: Final = 15  # of a server: transport errors and timeouts; of an API: answers the gateway had to give
ROW_BYTES_IN: Final = 16
ROW_BYTES_OUT: Final = 17
ROW_RETRIES: Final = 18
ROW_REJECTED: Final = 19  # turned away by a limit or an open circuit breaker
ROW_DENIED: Final = 20  # of an API: refused for the client's address
ROW_INVALID: Final = 21  # of an API: refused for what the request says
ROW_COMPARED: Final = 22  # of a rule: copies whose answer was compared with that of the original
ROW_DIFFERED: Final = 23  # those of them that differed
# Not counters, but they outlive the worker as well: see worker/loads.py.
ROW_EWMA_US: Final = 24  # peak-sensitive moving average of the server's time
ROW_EWMA_MS: Final = 25  # when it last changed (monotonic ms)
# Counters again.
ROW_UNAUTHORIZED: Final = 26  # of an API: refused for want of a good key or token
# What became of requests where answers are stored, of an API.
ROW_CACHE_HITS: Final = 32  # answered from the store
ROW_CACHE_MISSES: Final = 33  # forwarded, since nothing that is stored would do
ROW_CACHE_STALE: Final = 34  # answered with what is stale, since the server failed
ROW_CACHE_REVALIDATED: Final = 35  # answered from the store after its server has confirmed it
ROW_CACHE_STORED: Final = 36
ROW_CACHE_EVICTED_BYTES: Final = 37  # of stored answers that were overwritten by others
ROW_CELLS: Final = 40

#: Every request ends in exactly one of these, so their sum is the number of requests that are over.
ROW_OUTCOMES: Final = range(ROW_UNANSWERED, ROW_CLIENT_GONE + 1)

#: Public names of the row counters: the keys of /stats.
ROW_COUNTER_NAMES: Final = {
    "unanswered": ROW_UNANSWERED,
    "status_1xx": ROW_STATUS_1XX,
    "status_2xx": ROW_STATUS_2XX,
    "status_3xx": ROW_STATUS_3XX,
    "status_4xx": ROW_STATUS_4XX,
    "status_5xx": ROW_STATUS_5XX,
    "client_gone": ROW_CLIENT_GONE,
    "failures": ROW_FAILURES,
    "bytes_in": ROW_BYTES_IN,
    "bytes_out": ROW_BYTES_OUT,
    "retries": ROW_RETRIES,
    "rejected": ROW_REJECTED,
}

#: Those of APIs only.
API_COUNTER_NAMES: Final = {
    "denied": ROW_DENIED,
    "unauthorized": ROW_UNAUTHORIZED,
    "invalid": ROW_INVALID,
    "cache_hits": ROW_CACHE_HITS,
    "cache_misses": ROW_CACHE_MISSES,
    "cache_stale": ROW_CACHE_STALE,
    "cache_revalidated": ROW_CACHE_REVALIDATED,
    "cache_stored": ROW_CACHE_STORED,
    "cache_evicted_bytes": ROW_CACHE_EVICTED_BYTES,
}

#: Those of routing rules only.
ROUTING_COUNTER_NAMES: Final = {
    "compared": ROW_COMPARED,
    "differed": ROW_DIFFERED,
}

#: One latency histogram: a count per bucket of core/histogram.py.
HISTOGRAM_CELLS: Final = -(-BUCKETS // LINE_CELLS) * LINE_CELLS

#: A row's zero line: its counters, then its histogram, summed over all slots, when it was last given away.
ROW_ZERO_CELLS: Final = ROW_CELLS + HISTOGRAM_CELLS

# Health of a server: offsets from `Table.health_base(row)`, written by the monitor only.
HEALTH_STATE: Final = 0  # one of HEALTH_* below
HEALTH_CHANGED_MS: Final = 1  # wall clock (ms since 1970)
HEALTH_FLAPS: Final = 2  # results that differed from the one before, ever
HEALTH_IDENTITY: Final = 3  # of what server at which address (core/health.py), 0: nothing is known
HEALTH_VALID_UNTIL_MS: Final = 4  # monotonic ms: an older verdict counts for nothing
HEALTH_CELLS: Final = 8
HEALTH_UNKNOWN: Final = 0
HEALTH_UP: Final = 1
HEALTH_DOWN: Final = 2
HEALTH_NAMES: Final = ("unknown", "up", "down")

#: Registers of the circuit breaker, from `Table.breaker_base(slot, row)`: one set per worker and row. How they are
#: packed, and why they can be read while others write, is in shared/circuits.py.
BREAKER_WORD: Final = 0  # the last move that this slot made, with its epoch
BREAKER_SINCE: Final = 1  # two cells: when that was (monotonic us), the even and the odd epochs
BREAKER_RUN: Final = 3  # failures in a row
BREAKER_SUCCESSES: Final = 4  # counts successes, never zeroed
BREAKER_ARRIVALS: Final = 5  # half-open: arrived, admitted
BREAKER_PROBES: Final = 6  # half-open: succeeded, pending
BREAKER_PROBES_DUE: Final = 7  # when the last pending probe must have reported (monotonic us)
BREAKER_WINDOW: Final = 8  # window.CELLS of them
BREAKER_CELLS: Final = 64
# A share of a rate limit (core/limiter.py), monotonic ns: from `Table.limit_base(slot, row)`, one per worker and row,
# or in the table of keys. How they can be read while others write is in shared/limits.py: the order matters.
LIMIT_END: Final = 0
LIMIT_EPOCH: Final = 1
LIMIT_REFUSED: Final = 2
LIMIT_TAG: Final = 3  # of the limit that it is a share of
LIMIT_CELLS: Final = 8  # of a row; its shares lie side by side
# The keys of keyed limits: sets, in each so many ways per worker, see shared/keys.py.
KEY_SETS: Final = 4096
KEY_WAYS: Final = 48
KEY_SEEN: Final = 3  # in place of the tag, which the key includes: when the worker met the key last
KEY_CELLS: Final = 4

# What the other nodes that follow the same store mean for a row: from `Table.fleet_base(row)`, written by sync only.
FLEET_PART: Final = 0  # the node's part of a limit that all share, of FLEET_WHOLE; 0: it is not divided
FLEET_OPEN_UNTIL_US: Final = 1  # until when a server is given a rest because others say so (monotonic us)
FLEET_CELLS: Final = 2
FLEET_WHOLE: Final = 1 << 32

#: Open connections by client address: two rows of cells per worker, see shared/addresses.py.
ADDRESS_MASK: Final = 0xFFFF
ADDRESS_CELLS: Final = 2 * (ADDRESS_MASK + 1)

# An event ring: a line with the number of events ever written, then the records, see shared/rings.py.
RING_RECORDS: Final = 256
RECORD_CELLS: Final = 8
RING_CELLS: Final = LINE_CELLS + RING_RECORDS * RECORD_CELLS
#: Rings of the roles that have no slot come after those of the slots, in this order.
RING_SYNC: Final = 0
RING_MONITOR: Final = 1
RING_MASTER: Final = 2
ROLE_RINGS: Final = 3

# A filter of a user's own, from `Table.filter_base(slot, place)`: its place is its number in the INI.
FILTER_CALLS: Final = 0
FILTER_TIME_US: Final = 1
FILTER_ERRORS: Final = 2
FILTER_RESTS: Final = 3  # 1 while errors have put it out of service
FILTER_TAG: Final = 4  # which filter it is
FILTER_CELLS: Final = 8
MOST_FILTERS: Final = 16

# Samples: a line with the number of samples ever left, then the records, see shared/samples.py.
SAMPLE_NUMBER: Final = 0
SAMPLE_BYTES: Final = 1  # of its text
SAMPLE_TEXT: Final = 8
SAMPLE_CELLS: Final = 512  # of one record
SAMPLES: Final = 16  # of one slot

DEFAULT_SLOTS: Final = 64
DEFAULT_ROWS: Final = 16_384


class Regions(NamedTuple):
    """The first cell of each region of a table with so many slots and rows, and its length in cells."""

    slots: int
    slot_histograms: int
    rings: int
    row_generations: int
    row_zeros: int
    health: int
    moves: int
    rows: int
    histograms: int
    breakers: int
    limits: int
    key_prints: int
    key_shares: int
    filters: int
    fleet: int
    addresses: int
    samples: int
    end: int

    @classmethod
    def of(cls, slots: int, rows: int) -> "Regions":
        """Lay the regions out one behind the other, each from a page of its own on.

        Those with a part per slot have the slots in the outer order, but for limits: there all slots are read at once.
        """
        sizes = (
            slots * SLOT_CELLS,
            slots * HISTOGRAM_CELLS,
            (slots + ROLE_RINGS) * RING_CELLS,
            -(-rows // LINE_CELLS) * LINE_CELLS,
            rows * ROW_ZERO_CELLS,
            rows * HEALTH_CELLS,
            -(-slots // LINE_CELLS) * LINE_CELLS,
            slots * rows * ROW_CELLS,
            slots * rows * HISTOGRAM_CELLS,
            slots * rows * BREAKER_CELLS,
            rows * slots * LIMIT_CELLS,
            KEY_SETS * slots * KEY_WAYS,
            KEY_SETS * slots * KEY_WAYS * KEY_CELLS,
            slots * MOST_FILTERS * FILTER_CELLS,
            rows * FLEET_CELLS,
            slots * ADDRESS_CELLS,
            slots * (LINE_CELLS + SAMPLES * SAMPLE_CELLS),
        )
        starts = [GLOBAL_END]
        for size in sizes:
            starts.append(-(-(starts[-1] + size) // PAGE_CELLS) * PAGE_CELLS)
        return cls(*starts)


def fingerprint() -> int:
    """Return a number that differs between programs which name or place anything here differently."""
    numbers = {name: value for name, value in globals().items() if name.isupper() and isinstance(value, int | range)}
    return zlib.crc32(repr((sorted(numbers.items()), Regions._fields)).encode())

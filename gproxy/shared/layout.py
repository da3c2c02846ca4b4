"""Where each cell lives in the shared-memory file.

The file is an array of native unsigned 64-bit cells: a header, the global cells, then one row per slot.
Every part starts on a multiple of 8 cells, so that no two writing processes share a 64-byte cache line.
Parts keep spare cells; new regions are appended after the slots. A change of meaning raises `LAYOUT_VERSION`.
"""

from typing import Final

#: First cell of every file: "gproxyT" and a zero byte, little-endian.
MAGIC: Final = int.from_bytes(b"gproxyT\0", "little")
LAYOUT_VERSION: Final = 1
CELL_BYTES: Final = 8

# Header, written once by `Table.create`.
HEADER_MAGIC: Final = 0
HEADER_VERSION: Final = 1
HEADER_SLOTS: Final = 2
HEADER_SLOT_CELLS: Final = 3
HEADER_CELLS: Final = 8

# Global cells (absolute indexes). sync writes PUBLISHED..SYNC_HEARTBEAT, each on the line of its writer.
PUBLISHED: Final = 8  # snapshot version counter, raised after the snapshot file is in place
REVISION: Final = 9  # store revision of that snapshot
SYNC_STATE: Final = 10  # one of SYNC_* below
SYNC_REJECTED: Final = 11  # configurations rejected since the node started
STORE_SEEN_MS: Final = 12  # wall clock (ms since 1970) of the last answer of the store
SYNC_HEARTBEAT: Final = 13  # monotonic ms
PUBLISHED_MS: Final = 14  # wall clock (ms since 1970) at which PUBLISHED was last raised
MONITOR_HEARTBEAT: Final = 16  # monotonic ms
MASTER_HEARTBEAT: Final = 24  # monotonic ms
WORKERS_WANTED: Final = 25  # workers the master means to run now
SYNC_PID: Final = 26
MONITOR_PID: Final = 27
GENERATION: Final = 28  # raised by each reload
WORKER_RESTARTS: Final = 29  # workers replaced because they died or hung
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
GAUGES: Final = range(8)

# Counters: never zeroed.
ACCEPTED: Final = 8
REQUESTS: Final = 9
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
SLOT_CELLS: Final = 64

#: Public names of the counters, in file order: the keys of /stats.
COUNTER_NAMES: Final = {
    "accepted": ACCEPTED,
    "requests": REQUESTS,
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
}

# STATE values.
STATE_FREE: Final = 0
STATE_STARTING: Final = 1
STATE_ACCEPTING: Final = 2
STATE_DRAINING: Final = 3
STATE_NAMES: Final = ("free", "starting", "accepting", "draining")

DEFAULT_SLOTS: Final = 64

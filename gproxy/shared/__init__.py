"""Memory shared by all processes of a node, and the only code that touches mmap.

A *cell* is one aligned unsigned 64-bit number with one writing process; readers combine, nobody locks.
*Global cells* describe the node. A *slot* is the row of cells of one worker number; its *gauges* describe the
worker that holds the slot now, its *counters* only grow and survive the worker. A *row* is a server or an API as each
slot counts it. A *ring* holds the last events of one process.
"""

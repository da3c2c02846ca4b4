"""The monitor: one process per node that tells how the node is doing, and is not needed for traffic to flow.

*Control* answers HTTP questions on `[control] bind`; *stats* is what it says, read from shared memory alone.
"""

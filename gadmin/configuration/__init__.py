"""The stores that gadmin follows and writes: that of the configuration and that of accounts.

A `Follower` has the present state at hand in memory, `Stores` are connections for writing, a `Configuration` is one
state with what can be asked about it. `Editor` makes checked changes.
"""

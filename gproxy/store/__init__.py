"""Where the configuration lives.

A *store* holds *objects* (kind, name, document), each with the revision of the write that made it. The
*revision* of the store grows by one with every *write*, which is whole or nothing and leaves an *entry* in
the *history*: when, who, why, and every object before and after. `base` is the port, `sqlite` the embedded
store, `open` chooses by URL, `edit` writes only what was checked. The *snapshot file* is what a node keeps
of it for its workers.
"""

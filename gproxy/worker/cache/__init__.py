"""Stored answers in a worker: `cache` takes requests, `question` is one of them, `shelf` holds answers for all workers.

A request that the shelf cannot answer is *forwarded*, and watched by a `fetch`, which stores the answer. Of several
that want the same one is forwarded, the others wait for its `flight`. What may be stored, and for whom, is decided in
core.
"""

"""A worker: one process, one event loop, client and upstream connections, and nothing else.

Nouns: a *link* is a non-blocking socket with a watcher that stays armed; a *client* and an *upstream* are links; an
*exchange* is one request with all that becomes of it; the *gateway* is the story of an exchange; a *pool* keeps a
server's idle upstreams; *deadlines* sweep the links whose time is over; *current* holds the snapshot in use.

Greenlets are raw and recycled: an idle connection owns none, an exchange borrows one. Nothing is monkey-patched.
"""

"""The decisions of the gateway, free of sockets, clocks, files, randomness and globals.

Nouns: a *head* is the start line and field lines of an HTTP message; a *pattern* is the path of an API; a *route*
leads from host, method and pattern to an API; a *document* is a configuration object as a user writes it; a *snapshot*
is all documents of one revision, compiled for the worker; a *problem* is one thing that is wrong with a document.
"""

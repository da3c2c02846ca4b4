"""The nodes as one: each is asked once a second while somebody looks, and what they say is added up.

`poller` asks one node, `timeline` keeps its seconds, `merge` adds nodes, `events` puts theirs into one order; `fleet`
is what pages use. A slow or dead node is marked and holds up nobody.
"""

"""gproxy: a pre-forking HTTP gateway.

A *master* process holds the listening sockets and supervises the other roles: N *workers* proxy requests,
one *sync* follows the configuration store, one *monitor* answers health and statistics questions.
Roles share counters and heartbeats through `gproxy.shared`; what a role receives is a `gproxy.role.Context`.
"""

__version__ = "0.1.0"

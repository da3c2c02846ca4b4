"""Which route a request takes: an index that finds the first one in the defined order without trying all.

The order: priority (higher first); exact > template (more literal segments first, then the leftmost literal)
> prefix (longest literal text first, then more segments, then the leftmost literal) > regular expression; a
route for this very host > for `*.domain` (the longest domain first) > for any host; then the name. A route
whose methods do not include the request's is passed over; HEAD is allowed where GET is.

Strategy:
- Each route becomes one `Entry` per host, whose `key` is its place in that order: "which is first" is one
  comparison of tuples, made only when two entries match the same request.
- A `Site` holds the entries of one host value: a dictionary of exact paths, a trie of segments for templates
  and prefixes, the catch-all `/*`, and the regular expressions in order. A request asks its sites: of its
  host, of its wildcards, of any host; nearly always just one or two of them exist.
- The likely winner is looked for first, and each trie node knows the smallest key beneath it, so whatever
  cannot beat the entry at hand is not entered. The usual request costs one dictionary look-up per segment;
  branches to come back to exist only where several children fit one segment.
- Values are cut out by position when the winner is known; a route without variables has its answer ready.
"""

from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gproxy.core import path as paths
from gproxy.core.pattern import Form, Pattern
from gproxy.core.trie import Entry, Found, Node, first, insert, put, walk

__all__ = ["Found", "Route", "Router"]

# More specific than any wildcard, of which the number of labels counts.
_EXACT_HOST = 1 << 16
# As numbers, for a byte is found in bytes seven times as fast as a string of one byte.
_PERCENT, _DOT, _BACKSLASH = b"%.\\"
# What Found(...) calls in the end, at half the cost.
_new_found = tuple.__new__


@dataclass(frozen=True, slots=True)
class Route:
    """One way in: what `hosts` (empty: any), `methods` (empty: all) and `path` describe goes to `target`.

    Hosts are lower case, without a port; `*.example.com` stands for every name below example.com.
    """

    name: str
    hosts: tuple[str, ...]
    methods: frozenset[bytes]
    path: Pattern
    priority: int
    target: Any


class Site:
    """Everything that is routed for one host value."""

    __slots__ = ("catch_all", "exact", "regexes", "root")

    def __init__(self) -> None:
        self.exact: dict[bytes, list[Entry]] = {}
        self.root: Node | None = None
        self.catch_all: list[Entry] | None = None
        self.regexes: list[Entry] | None = None


class Router:
    """The index of all routes. Routes are only ever added: a changed configuration gets a new router."""

    __slots__ = ("_any", "_depth", "_has_hosts", "_hosts", "_methods", "_resolved", "_wildcard_labels", "_wildcards")

    def __init__(self) -> None:
        self._hosts: dict[bytes, Site] = {}
        self._wildcards: dict[bytes, Site] = {}
        self._has_hosts = False
        self._any: tuple[Site, ...] = ()
        # No pattern looks at more pieces of a path: what is left of a longer one stays in one piece.
        self._depth = 1
        # How many labels the wildcards' domains have, most first.
        self._wildcard_labels: list[int] = []
        # The sites of the hosts that routes name; what else clients send in Host is never remembered.
        self._resolved: dict[bytes, tuple[Site, ...]] = {}
        # Every set of methods in use, and what it accepts.
        self._methods: dict[frozenset[bytes], frozenset[bytes] | None] = {frozenset(): None}

    def add(self, route: Route) -> None:
        """Index one more route; raises ValueError for a host that is none."""
        wanted = route.methods
        if wanted not in self._methods:
            self._methods[wanted] = wanted | {b"HEAD"} if b"GET" in wanted else wanted
        methods = self._methods[wanted]
        found = Found(route.target, ())
        if len(route.path.parts) >= self._depth:
            self._depth = len(route.path.parts) + 1
        for host in dict.fromkeys(route.hosts) if route.hosts else ("",):
            site, specificity = self._site(host)
            key = (-route.priority, route.path.rank, -specificity, route.name)
            _insert(site, Entry(key, methods, route.path, found))

    def find(self, host: bytes, method: bytes, path: bytes) -> Found | None:
        """Return the first route in order that takes this request, or None.

        `host` is lower case without a port (b"" without one), `path` the raw path without its query. Raises
        ValueError with a reason for a path that must not be matched at all: see path.canonical.
        """
        has_dots = _DOT in path and path.find(b"/.") >= 0
        if has_dots or _PERCENT in path or _BACKSLASH in path or path[:1] != b"/":
            if path == b"*":  # OPTIONS for the server as a whole
                return None
            path = paths.canonical(path)
        sites = self._any
        if self._has_hosts:
            sites = self._resolved.get(host) or self._resolve(host)
        best: Entry | None = None
        parts: list[bytes] = []
        match: Any = None
        for site in sites:
            if path in site.exact:
                best = first(site.exact[path], method, best)
            root = site.root
            if root is not None and (best is None or root.best < best.key):
                parts = parts or path.split(b"/", self._depth)
                best = walk(root, parts, method, best)
            if site.catch_all is not None:
                best = first(site.catch_all, method, best)
            if site.regexes is not None:
                best, match = _search(site.regexes, method, path, best, match)
        if best is None:
            return None
        positions = best.positions
        if positions:
            values = (parts[positions[0]],) if len(positions) == 1 else tuple([parts[at] for at in positions])
        elif best.pattern.names:
            values = match.groups(b"")
        else:
            return best.found
        return _new_found(Found, (best.found.target, values))

    def allowed(self, host: bytes, path: bytes) -> frozenset[bytes]:
        """Return the methods that `find` accepts here, for the Allow of a 405; empty: no route has this path.

        For use after `find` returned None: routes for all methods play no part. Raises ValueError as `find`.
        """
        named = {method for methods in self._methods.values() for method in methods or ()}
        return frozenset([method for method in named if self.find(host, method, path) is not None])

    def take_apart(self) -> Iterator[None]:
        """Let go of the routes piece by piece: of ten thousand at once they would take their time. Of no use then."""
        sites = [*self._any, *self._hosts.values(), *self._wildcards.values()]
        self._resolved.clear()
        for site in sites:
            site.catch_all = site.regexes = None
            while site.exact:
                site.exact.popitem()
                yield
            nodes, site.root = [site.root] if site.root is not None else [], None
            while nodes:
                nodes += nodes.pop().take_apart()
                yield

    def _site(self, host: str) -> tuple[Site, int]:
        """Return the site of a host entry ("" is any host), a new one if need be, and how specific it is."""
        if not host:
            if not self._any:
                self._any = (Site(),)
                self._resolved.clear()
            return self._any[0], 0
        domain = host.encode()
        index, specificity = self._hosts, _EXACT_HOST
        if host[:2] == "*.":
            index, domain = self._wildcards, domain[2:]
            specificity = domain.count(b".") + 1
        site = index.get(domain)
        if site is None:
            if not domain or b"*" in domain:
                raise ValueError(f"host {host!r}: * stands only for the first labels, as in *.example.com")
            site = index[domain] = Site()
            self._has_hosts = True
            self._resolved.clear()
            if index is self._wildcards and specificity not in self._wildcard_labels:
                insort(self._wildcard_labels, specificity, key=lambda labels: -labels)
        return site, specificity

    def _resolve(self, host: bytes) -> tuple[Site, ...]:
        """Return the sites that a request for this host asks, the most specific first."""
        named = self._hosts.get(host)
        sites = [] if named is None else [named]
        if self._wildcards:
            # From the right and no further than needed: a host of a thousand labels costs no more.
            labels = host.rsplit(b".", self._wildcard_labels[0])
            for count in self._wildcard_labels:
                if count < len(labels):
                    site = self._wildcards.get(b".".join(labels[-count:]))
                    if site is not None:
                        sites.append(site)
        resolved = (*sites, *self._any)
        if named is not None:
            self._resolved[host] = resolved
        return resolved


def _insert(site: Site, entry: Entry) -> None:
    """Put an entry into its place in a site."""
    pattern = entry.pattern
    if pattern.form == Form.EXACT:
        put(site.exact.setdefault(pattern.literal, []), entry)
    elif pattern.form == Form.REGEX:
        site.regexes = put(site.regexes, entry)
    elif not pattern.parts:
        site.catch_all = put(site.catch_all, entry)
    else:
        if site.root is None:
            site.root = Node(entry.key)
        insert(site.root, entry)


def _search(
    regexes: list[Entry], method: bytes, path: bytes, best: Entry | None, match: Any
) -> tuple[Entry | None, Any]:
    """Return the first in order of `best` and these expressions that match, with the match that it has."""
    for entry in regexes:
        if best is not None and best.key < entry.key:
            break
        if (entry.methods is None or method in entry.methods) and path.startswith(entry.pattern.literal):
            found = entry.pattern.regex.search(path)
            if found:
                return entry, found
    return best, match

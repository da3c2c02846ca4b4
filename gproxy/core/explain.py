"""Why a request takes the route that it takes: every route with what of it fits, told by the router itself.

A question about one route is put to a `Router` that knows nothing else, so that there is one implementation of what
matches: the one that serves.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from gproxy.core.pattern import Pattern
from gproxy.core.router import Route, Router

_ANY_PATH = Pattern.parse("/*")
_ANY_METHODS: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A route and why it takes a request or not. `is_chosen`: it is the first in order of those that do."""

    route: Route
    fits_path: bool
    fits_host: bool
    fits_method: bool
    is_chosen: bool = False

    @property
    def matches(self) -> bool:
        """Say whether the route would take the request if there were no other."""
        return self.route.target.is_up and self.fits_path and self.fits_host and self.fits_method

    @property
    def reason(self) -> str:
        """Return in words why it does not take the request, or why another one does."""
        wrong = [
            word
            for word, fits in (("path", self.fits_path), ("host", self.fits_host), ("method", self.fits_method))
            if not fits
        ]
        if wrong:
            return f"{' and '.join(wrong)} {'does' if len(wrong) == 1 else 'do'} not match"
        if not self.route.target.is_up:
            return "its status is down"
        return "chosen" if self.is_chosen else "matches, but comes later in the order"


def candidates(routes: Iterable[Route], host: bytes, method: bytes, path: bytes) -> list[Candidate]:
    """Return all routes as candidates: first those that match, in order, then those of which most fits.

    `host` and `path` as `Router.find` wants them. Raises ValueError as it does for a path that must not be matched.
    """
    found = [_candidate(route, host, method, path) for route in routes]
    matching = _in_order([one for one in found if one.matches], host, method, path)
    if matching:
        matching[0] = replace(matching[0], is_chosen=True)
    others = sorted(
        (one for one in found if not one.matches),
        key=lambda one: (-one.fits_path, -one.fits_host - one.fits_method, -_alike(one.route, path), one.route.name),
    )
    return matching + others


def _candidate(route: Route, host: bytes, method: bytes, path: bytes) -> Candidate:
    return Candidate(
        route,
        fits_path=_takes(replace(route, hosts=(), methods=_ANY_METHODS), b"", method, path),
        fits_host=_takes(replace(route, methods=_ANY_METHODS, path=_ANY_PATH), host, method, b"/"),
        fits_method=_takes(replace(route, hosts=(), path=_ANY_PATH), b"", method, b"/"),
    )


def _takes(route: Route, host: bytes, method: bytes, path: bytes) -> bool:
    router = Router()
    router.add(route)
    return router.find(host, method, path) is not None


def _in_order(matching: list[Candidate], host: bytes, method: bytes, path: bytes) -> list[Candidate]:
    """Return candidates in the order of the router, by asking it again without the first one."""
    left = {one.route.name: one for one in matching}
    found = []
    while left:
        router = Router()
        for one in left.values():
            router.add(replace(one.route, target=one))
        first = router.find(host, method, path)
        assert first is not None
        found.append(left.pop(first.target.route.name))
    return found


def _alike(route: Route, path: bytes) -> int:
    """Return how many bytes the path has in common with the text of the route's pattern, from the left."""
    text = route.path.text.encode()
    return next((at for at, (one, other) in enumerate(zip(text, path, strict=False)) if one != other), 0)

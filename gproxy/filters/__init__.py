"""Filters: one behaviour per file, chosen per API when a snapshot is built, so an API without them runs none.

A filter is made from an API document by its `for_api`, which returns None when the API does not use it. Its hooks:

- `before(exchange)`, called after routing: it may raise GatewayError or Reply to answer at once;
- `after(exchange, head) -> head`, called with the response head on its way to the client;
- `failed(exchange, error)`, called when the gateway is about to answer with an error: it may raise Reply instead;
- `tap(exchange, head)` may return what listens in on the body of a server's response (`base.Tap`);
- `preflight(exchange)`, called in place of every `before` when a browser only asks whether it may send a request.

ORDER is the order of `before`; the others run the other way round, so what comes first has the last word on what goes
out. Filters of a user's own stand where EXTRA is.

A filter whose hooks never wait for anything says `waits = False`: requests that wait for nothing but their server hold
no greenlet (worker/express.py).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from gproxy.core import json_schema, jwt_keys
from gproxy.core.snapshot import Hooks
from gproxy.filters.access import AccessFilter
from gproxy.filters.auth import AuthFilter
from gproxy.filters.cors import CorsFilter
from gproxy.filters.default_response import DefaultResponseFilter
from gproxy.filters.headers import HeaderFilter
from gproxy.filters.mock import MockFilter
from gproxy.filters.rate_limit import RateLimitFilter
from gproxy.filters.redirect import RedirectFilter
from gproxy.filters.upgrade import UpgradeFilter
from gproxy.filters.validation import ValidationFilter

#: Makes a filter for an API, None when the API has no use for it.
Factory = Callable[[Mapping[str, Any]], Any]


#: Where the user's own filters stand: behind those that turn requests away, before those that edit them.
EXTRA: Final = None

ORDER: Final[tuple[Factory | None, ...]] = (
    DefaultResponseFilter.for_api,
    CorsFilter.for_api,
    AccessFilter.for_api,
    AuthFilter.for_api,
    RateLimitFilter.for_api,
    ValidationFilter.for_api,
    EXTRA,
    HeaderFilter.for_api,
    UpgradeFilter.for_api,
    RedirectFilter.for_api,
    MockFilter.for_api,
)


#: What is in the line of an API whose filters need a library that is slow to load -> what loads it.
_LIBRARIES: Final = ((b'"jwt":{', jwt_keys.load), (b'"schema":{', json_schema.load))


def load_libraries(lines: Sequence[bytes]) -> None:
    """Load what the filters of these APIs will need: in a thread, so that nothing waits for it."""
    for mark, load in _LIBRARIES:
        if any(mark in line for line in lines):
            load()


def hooks_for(document: Mapping[str, Any], extra: Sequence[Factory] = ()) -> Hooks:
    """Return the hooks of every filter that this API document asks for; `extra` are the user's own."""
    factories = [factory for place in ORDER for factory in (extra if place is EXTRA else (place,))]
    filters = [made for made in (for_api(document) for for_api in factories) if made is not None]
    before = tuple(made.before for made in filters if hasattr(made, "before"))
    after = tuple(made.after for made in reversed(filters) if hasattr(made, "after"))
    failed = tuple(made.failed for made in reversed(filters) if hasattr(made, "failed"))
    taps = tuple(made.tap for made in filters if hasattr(made, "tap"))
    waits = any(getattr(made, "waits", True) for made in filters)
    preflight = next((made.preflight for made in filters if hasattr(made, "preflight")), None)
    return Hooks(before, after, failed, taps, waits, preflight)

"""Filters: one behaviour per file, chosen per API when a snapshot is built, so an API without them runs none.

A filter is made from an API document by its `for_api`, which returns None when the API does not use it. Its hooks are
`before(exchange)`, called after routing (it may raise GatewayError to answer at once), and
`after(exchange, head) -> head`, called with the response head on its way to the client. ORDER is the order of
`before`; `after` runs the other way round.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from gproxy.core.snapshot import Hooks
from gproxy.filters.headers import HeaderFilter
from gproxy.filters.rate_limit import RateLimitFilter

ORDER: Final[tuple[Callable[[Mapping[str, Any]], Any], ...]] = (RateLimitFilter.for_api, HeaderFilter.for_api)


def hooks_for(document: Mapping[str, Any]) -> Hooks:
    """Return the hooks of every filter that this API document asks for."""
    filters = [made for made in (for_api(document) for for_api in ORDER) if made is not None]
    before = tuple(made.before for made in filters if hasattr(made, "before"))
    after = tuple(made.after for made in reversed(filters) if hasattr(made, "after"))
    return Hooks(before, after)

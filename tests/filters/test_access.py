from typing import Any

import pytest

from gproxy.core.errors import AccessDenied
from gproxy.filters.access import AccessFilter
from tests.core.asked import Asked


def made(access: Any) -> Any:
    return AccessFilter.for_api({"name": "x", "access": access})


@pytest.mark.parametrize("access", [None, {"allow": [], "deny": []}])
def test_an_api_for_all_has_no_filter(access: Any) -> None:
    assert made(access) is None


def test_some_addresses_are_refused() -> None:
    filter = made({"allow": ["192.0.2.0/24"], "deny": []})
    filter.before(Asked(ip=b"192.0.2.1"))
    with pytest.raises(AccessDenied) as caught:
        filter.before(Asked(ip=b"192.0.3.1"))
    assert (caught.value.status, caught.value.code) == (403, "access_denied")
    assert "192.0.3.1" not in caught.value.detail
    assert "192.0.3.1" in caught.value.reason

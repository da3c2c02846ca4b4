from typing import Any

import pytest

from gproxy.core.reply import Reply
from gproxy.core.rewrite import BadValue
from gproxy.filters.redirect import RedirectFilter
from tests.core.asked import Asked


def made(location: str, status: int = 302) -> Any:
    return RedirectFilter.for_api({"redirect": {"location": location, "status": status}})


def test_an_api_without_one_has_no_filter() -> None:
    assert RedirectFilter.for_api({"redirect": None}) is None


def test_clients_are_sent_elsewhere() -> None:
    with pytest.raises(Reply) as caught:
        made("https://{host}{path}", 307).before(Asked(target=b"/a?b=1"))
    assert (caught.value.status, caught.value.body) == (307, b"")
    assert caught.value.lines == b"Location: https://api.example.com/a\r\n"


def test_a_missing_value_is_the_clients_fault() -> None:
    with pytest.raises(BadValue, match=r"no value for header\.x"):
        made("/{header.x}").before(Asked())

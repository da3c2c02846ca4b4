from gadmin.configuration.configuration import Configuration
from gadmin.pages.paging import SIZE, Page
from gproxy.store.base import State, Stored

MANY = [Stored("server", f"s{number:03}", 1, {"name": f"s{number:03}", "address": "a:1"}) for number in range(120)]
CONFIGURATION = Configuration(State(1, {stored.key: stored for stored in MANY}))


def page(**query: str) -> Page:
    return Page.of(CONFIGURATION, "server", query)


def test_pages_follow_each_other() -> None:
    first, second, last = page(), page(offset="50"), page(offset="100")
    assert (first.before, first.after, first.last, first.total) == (None, SIZE, SIZE, 120)
    assert (second.before, second.after) == (0, 100)
    assert (last.before, last.after, last.last, len(last.items)) == (50, None, 120, 20)


def test_an_offset_that_makes_no_sense_is_the_nearest_page() -> None:
    assert page(offset="99999").offset == 100
    assert page(offset="-5").offset == 0
    assert page(offset="x").offset == 0
    assert page(offset="63").offset == 50


def test_what_is_asked_for_is_said_again_on_other_pages() -> None:
    found = page(search=" s01 ", status="up", colour="red", weight="")
    assert found.query == {"status": "up", "search": "s01"}
    assert found.total == 10
    assert page(search="nothing").total == 0

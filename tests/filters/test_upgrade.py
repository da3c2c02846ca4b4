import pytest

from gproxy.core.errors import BadRequest
from gproxy.core.model import MODELS, normalised
from gproxy.filters.upgrade import UpgradeFilter
from tests.core.model.entities import API
from tests.worker.stage import Stage

WISH = b"Host: a\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n"


def filter_of(**fields: object) -> UpgradeFilter | None:
    return UpgradeFilter.for_api(normalised(MODELS["api"].model_validate({**API, **fields})))


def test_an_api_without_tunnels_has_no_filter() -> None:
    assert filter_of() is None


def test_a_wish_is_passed_on(stage: Stage) -> None:
    made, exchange = filter_of(upgrade={}), stage.exchange(WISH)
    assert made is not None
    made.before(exchange)
    assert exchange.upgrade is not None
    assert exchange.forward is not None
    assert exchange.forward.endswith(b"Connection: Upgrade\r\nUpgrade: WebSocket\r\n")


@pytest.mark.parametrize(
    ("block", "minor"),
    [
        (b"Host: a\r\n", b"1"),
        (b"Host: a\r\nUpgrade: websocket\r\n", b"1"),
        (b"Host: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n", b"1"),
        (b"Host: a\r\nConnection: Upgrade\r\nUpgrade: websocket, h2c\r\n", b"1"),
        (WISH, b"0"),
    ],
)
def test_what_is_no_wish_for_this_api(stage: Stage, block: bytes, minor: bytes) -> None:
    made, exchange = filter_of(upgrade={}), stage.exchange(block, minor=minor)
    assert made is not None
    made.before(exchange)
    assert (exchange.upgrade, exchange.forward) == (None, None)


def test_a_body_cannot_come_first(stage: Stage) -> None:
    made = filter_of(upgrade={})
    assert made is not None
    with pytest.raises(BadRequest):
        made.before(stage.exchange(WISH + b"Content-Length: 5\r\n", b"POST"))

import logging

import pytest

from gproxy.shared import layout
from gproxy.worker.exchange import Exchange
from gproxy.worker.record import Recorder, failure
from tests.worker.stage import Stage

COUNTERS = range(layout.GAUGES.stop, layout.SLOT_CELLS)


def recorded(stage: Stage, exchange: Exchange, status: int, code: str = "") -> dict[int, int]:
    """Record one exchange; return the counters that have changed."""
    before = [stage.cell(offset) for offset in COUNTERS]
    recorder = Recorder(stage.table, 0, None)
    exchange.status, exchange.code = status, code
    recorder.begin()
    assert stage.cell(layout.ACTIVE) == 1
    recorder.end(exchange)
    assert stage.cell(layout.ACTIVE) == 0
    changed = {offset: stage.cell(offset) - was for offset, was in zip(COUNTERS, before, strict=True)}
    assert sum(changed[outcome] for outcome in layout.OUTCOMES) == 1
    return {offset: by for offset, by in changed.items() if by}


@pytest.mark.parametrize(
    ("status", "code", "counters"),
    [
        (200, "", [layout.STATUS_2XX]),
        (204, "", [layout.STATUS_2XX]),
        (301, "", [layout.STATUS_3XX]),
        (404, "", [layout.STATUS_4XX]),
        (404, "no_route", [layout.STATUS_4XX]),
        (400, "", [layout.STATUS_4XX]),
        (400, "bad_request", [layout.STATUS_4XX, layout.BAD_REQUEST]),
        (408, "request_timeout", [layout.STATUS_4XX, layout.TIMEOUTS]),
        (499, "client_gone", [layout.CLIENT_GONE]),
        (499, "", [layout.STATUS_4XX]),
        (500, "", [layout.STATUS_5XX]),
        (502, "bad_upstream", [layout.STATUS_5XX]),
        (504, "upstream_timeout", [layout.STATUS_5XX, layout.TIMEOUTS]),
        (504, "", [layout.STATUS_5XX]),
        (600, "", [layout.STATUS_5XX]),
        (999, "", [layout.STATUS_5XX]),
    ],
)
def test_counters(stage: Stage, status: int, code: str, counters: list[int]) -> None:
    assert recorded(stage, stage.exchange(), status, code) == dict.fromkeys(counters, 1)


def test_bytes(stage: Stage) -> None:
    exchange = stage.exchange()
    exchange.received, exchange.sent = 5, 7
    assert recorded(stage, exchange, 200) == {layout.STATUS_2XX: 1, layout.BYTES_IN: 5, layout.BYTES_OUT: 7}


def test_every_exchange_goes_to_the_access_log(stage: Stage) -> None:
    seen: list[Exchange] = []
    recorder = Recorder(stage.table, 0, seen.append)
    exchanges = [stage.exchange(), stage.exchange()]
    for exchange, status in zip(exchanges, (200, 502), strict=True):
        exchange.status = status
        recorder.begin()
        recorder.end(exchange)
    assert seen == exchanges


@pytest.mark.parametrize(
    ("status", "code", "is_logged"),
    [
        (502, "bad_upstream", True),
        (200, "response_broken", True),
        (503, "", False),
        (404, "no_route", False),
        (499, "client_gone", False),
    ],
)
def test_what_the_operator_is_told(
    stage: Stage, caplog: pytest.LogCaptureFixture, status: int, code: str, is_logged: bool
) -> None:
    with caplog.at_level(logging.WARNING):
        recorded(stage, stage.exchange(), status, code)
    assert [record.message for record in caplog.records] == ["request failed"] * is_logged


def test_a_failure_in_words(stage: Stage) -> None:
    exchange = stage.exchange(target=b"/\xe9")
    exchange.status, exchange.code, exchange.reason, exchange.request_id = 502, "bad_upstream", "refused", b"id"
    assert failure(exchange) == {
        "status": 502,
        "code": "bad_upstream",
        "reason": "refused",
        "method": "GET",
        "target": "/é",
        "api": "-",
        "server": "-",
        "request_id": "id",
    }

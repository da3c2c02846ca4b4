"""The rules between attempts, without servers."""

from time import monotonic
from typing import Any

import pytest

from gproxy.core.errors import Stage as Progress
from gproxy.core.retry import IDEMPOTENT, Retry
from gproxy.core.router import Route
from gproxy.core.snapshot import Api
from gproxy.shared import layout
from gproxy.worker.attempt import Unwanted
from gproxy.worker.deadlines import NEVER
from gproxy.worker.exchange import Exchange
from gproxy.worker.series import Series
from tests.worker.stage import Stage


@pytest.fixture
def api(stage: Stage) -> Api:
    stage.table.cells[layout.ROWS_USED] = 8
    stage.proxy_to("127.0.0.1:1", "127.0.0.1:2")
    assert stage.runtime.snapshot is not None
    (route,) = (value for value in stage.runtime.snapshot.compiled.values() if isinstance(value, Route))
    target: Api = route.target
    return target


def series(stage: Stage, api: Api, deadline: float = NEVER, **fields: Any) -> Series:
    """Begin a series for a GET whose body is there."""
    exchange = Exchange.__new__(Exchange)
    exchange.api = api
    exchange.method, exchange.left, exchange.upload, exchange.deadline = b"GET", 0, None, deadline
    rules = {"attempts": 2, "per_try_timeout_s": 0.0, "statuses": frozenset({503}), "methods": IDEMPOTENT}
    made = Series(
        stage.runtime, exchange, api.nodes[0], Retry(**{**rules, "backoff_s": 0.01, "report": False, **fields})
    )
    made.begin_attempt()
    return made


@pytest.mark.parametrize("reached", Progress)
def test_what_was_answered_is_not_repeated(stage: Stage, api: Api, reached: Progress) -> None:
    made = series(stage, api)
    assert made.may_go_on(reached) is (reached is not Progress.ANSWERED)
    made.close()


def test_the_number_of_attempts_is_bounded(stage: Stage, api: Api) -> None:
    made = series(stage, api)
    assert made.may_go_on(Progress.SENT)
    made.begin_attempt()
    assert not made.may_go_on(Progress.SENT)
    made.close()


def test_a_pause_must_end_before_the_total_deadline(stage: Stage, api: Api) -> None:
    made = series(stage, api, deadline=monotonic() + 5, backoff_s=10.0)
    assert not made.may_go_on(Progress.SENT)


def test_one_try_ends_before_the_total_deadline(stage: Stage, api: Api) -> None:
    total = monotonic() + 5
    made = series(stage, api, deadline=total, per_try_timeout_s=1.0)
    assert made.exchange.deadline < total - 3
    made.on_head(200)
    assert made.exchange.deadline == total
    made.begin_attempt()
    made.close()
    assert made.exchange.deadline == total


def test_a_client_that_is_still_sending_has_no_limit_of_one_try(stage: Stage, api: Api) -> None:
    made = series(stage, api, per_try_timeout_s=1.0)
    made.exchange.left, made.exchange.deadline = 5, NEVER
    made.begin_attempt()
    assert made.exchange.deadline == NEVER


def test_statuses_are_unwanted_as_long_as_another_attempt_may_follow(stage: Stage, api: Api) -> None:
    made = series(stage, api)
    made.on_head(500)
    with pytest.raises(Unwanted, match="status 503"):
        made.on_head(503)
    made.begin_attempt()
    made.on_head(503)
    made.close()


def test_the_budget_is_taken_once_and_given_back(stage: Stage, api: Api) -> None:
    running = [series(stage, api, attempts=3) for _ in range(5)]
    assert [made.may_go_on(Progress.SENT) for made in running] == [True, True, True, False, False]
    assert running[0].may_go_on(Progress.SENT), "it has its part already"
    assert stage.table.row_total(api.row, layout.ROW_REPEATING) == 3
    for made in running:
        made.close()
    assert stage.table.row_total(api.row, layout.ROW_REPEATING) == 0

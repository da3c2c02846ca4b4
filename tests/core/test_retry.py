import pytest

from gproxy.core.model import normalised
from gproxy.core.model.protection import Retry as Document
from gproxy.core.retry import IDEMPOTENT, Retry, has_budget


def retry(**fields: object) -> Retry:
    compiled = Retry.compiled(normalised(Document.model_validate(fields)))
    assert compiled is not None
    return compiled


def test_absent_means_none() -> None:
    assert Retry.compiled(None) is None


def test_what_is_compiled() -> None:
    assert retry() == Retry(2, 0, frozenset(), IDEMPOTENT, 0.025, False)
    given = retry(attempts=3, statuses="502-504", methods="GET, post", backoff_ms=1, per_try_timeout_s=0.5)
    assert given == Retry(3, 0.5, frozenset((502, 503, 504)), frozenset((b"GET", b"POST")), 0.001, False)


@pytest.mark.parametrize(
    ("attempt", "method", "was_sent", "expected"),
    [
        (1, b"GET", True, True),
        (1, b"GET", False, True),
        (1, b"POST", True, False),
        (1, b"POST", False, True),
        (1, b"PATCH", True, False),
        (2, b"GET", False, False),
    ],
)
def test_who_may_repeat(attempt: int, method: bytes, was_sent: bool, expected: bool) -> None:
    assert retry().may_repeat(attempt, method, was_sent) is expected


def test_listed_methods_may_be_sent_twice() -> None:
    assert retry(methods="POST").may_repeat(1, b"POST", was_sent=True)
    assert not retry(methods="POST").may_repeat(1, b"GET", was_sent=True)


def test_the_back_off_doubles_up_to_ten_times_the_first() -> None:
    times = [retry(attempts=10).longest_pause_s(attempt) for attempt in range(1, 8)]
    assert times == [0.025, 0.05, 0.1, 0.2, 0.25, 0.25, 0.25]
    assert retry(backoff_ms=0).longest_pause_s(1) == 0


@pytest.mark.parametrize(
    ("active", "repeating", "expected"),
    [(1, 0, True), (1, 2, True), (1, 3, False), (15, 3, False), (100, 19, True), (100, 20, False)],
)
def test_the_budget_is_a_fifth_of_what_is_in_flight_and_at_least_three(
    active: int, repeating: int, expected: bool
) -> None:
    assert has_budget(active, repeating) is expected

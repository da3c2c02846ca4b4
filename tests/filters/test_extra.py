import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gproxy.core.errors import NoRoute
from gproxy.core.fuse import Fuse
from gproxy.core.reply import Reply
from gproxy.filters.extra import Extra, FilterError, FilterFailed, find

EXCHANGE: Any = SimpleNamespace(request_id=b"id-1")
DOCUMENT = {"name": "all", "filters": {}}


class Meter:
    def __init__(self) -> None:
        self.calls = self.errors = 0
        self.is_out = False

    def called(self, time_us: int) -> None:
        assert time_us >= 0
        self.calls += 1

    def failed(self) -> None:
        self.errors += 1

    def rests(self, is_out: bool) -> None:
        self.is_out = is_out


class Filter:
    """A filter with all hooks; what it does is set from outside."""

    raises: Exception | None = None

    @classmethod
    def for_api(cls, document: Any) -> Any:
        if document["name"] == "broken":
            raise KeyError("tenants")
        return cls() if document["name"] == "all" else None

    def before(self, exchange: Any) -> None:
        if self.raises is not None:
            raise self.raises

    def after(self, exchange: Any, head: bytes) -> bytes:
        self.before(exchange)
        return head + b"X: 1\r\n"

    def failed(self, exchange: Any, error: Exception) -> None:
        self.before(exchange)


@pytest.fixture
def module(tmp_path: Path) -> Path:
    (tmp_path / "own_filter_of_a_test.py").write_text("class Good:\n    for_api = print\nclass Bad:\n    pass\n")
    return tmp_path


def extra(bypasses: bool = False, most: int = 2) -> tuple[Extra, Meter, list[bool]]:
    meter, told = Meter(), []
    return Extra("own:Filter", Filter, Fuse(most, 1000), meter, bypasses, told.append), meter, told


@pytest.fixture
def raises(monkeypatch: pytest.MonkeyPatch) -> Any:
    return lambda error: monkeypatch.setattr(Filter, "raises", error)


def test_a_class_is_found_in_a_folder_of_its_own(module: Path) -> None:
    assert find("own_filter_of_a_test:Good", [str(module)]).__name__ == "Good"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("no_such_module_at_all:A", "ModuleNotFoundError"),
        ("own_filter_of_a_test:Other", "has no attribute 'Other'"),
        ("own_filter_of_a_test:Bad", "has no for_api"),
    ],
)
def test_what_cannot_be_loaded_is_said(module: Path, name: str, sentence: str) -> None:
    with pytest.raises(FilterError, match=f"filter {name}.*{sentence}"):
        find(name, [str(module)])


def test_hooks_are_called_and_counted() -> None:
    made, meter, _ = extra()
    hooks = made.for_api(DOCUMENT)
    hooks.before(EXCHANGE)
    assert hooks.after(EXCHANGE, b"H") == b"HX: 1\r\n"
    hooks.failed(EXCHANGE, NoRoute("None."))
    assert (meter.calls, meter.errors) == (3, 0)


def test_an_api_without_it_has_no_hooks() -> None:
    assert extra()[0].for_api({"name": "other", "filters": {}}) is None


@pytest.mark.parametrize("answer", [Reply(200, b"", b""), NoRoute("None.")])
def test_an_answer_is_no_error(raises: Any, answer: Exception) -> None:
    made, meter, _ = extra()
    raises(answer)
    for _ in range(5):
        with pytest.raises(type(answer)):
            made.for_api(DOCUMENT).before(EXCHANGE)
    assert (meter.calls, meter.errors) == (5, 0)


@pytest.mark.parametrize("bypasses", [False, True])
def test_errors_in_a_row_put_it_out_of_service(raises: Any, bypasses: bool, caplog: pytest.LogCaptureFixture) -> None:
    made, meter, told = extra(bypasses)
    hooks = made.for_api(DOCUMENT)
    raises(ZeroDivisionError("x"))
    with caplog.at_level(logging.ERROR):
        for _ in range(2):
            with pytest.raises(FilterFailed) as caught:
                hooks.before(EXCHANGE)
    assert caught.value.reason == "filter own:Filter: ZeroDivisionError('x')"
    assert (meter.errors, meter.is_out, told) == (2, True, [True])
    assert "a filter rests" in caplog.text
    raises(None)
    if bypasses:
        hooks.before(EXCHANGE)
        assert hooks.after(EXCHANGE, b"H") == b"H"
    else:
        with pytest.raises(FilterFailed, match="failed to handle"):
            hooks.before(EXCHANGE)
    assert meter.calls == 2


def test_it_comes_back_after_its_rest(raises: Any) -> None:
    made, meter, told = extra()
    made.fuse = Fuse(1, 0)
    hooks = made.for_api(DOCUMENT)
    raises(ZeroDivisionError())
    with pytest.raises(FilterFailed):
        hooks.before(EXCHANGE)
    raises(None)
    hooks.before(EXCHANGE)
    assert (meter.is_out, told) == (False, [True, False])


def test_an_error_about_an_error_hides_nothing(raises: Any) -> None:
    made, meter, _ = extra()
    raises(ZeroDivisionError())
    made.for_api(DOCUMENT).failed(EXCHANGE, NoRoute("None."))
    assert meter.errors == 1


@pytest.mark.parametrize("bypasses", [False, True])
def test_a_filter_that_cannot_be_made_for_an_api(bypasses: bool, caplog: pytest.LogCaptureFixture) -> None:
    hooks = extra(bypasses)[0].for_api({"name": "broken", "filters": {}})
    assert "KeyError" in caplog.text
    if bypasses:
        assert hooks is None
    else:
        with pytest.raises(FilterFailed) as caught:
            hooks.before(EXCHANGE)
        assert "for_api: KeyError('tenants')" in caught.value.reason

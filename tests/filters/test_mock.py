from typing import Any

import pytest

from gproxy.core.reply import Reply
from gproxy.filters.mock import MockFilter

ANSWER = {"status": 201, "headers": {"X-A": "1"}, "body": ""}


def test_only_with_mock() -> None:
    assert MockFilter.for_api({"mock": False, "default_response": ANSWER}) is None


def test_the_answer_is_always_the_same() -> None:
    made: Any = MockFilter.for_api({"mock": True, "default_response": ANSWER})
    for _ in range(2):
        with pytest.raises(Reply) as caught:
            made.before(None)
        assert (caught.value.status, caught.value.lines, caught.value.body) == (201, b"X-A: 1\r\n", b"")

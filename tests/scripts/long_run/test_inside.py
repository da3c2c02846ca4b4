import json

import pytest
from greenlet import getcurrent, greenlet

from gproxy.filters.base import Reply
from scripts.long_run.inside import Inside


def test_only_where_it_is_wanted() -> None:
    assert Inside.for_api({"filters": {}}) is None
    assert Inside.for_api({"filters": {"inside": {}}}) is not None


def greenlets() -> int:
    with pytest.raises(Reply) as caught:
        Inside().before(None)  # type: ignore[arg-type]
    return int(json.loads(caught.value.body)["greenlets"])


def test_greenlets_are_counted() -> None:
    me = getcurrent()
    before = greenlets()
    parked = [greenlet(me.switch) for _ in range(5)]
    for one in parked:
        one.switch()
    assert greenlets() == before + 5

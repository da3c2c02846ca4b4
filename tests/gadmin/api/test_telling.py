from flask import Flask

from gadmin.api import telling
from gadmin.api.reading import Query
from gadmin.api.telling import Wait
from gadmin.configuration.editor import Outcome
from gproxy.core.change import Change
from gproxy.store.base import Entry

CHANGE = Change("server", "u1", {"name": "u1", "weight": 1}, {"name": "u1", "weight": 2})


def test_an_outcome_has_the_difference_for_programs_and_people() -> None:
    told = telling.outcome(Outcome(7, [CHANGE]), is_dry=True)
    assert (told["revision"], told["dry_run"], told["summary"]) == (7, True, "1 changed")
    assert told["changes"] == [
        {"kind": "server", "name": "u1", "sign": "~", "before": CHANGE.before, "after": CHANGE.after}
    ]
    assert told["diff"] == ["~ server u1", "    ~ weight: 1 -> 2"]


def test_an_entry_tells_as_much_as_is_asked_for() -> None:
    entry = Entry(7, 1.5, "ada", "why", [CHANGE])
    assert "changes" not in telling.entry(entry, "none")
    assert telling.entry(entry, "names")["changes"] == [{"kind": "server", "name": "u1", "sign": "~"}]
    assert telling.entry(entry, "full")["changes"][0]["after"] == CHANGE.after
    assert telling.entries([entry], "none")[0]["time_ms"] == 1500


def test_waiting_happens_only_when_it_is_wanted(app: Flask) -> None:
    with app.test_request_context("/api/v1/servers/a"):
        assert Wait(Query()).told(0) == {}
    with app.test_request_context("/api/v1/servers/a?wait=applied&timeout_s=0"):
        assert Wait(Query()).told(0) == {"applied": {"done": True, "nodes": 0, "workers": 0, "stragglers": []}}

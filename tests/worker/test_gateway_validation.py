"""Validation, as clients see it."""

import json
from itertools import pairwise
from time import monotonic

from gproxy.core.body_check import BodyCheck
from gproxy.core.json_schema import Schema
from gproxy.shared import layout
from gproxy.worker.link import hub
from tests.worker.peer import Backend, Peer, answers, response
from tests.worker.stage import Stage

ITEMS = {"type": "object", "properties": {"items": {"type": "array", "items": {"type": "integer"}}}}


def post(client: Peer, body: bytes) -> tuple[bytes, bytes]:
    client.send(b"POST /?page=x HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    return client.message()


def test_all_violations_are_told_and_counted(stage: Stage) -> None:
    demands = [{"in": "query", "name": "page", "type": "integer"}, {"in": "body", "schema": ITEMS}]
    stage.proxy_to("127.0.0.1:1", validation=demands)
    head, body = post(stage.connect(), b'{"items": [1, "2"]}')
    document = json.loads(body)
    assert (head[9:12], document["code"], document["detail"]) == (
        b"400",
        "validation_failed",
        "The request is not valid.",
    )
    assert document["violations"] == [
        {"in": "query", "name": "page", "problem": "must be a whole number"},
        {"in": "body", "name": "items.1", "problem": '"2" is not of type "integer"'},
    ]
    assert stage.table.row_total(2, layout.ROW_INVALID) == 1
    assert b"Connection" not in head


def test_a_body_that_is_right_goes_on_as_it_came(stage: Stage) -> None:
    seen: list[bytes] = []

    def script(peer: Peer) -> None:
        while True:
            seen.append(peer.message()[1])
            peer.send(response(b"ok"))

    with Backend(script) as backend:
        stage.proxy_to(backend, validation=[{"in": "body", "schema": ITEMS}])
        client = stage.connect()
        for body in (b'{"items":  [1]}', json.dumps({"items": list(range(100_000))}).encode()):
            assert post(client, body)[1] == b"ok"
            assert seen[-1] == body


def longest_pause(stage: Stage, body: bytes) -> float:
    """Return for how long the loop stood still at most, in seconds, while this body was posted."""
    turns = [monotonic()]
    timer = hub.loop.timer(0.001, 0.001)
    timer.start(lambda: turns.append(monotonic()))
    try:
        assert post(stage.connect(), body)[1] == b"ok"
    finally:
        timer.stop()
        timer.close()
    return max(after - before for before, after in pairwise(turns))


def test_a_large_body_does_not_hold_the_loop(stage: Stage) -> None:
    body = json.dumps({"items": [{"id": number} for number in range(60_000)]}).encode()
    schema = {"type": "object", "properties": {"items": {"items": {"type": "object"}}}}
    since = monotonic()
    assert BodyCheck([], [Schema.compile(schema)]).violations(body) == []
    took_s = monotonic() - since
    with Backend(answers(response(b"ok"))) as backend:
        stage.proxy_to(backend, validation=[{"in": "body", "schema": schema}])
        # Whatever else the machine does can only make a pause longer.
        assert min(longest_pause(stage, body) for _ in range(4)) < took_s / 2

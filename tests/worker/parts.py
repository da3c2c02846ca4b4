"""Requests of the gateway's own, as a test makes them."""

from time import monotonic

from gproxy.core.router import Route
from gproxy.core.snapshot import Api
from gproxy.worker.attempt import Carrier
from gproxy.worker.deadlines import NEVER
from gproxy.worker.dispatch import Dispatcher
from gproxy.worker.exchange import Exchange
from gproxy.worker.part import Part
from tests.worker.peer import eventually
from tests.worker.stage import Stage


def the_api(stage: Stage) -> Api:
    """Return the only API of the stage."""
    assert stage.runtime.snapshot is not None
    (api,) = (value.target for value in stage.runtime.snapshot.compiled.values() if isinstance(value, Route))
    found: Api = api
    return found


def whole_request(stage: Stage, lines: bytes = b"Host: a\r\n", body: bytes = b"", method: bytes = b"GET") -> Exchange:
    """Return a request of a client to the only API, with its body."""
    block = lines + (b"Content-Length: %d\r\n" % len(body) if body else b"")
    exchange = stage.exchange(block, method)
    exchange.client.buffer = body
    exchange.take_body(0)
    exchange.api, exchange.values = the_api(stage), ()
    return exchange


def asked(stage: Stage, most: int = 1000, method: bytes = b"GET", timeout_s: float = NEVER) -> Part:
    """Have a part of such a request answered and return it."""
    part = Part(whole_request(stage, method=method), the_api(stage).nodes[0], most)
    part.deadline = monotonic() + timeout_s
    run(stage, part)
    return part


def run(stage: Stage, *parts: Part) -> None:
    """Have the parts answered, all at the same time, and wait until all are over."""
    over: list[Part] = []
    send = Dispatcher(stage.runtime, stage.runtime.recorder, Carrier(stage.runtime)).send

    def one(part: Part) -> None:
        part.run(send, stage.runtime.recorder)
        over.append(part)

    for part in parts:
        stage.runtime.start_soon(lambda part=part: one(part))
    eventually(lambda: len(over) == len(parts))

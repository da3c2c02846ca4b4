"""The golden requests: each is forwarded as exactly one unambiguous request, or refused and the connection closed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.client import RawClient
from tests.harness.echo import EchoBackend
from tests.harness.exchange import Received
from tests.harness.gateway import Gateway
from tests.harness.golden import Forwarded, GoldenRequest, read_requests

FOLDER = Path(__file__).parents[1] / "requests"
VALID = read_requests(FOLDER / "valid")
INVALID = read_requests(FOLDER / "invalid")


def receive_answers(client: RawClient, golden: GoldenRequest) -> None:
    client.send(golden.raw)
    if golden.end:
        client.end()
    for number, status in enumerate(golden.answers):
        answer = client.receive()
        assert answer.status == status, f"answer {number}: {answer.body!r}"
        if status >= 400:
            assert answer.head.value("content-type") == "application/problem+json"
            assert answer.json()["status"] == status


def check_forwarded(received: Received, expected: Forwarded) -> None:
    assert (received.method, received.target) == (expected.method, expected.target)
    assert received.body == expected.body_bytes()
    assert len(received.head.values("host")) == 1
    if expected.host is not None:
        assert received.head.value("host") == expected.host
    for name, value in expected.fields.items():
        assert received.head.values(name) == ([value] if isinstance(value, str) else value), name
    for name in expected.absent:
        assert received.head.values(name) == [], name
    trailers = {name.decode().lower(): value.decode() for name, value in received.trailers}
    assert trailers == expected.trailers


@pytest.mark.parametrize("golden", VALID, ids=lambda golden: golden.name)
def test_valid_requests_arrive_once_and_in_order(golden: GoldenRequest, gateway: Gateway, echo: EchoBackend) -> None:
    with gateway.client() as client:
        receive_answers(client, golden)
        if golden.closes:
            assert client.is_closed()
        else:
            assert client.get("/after").json()["target"] == "/after"
    assert len(echo.requests) == len(golden.forwarded) + (not golden.closes)
    for received, expected in zip(echo.requests, golden.forwarded, strict=False):
        check_forwarded(received, expected)


@pytest.mark.parametrize("golden", INVALID, ids=lambda golden: golden.name)
def test_invalid_requests_are_refused_and_never_forwarded(
    golden: GoldenRequest, gateway: Gateway, echo: EchoBackend
) -> None:
    with gateway.client() as client:
        receive_answers(client, golden)
        if golden.closes:
            assert client.is_closed()
    with gateway.client() as client:  # whatever the first connection had sent on would be there before this
        assert client.get("/fence").status == 200
    assert echo.requests.pop().target == "/fence"
    assert len(echo.requests) == len(golden.forwarded)
    for received, expected in zip(echo.requests, golden.forwarded, strict=True):
        check_forwarded(received, expected)
    if golden.partial:
        assert b" /partial " in golden.raw
    else:
        # the backend may learn of a request that was broken off before only now
        heads = [head for head in echo.heads if b" /partial " not in head.start]
        assert len(heads) == len(golden.forwarded) + 1


def test_there_are_enough_golden_requests() -> None:
    assert len(VALID) + len(INVALID) >= 150

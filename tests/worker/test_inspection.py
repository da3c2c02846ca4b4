import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.worker.aggregation import Answer, Kitchen, closes, says
from tests.worker.peer import Backend, Peer
from tests.worker.stage import Stage

BACK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Own: 1\r\n\r\nhi"


def answers(heads: list[bytes]) -> Callable[[Peer], object]:
    """Return a script that answers every request, and notes its head."""

    def script(peer: Peer) -> None:
        while head := peer.message()[0]:
            heads.append(head)
            peer.send(BACK)

    return script


def ask(stage: Stage, key: bytes | None = None, more: bytes = b"Connection: close\r\n") -> tuple[bytes, list[Any]]:
    """Ask with the node's key, or this one; return the answer and what it tells."""
    given = stage.runtime.inspection_key if key is None else key
    with stage.connect() as client:
        client.send(b"GET /u/7 HTTP/1.1\r\nHost: a.test\r\nX-Gateway-Inspect: %b\r\n%b\r\n" % (given, more))
        answer = client.rest()
    lines = [line for line in answer.split(b"\r\n") if line.startswith(b"X-Gateway-Inspection: ")]
    return answer, [json.loads(line.partition(b" ")[2]) for line in lines]


def whole(kitchen: Kitchen) -> Answer:
    key = kitchen.stage.runtime.inspection_key
    return kitchen.ask(b"GET /u/7 HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Gateway-Inspect: %b\r\n\r\n" % key)


def test_who_knows_the_key_is_told_who_answered(stage: Stage) -> None:
    with Backend(answers([])) as backend:
        stage.proxy_to(backend)
        answer, (told,) = ask(stage)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\nConnection: close\r\n\r\nhi")
    assert (told["api"], told["server"], told["address"], told["attempts"]) == ("all", "s0", backend.address, 1)
    assert 0 <= told["server_ms"] <= told["ms"]
    assert (told["parts"], told["code"], told["reason"]) == ([], None, None)


def test_nobody_else_is_and_servers_never_see_the_key(stage: Stage) -> None:
    heads: list[bytes] = []
    with Backend(answers(heads)) as backend:
        stage.proxy_to(backend)
        for key in (b"", b"0" * 32):
            assert ask(stage, key)[1] == []
        ask(stage)
    assert len(heads) == 3
    assert not any(b"inspect" in head.lower() for head in heads)


def test_a_failure_is_told_with_its_reason(stage: Stage) -> None:
    stage.proxy_to("127.0.0.1:1")
    answer, (told,) = ask(stage)
    assert answer.startswith(b"HTTP/1.1 502 ")
    assert (told["server"], told["code"]) == ("s0", "bad_upstream")
    assert "refused" in told["reason"]


def test_a_request_that_no_api_takes_is_told_too(stage: Stage) -> None:
    stage.use()
    _, (told,) = ask(stage)
    assert (told["api"], told["server"], told["attempts"], told["code"]) == (None, None, 0, "no_route")


def test_each_part_of_an_aggregation_is_told(stage: Stage) -> None:
    nodes: dict[str, bytes | Callable[..., object]] = {"user": says(b"{}", b"X-Own: 1"), "money": closes}
    with Kitchen(stage, nodes, {"money": {"required": False}}, merge={"on_failure": "partial"}) as kitchen:
        answer = whole(kitchen)
    assert answer.status == 200
    user, money = json.loads(answer.values("x-gateway-inspection")[0])["parts"]
    assert (user["name"], user["server"], user["status"], user["bytes"], user["came"]) == ("user", "user", 200, 2, True)
    assert ["X-Own", "1"] in user["headers"]
    assert (money["name"], money["came"], money["code"], money["headers"]) == ("money", False, "bad_upstream", [])


@pytest.mark.parametrize("more", [b"", b"Connection: keep-alive\r\n"])
def test_only_the_last_answer_of_a_connection_tells(stage: Stage, more: bytes) -> None:
    with Backend(answers([])) as backend:
        stage.proxy_to(backend)
        key = stage.runtime.inspection_key
        with stage.connect() as client:
            client.send(b"GET / HTTP/1.1\r\nHost: a.test\r\nX-Gateway-Inspect: %b\r\n%b\r\n" % (key, more))
            assert b"Inspection" not in client.head()

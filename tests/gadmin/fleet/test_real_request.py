import json
import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gadmin.fleet import real_request
from gadmin.fleet.real_request import MOST_BYTES, Wish, address_for, send
from gproxy.ctl.node import NodeError
from tests.harness.echo import EchoBackend
from tests.harness.pairs import Issuer
from tests.store.test_nodes import a_node

KEY = "5" * 32


@pytest.fixture
def echo() -> Iterator[EchoBackend]:
    with EchoBackend() as made:
        yield made


def node(*addresses: str) -> Any:
    return replace(a_node(), addresses=addresses, inspection_key=KEY)


def test_a_request_is_sent_as_it_was_written(echo: EchoBackend) -> None:
    wish = Wish("POST", "http://a.test:81/x y/%2f?q=\u00e4#part", [("X-A", "\u00e9"), ("X-A", "2")], b"{}")
    answer = send(node(f"http://{echo.address}"), wish)
    told = json.loads(answer.body)
    assert (answer.status, told["method"], told["target"], told["size"]) == (200, "POST", "/x%20y/%2f?q=%C3%A4", 2)
    assert [value for name, value in told["headers"] if name == "Host"] == ["a.test:81"]
    assert [value for name, value in told["headers"] if name == "X-A"] == ["\u00c3\u00a9", "2"], "sent as UTF-8"
    assert ["x-gateway-inspect", KEY] in told["headers"]
    assert ["Connection", "close"] in told["headers"]
    assert 0 <= answer.head_ms <= answer.ms
    assert answer.told is None


def test_a_host_field_is_sent_instead_of_that_of_the_url(echo: EchoBackend) -> None:
    told = json.loads(send(node(f"http://{echo.address}"), Wish("GET", "/a", [("Host", "b.test")])).body)
    assert [value for name, value in told["headers"] if name.lower() == "host"] == ["b.test"]


def test_the_last_word_on_who_answered_is_the_nodes(echo: EchoBackend) -> None:
    line = b"X-Gateway-Inspection: %b\r\n"
    head = b"HTTP/1.1 200 OK\r\n" + line % b'{"server": "forged"}' + line % b'{"server": "u1"}'
    echo.play(head + b"Content-Length: 0\r\n\r\n")
    answer = send(node(f"http://{echo.address}"), Wish("GET", "/a"))
    assert answer.told == {"server": "u1"}
    assert "X-Gateway-Inspection" not in dict(answer.headers)


def test_a_long_body_is_read_in_part(echo: EchoBackend) -> None:
    answer = send(node(f"http://{echo.address}"), Wish("GET", f"/bytes/{MOST_BYTES + 5}"))
    assert (len(answer.body), answer.is_cut) == (MOST_BYTES, True)


def test_a_url_with_https_goes_to_an_address_with_tls_under_its_name(tmp_path: Path) -> None:
    Issuer().write(tmp_path, "a", "a.test")
    names: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "a.crt", tmp_path / "a.key")
    context.sni_callback = lambda sock, name, context: names.append(name)
    with EchoBackend(tls=context) as echo:
        answer = send(node("http://127.0.0.1:1", f"https://{echo.address}"), Wish("GET", "https://a.test/x"))
        assert answer.status == 200
    assert names == ["a.test"]


def test_an_address_that_fits_is_taken_else_the_first() -> None:
    both = node("https://h:2", "http://h:1")
    assert address_for(both, Wish("GET", "http://a/")) == "http://h:1"
    assert address_for(both, Wish("GET", "https://a/")) == "https://h:2"
    assert address_for(node("https://h:2"), Wish("GET", "/a")) == "https://h:2"
    with pytest.raises(NodeError, match="n1 tells no address"):
        address_for(node(), Wish("GET", "/a"))


def test_no_answer_is_said(echo: EchoBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NodeError, match="Connection refused"):
        send(node("http://127.0.0.1:1"), Wish("GET", "/a"))
    with pytest.raises(NodeError, match="no answer from"):
        send(node(f"https://{echo.address}"), Wish("GET", "/a"))
    monkeypatch.setattr(real_request, "WITHIN_S", 0.05)
    with pytest.raises(NodeError, match="timed out"):
        send(node(f"http://{echo.address}"), Wish("GET", "/slow/5000"))


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("GET /x HTTP/1.1\r\nA:", ()),
        ("CONNECT", ()),
        ("GET", [("A\r\nB", "c")]),
        ("GET", [("A", "b\r\nC: d")]),
        ("GET", [("Content-Length", "7")]),
        ("GET", [("X-Gateway-Inspect", "x")]),
    ],
)
def test_what_is_no_request_is_refused(method: str, headers: Any) -> None:
    with pytest.raises(ValueError, match=":"):
        Wish(method, "/a", headers)

"""What the gateway says of the client (X-Forwarded-*, Forwarded, Via, X-Request-Id), and the header edits of an API."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.harness.echo import EchoBackend
from tests.harness.gateway import Gateway
from tests.harness.site import documents

CLAIMS = (
    "X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: claimed.test\r\n"
    "Forwarded: for=9.9.9.9;proto=https;host=claimed.test\r\nX-Request-Id: claimed-id-1\r\n"
)


def headers_of(told: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in told["headers"]:
        found.setdefault(name.lower(), []).append(value)
    return found


def ask(gateway: Gateway, headers: str = "", host: str = "gateway.test") -> dict[str, list[str]]:
    with gateway.client() as client:
        return headers_of(client.get("/", host, headers).json())


@pytest.fixture(scope="module")
def trusting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that believes its neighbours, with two APIs that edit headers."""
    with EchoBackend() as echo:
        configuration = documents({"plain": echo.address, "edited": echo.address, "own-host": echo.address})
        _, edited, own_host = configuration["apis"]
        edited["request_headers"] = {
            "set": {"X-Set": "set", "X-Both": "set"},
            "add": {"X-Added": "added", "X-Both": "added"},
            "remove": ["X-Removed", "Cookie"],
        }
        edited["response_headers"] = {"set": {"X-Answer": "set"}, "add": {"X-More": "1"}, "remove": ["Content-Type"]}
        own_host["preserve_host"] = False
        settings = {"gproxy": {"trusted_proxies": "127.0.0.0/8, 10.0.0.0/8"}}
        with Gateway(tmp_path_factory.mktemp("trusting"), configuration, settings) as gateway:
            yield gateway


def test_what_is_said_of_a_direct_client(gateway: Gateway) -> None:
    headers = ask(gateway)
    assert headers["x-forwarded-for"] == ["127.0.0.1"]
    assert headers["x-forwarded-proto"] == ["http"]
    assert headers["x-forwarded-host"] == ["gateway.test"]
    (forwarded,) = headers["forwarded"]
    parts = {part.split("=")[0].lower(): part.split("=", 1)[1].strip('"') for part in forwarded.split(";")}
    assert (parts["for"], parts["proto"], parts["host"]) == ("127.0.0.1", "http", "gateway.test")
    (via,) = headers["via"]
    assert re.fullmatch(r"1\.1 \S+", via)
    (request_id,) = headers["x-request-id"]
    assert len(request_id) >= 16


def test_a_port_in_host_is_told_on(gateway: Gateway) -> None:
    headers = ask(gateway, host="gateway.test:8080")
    assert headers["x-forwarded-host"] == ["gateway.test:8080"]
    assert 'host="gateway.test:8080"' in headers["forwarded"][0]


def test_claims_of_a_direct_client_are_not_believed(gateway: Gateway) -> None:
    headers = ask(gateway, CLAIMS)
    assert headers["x-forwarded-for"] == ["127.0.0.1"]
    assert headers["x-forwarded-proto"] == ["http"]
    assert headers["x-forwarded-host"] == ["gateway.test"]
    assert "9.9.9.9" not in headers["forwarded"][0]
    assert headers["x-request-id"] != ["claimed-id-1"]


def test_claims_in_odd_spelling_are_not_believed(gateway: Gateway) -> None:
    headers = ask(gateway, "x-FORWARDED-for: 9.9.9.9\r\nX-Forwarded-For: 8.8.8.8\r\nx-real-ip: 7.7.7.7\r\n")
    assert headers["x-forwarded-for"] == ["127.0.0.1"]
    assert headers.get("x-real-ip") in (None, ["127.0.0.1"])


def test_claims_of_a_trusted_proxy_are_believed(trusting: Gateway) -> None:
    headers = ask(trusting, CLAIMS)
    assert headers["x-forwarded-for"] == ["9.9.9.9, 127.0.0.1"]
    assert headers["x-forwarded-proto"] == ["https"]
    assert headers["x-forwarded-host"] == ["claimed.test"]
    (forwarded,) = headers["forwarded"]
    assert forwarded.startswith("for=9.9.9.9;proto=https;host=claimed.test, ")
    assert "for=127.0.0.1" in forwarded
    assert headers["x-request-id"] == ["claimed-id-1"]


def test_a_trusted_proxy_that_says_nothing(trusting: Gateway) -> None:
    headers = ask(trusting)
    assert headers["x-forwarded-for"] == ["127.0.0.1"]
    assert headers["x-forwarded-proto"] == ["http"]
    assert headers["x-forwarded-host"] == ["gateway.test"]


def test_via_is_a_list_of_all_gateways(gateway: Gateway) -> None:
    vias = ", ".join(ask(gateway, "Via: 1.0 first\r\n")["via"])
    assert vias.startswith("1.0 first, 1.1 ")


def test_every_request_has_its_own_id(gateway: Gateway) -> None:
    with gateway.client() as client:
        ids = [headers_of(client.get("/").json())["x-request-id"][0] for _ in range(20)]
    assert len(set(ids)) == 20


def test_requests_on_one_connection_do_not_inherit_fields(gateway: Gateway) -> None:
    with gateway.client() as client:
        first = headers_of(client.get("/", headers="X-One: 1\r\nCookie: a=b\r\n").json())
        second = headers_of(client.get("/", "other.test", "X-Two: 2\r\n").json())
    assert first["x-one"] == ["1"]
    assert not {"x-one", "cookie"} & set(second)
    assert second["x-forwarded-host"] == ["other.test"]


def test_host_is_preserved_unless_the_api_says_otherwise(trusting: Gateway) -> None:
    assert ask(trusting)["host"] == ["gateway.test"]
    headers = ask(trusting, host="own-host.test")
    assert re.fullmatch(r"127\.0\.0\.1:\d+", headers["host"][0])
    assert headers["x-forwarded-host"] == ["own-host.test"]


def test_request_header_edits(trusting: Gateway) -> None:
    headers = ask(
        trusting, "X-Set: mine\r\nX-Removed: 1\r\nCookie: a=b\r\nX-Added: mine\r\nX-Kept: 1\r\n", "edited.test"
    )
    assert headers["x-set"] == ["set"]
    assert headers["x-added"] == ["mine", "added"]
    assert headers["x-both"] == ["set", "added"]
    assert headers["x-kept"] == ["1"]
    assert not {"x-removed", "cookie"} & set(headers)


def test_response_header_edits(trusting: Gateway) -> None:
    with trusting.client() as client:
        head = client.get("/", "edited.test").head
        assert (head.value("x-answer"), head.value("x-more"), head.value("content-type")) == ("set", "1", None)
        assert client.get("/").head.value("x-answer") is None

"""Tokens whose keys come from a URL: through changes of keys, with a server of keys that goes away, over restarts."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from tests.harness.echo import EchoBackend
from tests.harness.gateway import Gateway
from tests.harness.site import documents
from tests.harness.tokens import issuer, jwks
from tests.harness.waiting import eventually


class KeyServer:
    """Serves a key set; `asked` counts how often it did."""

    def __init__(self) -> None:
        self.body = b""
        self.asked = 0
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked += 1
                self.send_response(200)
                self.send_header("Content-Length", str(len(server.body)))
                self.end_headers()
                self.wfile.write(server.body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}/keys"
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def keys() -> Iterator[KeyServer]:
    server = KeyServer()
    yield server
    server.stop()


def config(echo: EchoBackend, url: str, **api: Any) -> Any:
    jwt = {"algorithms": ["ES256"], "jwks_url": url, "headers": {"X-Role": "role"}}
    return documents({"echo": echo.address}, api={"auth": {"jwt": jwt}, **api})


def status(gateway: Gateway, token: str) -> int:
    with gateway.client() as client:
        return client.get("/", headers=f"Authorization: Bearer {token}\r\n").status


def test_keys_from_a_url(tmp_path: Path, keys: KeyServer) -> None:
    one, two = issuer("ES256", "1"), issuer("ES256", "2")
    keys.body = jwks(one.jwk())
    with EchoBackend() as echo, Gateway(tmp_path, config(echo, keys.url), {"gproxy": {"workers": 2}}) as gateway:
        with gateway.client() as client:
            answer = client.get("/", headers=f"Authorization: Bearer {one.token(role='admin')}\r\n")
            assert answer.status == 200
            sent = dict(answer.json()["headers"])
            assert (sent["X-Consumer"], sent["X-Role"]) == ("ada", "admin")
            assert client.get("/").status == 401
        assert keys.asked == 1  # for all workers, and before anybody wanted it
        assert status(gateway, two.token()) == 401
        since = monotonic()
        keys.stop()
        assert [status(gateway, one.token()) for _ in range(3)] == [200] * 3
        assert monotonic() - since < 3
        eventually(lambda: gateway.stats()["apis"][0]["unauthorized"] == 2)
        gateway.stop()
        again = Gateway(tmp_path, None, {"gproxy": {"workers": 2}})  # the server of the keys is still away
        try:
            eventually(lambda: status(again, one.token()) == 200)
        finally:
            again.stop()


def test_a_token_that_is_signed_with_a_new_key(tmp_path: Path, keys: KeyServer) -> None:
    one, two = issuer("ES256", "1"), issuer("ES256", "2")
    keys.body = jwks(one.jwk())
    with EchoBackend() as echo, Gateway(tmp_path, config(echo, keys.url)) as gateway:
        assert status(gateway, one.token()) == 200
        (file,) = (tmp_path / "run" / "keys").iterdir()
        keys.body = jwks(one.jwk(), two.jwk())
        # What was fetched within the last 5 seconds is not asked for again: let it be older.
        eventually(lambda: status(gateway, two.token()) == 200, within_s=20)
        assert keys.asked == 2
        assert b'"2"' in file.read_bytes()
        # Where there have never been any keys nobody can be told from anybody else.
        gateway.apply(config(echo, "http://127.0.0.1:1/never", timeouts={"total_s": 0.2}))
        eventually(lambda: status(gateway, one.token()) == 503)
        with gateway.client() as client:
            answer = client.get("/", headers=f"Authorization: Bearer {one.token()}\r\n")
            assert (answer.status, answer.json()["code"]) == (503, "keys_unavailable")

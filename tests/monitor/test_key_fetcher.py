from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent.pywsgi import WSGIServer

from gproxy.core.key_source import KeySource, fetched_name
from gproxy.monitor import key_fetcher
from gproxy.monitor.key_fetcher import FetchFailed, KeyFetcher, client_path, fetched, sources
from gproxy.shared import layout
from gproxy.shared.table import Table
from gproxy.worker.key_files import FOLDER
from tests.core.snapshot_lines import line
from tests.harness.tokens import issuer, jwks


class Server:
    """A key server: `status` and `body` are what it says, `paths` what it was asked for."""

    def __init__(self) -> None:
        self.status, self.body, self.paths = "200 OK", jwks(issuer("ES256", "1").jwk()), list[str]()
        self.wait_s = 0.0
        self._wsgi = WSGIServer(("127.0.0.1", 0), self._answer, log=None)
        self._wsgi.start()
        self.url = f"http://127.0.0.1:{self._wsgi.server_port}"

    def _answer(self, environ: Any, start_response: Any) -> list[bytes]:
        self.paths.append(environ["PATH_INFO"] + ("?" + environ["QUERY_STRING"] if environ["QUERY_STRING"] else ""))
        gevent.sleep(self.wait_s)
        start_response(self.status, [("Content-Type", "application/json")])
        return [self.body]

    def stop(self) -> None:
        self._wsgi.stop(timeout=0)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.stop()


@pytest.fixture
def table() -> Table:
    table = Table.create(2, rows=4)
    table.claim(0)
    return table


def api(url: str, refresh_s: float = 60, name: str = "a") -> bytes:
    jwt = {"algorithms": ["ES256"], "jwks_url": url, "refresh_s": refresh_s}
    return line("api", {"name": name, "path": "/*", "nodes": [{"cluster": "c"}], "auth": {"jwt": jwt}})


def settle(fetcher: KeyFetcher) -> None:
    """Wait until nothing is being fetched."""
    with gevent.Timeout(10):
        while any(watched.is_busy for watched in fetcher._watched.values()):
            gevent.sleep(0.01)


def test_sources_of_a_snapshot() -> None:
    found = sources([api("https://a/k", 300), api("https://a/k", 60, "b"), api("https://b/k"), b'["server",{},0]'])
    assert {url: source.refresh_s for url, source in found.items()} == {"https://a/k": 60, "https://b/k": 60}


def test_the_words_elsewhere_in_a_document_are_no_source() -> None:
    words, plain = {"jwks_url": "https://a/k"}, {"path": "/*", "nodes": [{"cluster": "c"}]}
    key = {"consumer": "bob", "sha256": "0" * 64}
    secret = {"algorithms": ["HS256"], "secret": "0123456789abcdef0123456789abcdef"}
    lines = [
        line("api", {**plain, "name": "a", "filters": words}),
        line("api", {**plain, "name": "b", "filters": words, "auth": {"jwt": secret}}),
        line("api", {**plain, "name": "c", "filters": words, "auth": {"api_keys": {"keys": [key]}}}),
    ]
    assert sources(lines) == {}


def test_keys_are_fetched_and_kept(server: Server, table: Table, tmp_path: Path) -> None:
    fetcher = KeyFetcher(table, tmp_path)
    url = f"{server.url}/keys?tenant=x"
    fetcher.follow([api(url)])
    fetcher.look()
    settle(fetcher)
    assert (tmp_path / FOLDER / fetched_name(url)).read_bytes() == server.body
    fetcher.look()
    settle(fetcher)
    assert server.paths == ["/keys?tenant=x"]
    fetcher.follow([api(url), api(url, name="b")])  # known already
    fetcher.look()
    settle(fetcher)
    assert len(server.paths) == 1
    another = KeyFetcher(table, tmp_path)  # after a restart: what is there is new enough
    another.follow([api(url)])
    another.look()
    settle(another)
    assert len(server.paths) == 1


def test_workers_can_want_newer_keys_but_not_all_the_time(
    server: Server, table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetcher = KeyFetcher(table, tmp_path)
    fetcher.follow([api(server.url)])
    fetcher.look()
    settle(fetcher)
    for expected, pause_s in ((1, 10.0), (2, 0.0)):
        monkeypatch.setattr(key_fetcher, "LEAST_PAUSE_S", pause_s)
        table.cells[table.base(0) + layout.KEYS_WANTED] += 1
        fetcher.look()
        settle(fetcher)
        assert len(server.paths) == expected


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        ("500 No", b"", "status 500"),
        ("302 Found", b"", "status 302"),
        ("200 OK", b"<html>", "not a JSON Web Key Set"),
        ("200 OK", b'{"keys": []}', "no key for ES256"),
    ],
)
def test_what_is_no_key_set_leaves_the_keys_as_they_are(
    server: Server,
    table: Table,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    status: str,
    body: bytes,
    reason: str,
) -> None:
    monkeypatch.setattr(key_fetcher, "LEAST_PAUSE_S", 0.0)
    fetcher = KeyFetcher(table, tmp_path)
    fetcher.follow([api(server.url)])
    fetcher.look()
    settle(fetcher)
    good, server.status, server.body = server.body, status, body
    with caplog.at_level(logging.INFO):
        for _ in range(2):  # said once
            table.cells[table.base(0) + layout.KEYS_WANTED] += 1
            fetcher.look()
            settle(fetcher)
        assert (tmp_path / FOLDER / fetched_name(server.url)).read_bytes() == good
        server.status, server.body = "200 OK", good
        fetcher.look()
        settle(fetcher)
    said = [record for record in caplog.records if record.name == key_fetcher.__name__]
    assert [record.message for record in said] == ["keys cannot be fetched", "keys can be fetched again"]
    assert reason in vars(said[0])["reason"]


def test_a_server_that_is_slow_or_away(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_fetcher, "_FETCH_S", 0.05)
    server.wait_s = 1.0
    with pytest.raises(FetchFailed):
        fetched(server.url)
    with pytest.raises(FetchFailed):
        fetched("http://127.0.0.1:1/keys")
    with pytest.raises(FetchFailed):
        fetched("https://nowhere.invalid/keys")


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://a", "/"),
        ("https://a/k", "/k"),
        ("https://a/k?x=/y#z", "/k?x=/y"),
        ("https://a?x=1", "/?x=1"),
    ],
)
def test_what_a_host_is_asked_for(url: str, path: str) -> None:
    assert client_path(url) == path


def test_the_file_is_what_workers_read(server: Server, table: Table, tmp_path: Path) -> None:
    fetcher = KeyFetcher(table, tmp_path)
    fetcher.follow([api(server.url)])
    fetcher.look()
    settle(fetcher)
    source = KeySource.compile(json.loads(api(server.url))[1]["auth"]["jwt"])
    assert source.read((tmp_path / FOLDER / fetched_name(server.url)).read_bytes()).keys[0].kid == "1"

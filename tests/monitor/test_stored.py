from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from gproxy import settings
from gproxy.core.cache_entry import Entry
from gproxy.core.cache_request import Audience
from gproxy.ctl.explain_view import view
from gproxy.monitor.explain import Explainer
from gproxy.shared.cache import CacheMemory, Owner
from gproxy.shared.table import Table
from gproxy.store import snapshot_file
from gproxy.worker.cache.question import key_of
from tests.core.snapshot_lines import lines

SERVERS, CLUSTERS = [{"name": "u1", "address": "127.0.0.1:9001"}], [{"name": "users", "servers": ["u1"]}]
NODES = [{"cluster": "users", "attr": "u", "cache": {"ttl_s": 9}}]
APIS = [
    {"name": "user", "path": "/users/*", "rewrite": "/cgi?{query}", "nodes": [{"cluster": "users"}], "cache": {}},
    {"name": "parts", "path": "/parts", "nodes": NODES},
]


@pytest.fixture
def memory() -> Iterator[CacheMemory]:
    made = CacheMemory.create(1 << 20)
    yield made
    made.close()


@pytest.fixture
def explainer(tmp_path: Path, memory: CacheMemory) -> Iterator[Explainer]:
    (tmp_path / "empty.ini").touch()
    table = Table.create(1, rows=16)
    snapshot_file.write(tmp_path / "snapshot", 1, "x", lines(SERVERS, CLUSTERS, APIS))
    yield Explainer(table, settings.load(tmp_path / "empty.ini"), tmp_path / "snapshot", memory)
    table.close()


def explain(explainer: Explainer, url: str, *headers: str, method: str = "GET") -> Any:
    pairs = [header.split(": ") for header in headers]
    return explainer.explain({"url": f"http://a{url}", "headers": pairs, "method": method})


def keep(memory: CacheMemory, explainer: Explainer, monkeypatch: pytest.MonkeyPatch, **fields: Any) -> None:
    """Store an answer for what is asked next, under the key that a worker would take."""
    keys: list[bytes] = []

    def noting(*arguments: Any) -> bytes:
        keys.append(key_of(*arguments))
        return keys[-1]

    monkeypatch.setattr("gproxy.monitor.stored.key_of", noting)
    explain(explainer, "/users/7?x=1")
    given = {"born_s": monotonic(), "fresh_s": 60.0, "stale_s": 0.0, "audience": Audience.ANYBODY} | fields
    memory.put(keys[0], Entry(keys[0], b"HTTP/1.1 200 OK\r\n", b"", 200, **given).packed(), Owner(0, 0))


def said(told: Any) -> tuple[str, str]:
    return told["cache"]["verdict"], told["cache"]["reason"]


def test_what_is_stored_would_be_given(
    memory: CacheMemory, explainer: Explainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert said(explain(explainer, "/users/7?x=1")) == ("miss", "nothing is stored")
    keep(memory, explainer, monkeypatch)
    told = explain(explainer, "/users/7?x=1")
    assert said(told) == ("hit", "fresh")
    assert told["answer"] == {"kind": "stored", "status": 200}
    text = "\n".join(view(told))
    assert "stored answers: hit, fresh: 0 s old, fresh for 60 s" in text
    assert "A stored answer would be given: 200." in text
    assert said(explain(explainer, "/users/7?x=2")) == ("miss", "nothing is stored")
    assert said(explain(explainer, "/users/7?x=1", "Cookie: a=b"))[0] == "miss"
    assert said(explain(explainer, "/users/7?x=1", "Cache-Control: no-cache")) == ("stale", "the client wants it anew")


def test_what_is_stale_would_be_asked_for(
    memory: CacheMemory, explainer: Explainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(memory, explainer, monkeypatch, fresh_s=0.0, stale_s=9.0)
    told = explain(explainer, "/users/7?x=1")
    assert said(told) == ("stale", "its server is asked first")
    assert told["answer"] == {"kind": "proxied"}
    assert "stands in when the server fails" in "\n".join(view(told))


@pytest.mark.parametrize(
    ("method", "header", "reason"),
    [
        ("POST", "A: b", "method"),
        ("GET", "Range: bytes=0-1", "partial"),
        ("GET", "Cache-Control: no-store", "no-store"),
    ],
)
def test_what_passes_by(explainer: Explainer, method: str, header: str, reason: str) -> None:
    assert said(explain(explainer, "/users/7", header, method=method)) == ("bypass", reason)


def test_parts_have_a_store_of_their_own(explainer: Explainer) -> None:
    told = explain(explainer, "/parts")
    assert "cache" not in told
    assert said(told["nodes"][0]) == ("miss", "nothing is stored")
    assert "    stored answers: miss, nothing is stored" in list(view(told))


def test_without_memory_nothing_is(explainer: Explainer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explainer, "_memory", None)
    assert said(explain(explainer, "/users/7")) == ("off", "[cache] bytes is 0")

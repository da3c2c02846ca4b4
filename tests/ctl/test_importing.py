"""`gproxyctl import` on a store that has something already."""

import json
from pathlib import Path

import pytest

from gproxy.ctl.__main__ import main
from gproxy.store.base import Write
from gproxy.store.open import open_store

EXPORT = {
    "/gateway/servers/10.0.0.1:80": {"addr": "10.0.0.1:80", "closeCount": 2, "halfToOpen": 9, "halfTrafficRate": 5},
    "/gateway/servers/10.0.0.2:80": {"addr": "10.0.0.2:80", "checkPath": "no slash"},
    "/gateway/clusters/users": {"name": "users", "pattern": "/users/(.*)"},
    "/gateway/clusters/broken": {"name": "broken", "pattern": "/(("},
    "/gateway/binds/10.0.0.1:80-users": "",
}


AGGREGATED = {
    "/gateway/servers/a:80": {"addr": "a:80"},
    "/gateway/servers/b:80": {"addr": "b:80"},
    "/gateway/clusters/users": {"name": "users", "pattern": "/users/.*"},
    "/gateway/clusters/beta": {"name": "beta"},
    "/gateway/binds/a:80-users": "",
    "/gateway/binds/b:80-beta": "",
    "/gateway/aggregations/%2Fprofile%2F(.%2B)": {
        "url": "/profile/(.+)",
        "nodes": [
            {"clusterName": "users", "attrName": "user", "rewrite": "/users/$1"},
            {"clusterName": "beta", "attrName": "extra", "rewrite": "/extra?of=$1"},
        ],
    },
    "/gateway/routings/r1": {
        "id": "r1",
        "clusterName": "beta",
        "url": "/users/.*",
        "cfg": 'desc = "testers"; deadline = 0; rule = ["$COOKIE_group == beta"]; or = ["$HEADER_X-Beta in yes"]',
    },
}


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/gateway.db"
    with open_store(url, create=True) as store:
        store.write([Write("server", "mine", {"name": "mine", "address": "127.0.0.1:1"})], "ann")
    (tmp_path / "export.json").write_text(json.dumps(EXPORT))
    return url


def run(url: str, tmp_path: Path, *words: str) -> int:
    return main(["--store", url, "import", "-f", str(tmp_path / "export.json"), *words])


def test_what_is_valid_is_added_and_the_rest_reported(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(url, tmp_path) == 0
    with open_store(url) as store:
        documents = store.read().documents()
        entry = store.history()[0]
    assert set(documents["server"]) == {"mine", "10.0.0.1:80"}
    assert documents["server"]["10.0.0.1:80"]["circuit_breaker"]["consecutive_failures"] == 3
    assert documents["cluster"]["users"]["servers"] == ["10.0.0.1:80"]
    assert documents["api"]["cluster-users"]["path"] == "~/users/(.*)"
    assert entry.comment == "imported from fagongzi/gateway"
    said = capsys.readouterr().out
    assert "4 of 6 objects were taken over" in said
    assert "servers[10.0.0.2:80]: NOT taken over\n    servers[10.0.0.2:80].health_check.path" in said
    assert "apis[cluster-broken]: NOT taken over" in said
    assert "the names were the other way round" in said
    assert "maxQPS 0: rejected every request there; here it is no limit" in said


def test_a_dry_run_writes_nothing(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(url, tmp_path, "--dry-run") == 0
    with open_store(url) as store:
        assert store.read().revision == 1
    said = capsys.readouterr().out
    assert "+ server 10.0.0.1:80" in said
    assert "4 of 6 objects were taken over" in said


def test_what_is_no_export_is_said(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "export.json").write_text("{}")
    assert run(url, tmp_path) == 2
    assert "nothing of the gateway is in it" in capsys.readouterr().err


def test_aggregations_and_routings_are_valid_here(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "export.json").write_text(json.dumps(AGGREGATED))
    assert run(url, tmp_path) == 0
    said = capsys.readouterr().out
    assert "7 of 7 objects were taken over" in said
    with open_store(url) as store:
        documents = store.read().documents()
    assert documents["api"]["aggregation-profile"]["nodes"][0]["rewrite"] == "/users/{1}"
    assert documents["routing"]["r1"]["when"] == {
        "all": ["$cookie_group == beta"],
        "any": ["$header_X-Beta contains yes"],
    }

"""A configuration moves from the embedded store to etcd and back, and nothing of it changes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gproxy.ctl.__main__ import main
from gproxy.store.open import open_store
from tests.harness.etcd import Etcd

CONFIGURATION: dict[str, list[dict[str, Any]]] = {
    "servers": [
        {"name": "u1", "address": "127.0.0.1:9001", "weight": 7, "health_check": {"interval_s": 0.5}},
        {"name": "u2", "address": "[::1]:9002", "circuit_breaker": {"share": "cluster", "quorum": 3}},
        {"name": "u3", "address": "unix:/run/u3.sock", "max_qps": 5, "burst": 2},
        *({"name": f"s{number}", "address": f"10.0.{number // 250}.{number % 250}:80"} for number in range(300)),
    ],
    "clusters": [{"name": "c", "servers": ["u1", "u2", "u3"], "load_balance": "p2c", "timeouts": {"total_s": 1.25}}],
    "apis": [
        {
            "name": "a:x",
            "path": "/ä/{id:int}",
            "nodes": [{"cluster": "c"}],
            "response_headers": {"set": {"X-Text": 'quoted " and \\ back'}},
            "rate_limit": {"rate": 5, "per_s": 0.1, "key": "cookie:a", "scope": "cluster"},
        }
    ],
}


@pytest.fixture(scope="module")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etcd]:
    with Etcd(tmp_path_factory.mktemp("etcd")) as etcd:
        yield etcd


@pytest.mark.parametrize("form", ["json", "yaml", "toml"])
def test_there_and_back(form: str, etcd: Etcd, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def moved(source: str, target: str) -> str:
        assert main(["--store", source, "export", "--format", form]) == 0
        file = tmp_path / f"export.{form}"
        file.write_text(capsys.readouterr().out)
        assert main(["--store", target, "apply", "-f", str(file)]) == 0
        capsys.readouterr()
        return file.read_text()

    start = tmp_path / "start.json"
    start.write_text(json.dumps(CONFIGURATION))
    first, second, third = f"sqlite:///{tmp_path}/a.db", etcd.url(f"/{form}"), f"sqlite:///{tmp_path}/b.db"
    assert main(["--store", first, "apply", "-f", str(start)]) == 0
    capsys.readouterr()
    assert moved(first, second) == moved(second, third)
    with open_store(first) as a, open_store(second) as b, open_store(third) as c:
        assert a.read().documents() == b.read().documents() == c.read().documents()
        assert len(a.read().objects) == 305

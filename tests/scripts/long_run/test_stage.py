"""A gateway as the long run has it: every kind of request, inside figures, and what befalls it."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.long_run.clients import KINDS, Site
from scripts.long_run.samples import take
from scripts.long_run.stage import SoakError, Stage, standing
from tests.harness.waiting import eventually

main = importlib.import_module("scripts.long_run.__main__")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with standing(tmp_path_factory.mktemp("soak")) as running:
        yield running


def test_each_kind_of_request_comes_to_an_end_of_its_own(stage: Stage) -> None:
    async def ask() -> dict[str, str]:
        site = Site(stage.port, stage.tls_port)
        found = {name: await kind(site) for name, (_, kind) in KINDS.items() if name not in UNSURE}
        site.one.close()
        await site.two.aclose()
        return found

    assert asyncio.run(ask()) == {name: OTHERS.get(name, "200") for name in KINDS if name not in UNSURE}


#: how requests end, if not with 200; and those that end in one of several ways
OTHERS = {"wrong API key": "401", "violation": "400", "redirect": "302", "WebSocket": "done", "client leaves": "left"}
UNSURE = {"flaky server", "broken server", "rubbish"}


def test_samples_tell_of_all_processes_and_the_inside_of_workers(stage: Stage) -> None:
    found = take(stage, 1.0)
    assert {sample.name.partition(":")[0] for sample in found} >= {"gproxy-sync", "gproxy-monitor"}
    workers = [sample for sample in found if sample.name.startswith("gproxy-worker")]
    assert len(workers) == 2
    assert any(sample.greenlets and sample.objects for sample in workers), "nobody was asked"
    assert all(sample.memory_bytes > 1 << 20 and sample.descriptors > 3 for sample in found)


def test_a_short_run(stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(main, "_SAMPLE_S", 0.2)
    monkeypatch.setattr(main, "FAULTS", [lambda stage: stage.write_certificate()])
    taken, _ = main.soak(stage, 3.0, 40.0, 1.0)
    assert {sample.name.partition(":")[0] for sample in taken} >= {"gproxy-worker0", "gproxy-sync"}
    assert "0.0 min: <lambda>" in capsys.readouterr().err


def test_a_killed_process_is_another_one(stage: Stage) -> None:
    before = {process.pid for process in stage.processes()}
    stage.kill("gproxy-monitor")
    eventually(lambda: len({process.pid for process in stage.processes()} - before) == 1, 20)


def test_another_certificate_and_another_configuration(stage: Stage) -> None:
    file = stage.folder / "certificates" / "bench.crt"
    before = file.read_text()
    stage.write_certificate()
    assert file.read_text() != before
    stage.apply(30)
    with pytest.raises(SoakError, match="refused"):
        stage.apply(300)


def test_a_server_that_was_stopped_starts_again(stage: Stage, tmp_path: Path) -> None:
    stage.stop_server(2)
    assert stage.servers[2].poll() is not None
    stage.start_server(2)
    assert stage.servers[2].poll() is None

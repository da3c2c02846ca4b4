import os
import sys
from pathlib import Path

import pytest

from scripts.benchmark import backends, contenders, packages, slow_backend
from scripts.benchmark.configuration import Setup
from scripts.benchmark.contenders import Wanted
from scripts.benchmark.process import BenchError, cores


def wanted(name: str, program: str, folder: Path, apis: int = 0) -> Wanted:
    return Wanted(name, program, folder, 9000, (9001, 9002), Setup(apis))


def test_a_command_line_in_gproxys_place_gets_its_ports() -> None:
    words = contenders.custom_command(wanted("gproxy", "run 'my proxy' -p {port} {server1} {server2}", Path()))
    assert words == ["run", "my proxy", "-p", "9000", "9001", "9002"]


def test_such_a_program_is_measured_whole(tmp_path: Path) -> None:
    command = f"{sys.executable} {slow_backend.__file__} 0 {{port}}"
    with contenders.running(["gproxy"], {"gproxy": command}, tmp_path / "own", (1, 2), Setup()) as (one,):
        assert len(one.workers) == 1
        assert os.sched_getaffinity(one.workers[0]) == {cores()[0]}
        assert one.supervisors == ()


def test_the_probe_is_below_the_last_api() -> None:
    assert wanted("nginx", "", Path(), apis=3).probe == "/service-3/small"
    assert wanted("nginx", "", Path()).probe == "/small"


def test_a_configuration_that_gproxyctl_refuses_is_told(tmp_path: Path) -> None:
    ctl = tmp_path / "gproxyctl"
    ctl.write_text("#!/bin/sh\necho 'apis[a]: no such cluster' >&2\nexit 2\n")
    ctl.chmod(0o755)
    with pytest.raises(BenchError, match="no such cluster"):
        contenders.gproxy_command(wanted("gproxy", str(tmp_path / "gproxy"), tmp_path))


@pytest.mark.skipif(None in map(packages.find, ("nginx", "haproxy")), reason="nginx or haproxy is not installed")
def test_all_proxies_run_side_by_side_each_with_one_worker(tmp_path: Path) -> None:
    programs = packages.need(["nginx", "haproxy"]) | {"gproxy": contenders.default_gproxy()}
    with backends.running(programs["nginx"], tmp_path / "backends") as servers:
        names = list(contenders.NAMES)
        with contenders.running(names, programs, tmp_path / "own", servers.fast, Setup(apis=3)) as running:
            assert [one.name for one in running] == names
            assert [len(one.workers) for one in running] == [1, 1, 1]
            assert len(running[2].supervisors) == 3
            for one in running:
                assert all(os.sched_getaffinity(pid) == {cores()[0]} for pid in one.workers)
